import type { Request } from '@points/contracts/ledger-requests';
import { accountStream } from '@points/contracts/streams';
import type { Account, OpenHold, SettledHold } from '@points/domain/account/account';
import { mapGet } from '@points/domain/persistent-map';
import { formatTime } from '@points/domain/time';
import { holdReference } from './account-endpoints.ts';
import { appliedBy, readCommand } from './account-log.ts';
import {
  cancellation,
  find,
  findConfirmed,
  isAccountVerb,
  transaction,
} from './account-results.ts';
import { answer, durableState } from './durable-state.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { recollect } from './recall.ts';
import { type Outcome, refused } from './reply.ts';
import { resultInLog } from './result-in-log.ts';

const MS_PER_SECOND = 1_000;

/** All of one hold, also of one that the account has forgotten. Only its owner or an admin may see it. */
export async function hold(
  body: Request<'qry.hold'>,
  client: string,
  deps: LedgerDeps,
): Promise<Outcome> {
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  const found = await findHold(body, account, deps);
  if (found === null) return refused('hold_not_found');
  const { known, settled, lateHold } = found;
  if (known.owner !== null && known.owner !== client && !deps.admins.has(client))
    return refused('forbidden');
  const stream = accountStream(body.account_id);
  return answer(durable, deps, {
    hold_id: known.holdId,
    record_id: known.recordId,
    status: 'held',
    amount: known.amount,
    ...(known.recordId === null ? {} : await heldFields(stream, known, deps)),
    ...('expiresMs' in known ? { expires_at: formatTime(known.expiresMs) } : {}),
    ...(settled === null ? {} : await settledFields(stream, settled, lateHold, deps)),
  });
}

/** The first answer to a command, for a caller that lost it. */
export async function command(body: Request<'qry.command'>, deps: LedgerDeps): Promise<Outcome> {
  const { account_id: accountId, command_id: commandId } = body;
  const { account } = await durableState(accountId, deps);
  const known =
    mapGet(account.commands, commandId) ??
    (hasForgotten(account)
      ? (await recollect(accountId, { commandId }, account.revision, deps)).command
      : null);
  if (known === null) return refused('command_unknown');
  const first = await readCommand(deps.log, accountStream(accountId), known.revision);
  if (!isAccountVerb(first.commandName)) return refused('command_unknown');
  const { account: numbers, position } = appliedBy(first);
  return {
    ok: true,
    result: await resultInLog(accountId, first.commandName, first, account, undefined, deps),
    atMs: first.atMs,
    account: numbers,
    position,
  };
}

interface FoundHold {
  readonly known: OpenHold | SettledHold;
  readonly settled: SettledHold | null;
  /** Carries the charge of a late confirm. */
  readonly lateHold: SettledHold | null;
}

async function findHold(
  body: Request<'qry.hold'>,
  account: Account,
  deps: LedgerDeps,
): Promise<FoundHold | null> {
  const reference = holdReference(body);
  const holdId =
    'holdId' in reference ? reference.holdId : mapGet(account.recordIds, reference.recordId);
  const open = holdId === undefined ? undefined : mapGet(account.openHolds, holdId);
  if (open !== undefined) return { known: open, settled: null, lateHold: null };
  const settled = holdId === undefined ? undefined : mapGet(account.settledHolds, holdId);
  if (settled !== undefined)
    return { known: settled, settled, lateHold: lateHoldOf(settled, account) };
  if (!hasForgotten(account)) return null;
  const recalled = await recollect(body.account_id, { hold: reference }, account.revision, deps);
  const { hold: found } = recalled;
  if (found === null) return null;
  return {
    known: found,
    settled: found,
    lateHold: lateHoldOf(found, account) ?? recalled.lateHold,
  };
}

function lateHoldOf({ outcome }: SettledHold, account: Account): SettledHold | null {
  if (outcome.status === 'confirmed' || outcome.late === null) return null;
  return mapGet(account.settledHolds, outcome.late.holdId) ?? null;
}

function hasForgotten({ memory }: Account): boolean {
  return memory.forgottenThrough >= 0;
}

async function heldFields(stream: string, known: OpenHold | SettledHold, deps: LedgerDeps) {
  const placed = await readCommand(deps.log, stream, known.revision);
  const { data } = find(placed.events, 'PointsHeld', known.holdId);
  return {
    task_no: data.task_no,
    charge_mode: data.charge_mode,
    price: data.price,
    ...(data.source_type === undefined ? {} : { source_type: data.source_type }),
    ...(data.model === undefined ? {} : { model: data.model }),
    ...(data.biz_type === undefined ? {} : { biz_type: data.biz_type }),
    ...(data.biz_id === undefined ? {} : { biz_id: data.biz_id }),
    ...(data.quantity === undefined ? {} : { quantity: data.quantity }),
    ...(data.estimated_duration_ms === undefined
      ? {}
      : { estimated_duration: data.estimated_duration_ms / MS_PER_SECOND }),
    overage: data.overage,
    description: data.description,
    metadata: { ...data.metadata },
    owner: data.owner,
    created_at: formatTime(placed.atMs),
    expires_at: data.expires_at,
  };
}

/** Of an expired hold that was confirmed late: what the late confirm came to. */
async function settledFields(
  stream: string,
  { holdId, outcome }: SettledHold,
  lateHold: SettledHold | null,
  deps: LedgerDeps,
) {
  const late = outcome.status === 'canceled' ? outcome.late : null;
  const settlement = await readCommand(deps.log, stream, late?.revision ?? outcome.revision);
  const settled_at = formatTime(settlement.atMs);
  if (outcome.status === 'canceled' && late === null) {
    const { reason, released } = cancellation(settlement.events, holdId);
    return { status: 'canceled' as const, reason, released, settled_at };
  }
  const found = findConfirmed(settlement.events, holdId);
  const { actual_amount, released, waived, hold_id } = found.data;
  const charge = late === null ? outcome : lateHold?.outcome;
  return {
    status: 'confirmed' as const,
    actual_amount,
    released,
    waived,
    refunded: charge?.status === 'confirmed' ? charge.refunded : 0,
    late: late !== null,
    ...(late === null ? {} : { late_hold_id: hold_id }),
    settled_at,
    ...transaction(found),
  };
}
