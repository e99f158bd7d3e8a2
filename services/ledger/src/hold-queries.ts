import type { Request } from '@points/contracts/ledger-requests';
import { accountStream } from '@points/contracts/streams';
import type { Account, OpenHold, SettledHold } from '@points/domain/account/account';
import { mapGet } from '@points/domain/persistent-map';
import { formatTime } from '@points/domain/time';
import { appliedBy, readCommand } from './account-log.ts';
import {
  cancellation,
  find,
  findConfirmed,
  isAccountVerb,
  recordIdIn,
  resultOf,
  transaction,
} from './account-results.ts';
import { answer, durableState } from './durable-state.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { type Outcome, refused } from './reply.ts';

const MS_PER_SECOND = 1_000;

/** All of one hold. Only its owner or an admin may see it. */
export async function hold(
  body: Request<'qry.hold'>,
  client: string,
  deps: LedgerDeps,
): Promise<Outcome> {
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  const holdId =
    body.hold_id ??
    (body.record_id === undefined ? undefined : mapGet(account.recordIds, body.record_id));
  if (holdId === undefined) return refused('hold_not_found');
  const open = mapGet(account.openHolds, holdId);
  const settled = mapGet(account.settledHolds, holdId);
  const known = open ?? settled;
  if (known === undefined) return refused('hold_not_found');
  if (known.owner !== null && known.owner !== client && !deps.admins.has(client))
    return refused('forbidden');
  const stream = accountStream(body.account_id);
  return answer(durable, deps, {
    hold_id: holdId,
    record_id: known.recordId,
    status: 'held',
    amount: known.amount,
    ...(known.recordId === null ? {} : await heldFields(stream, known, deps)),
    ...(open === undefined ? {} : { expires_at: formatTime(open.expiresMs) }),
    ...(settled === undefined ? {} : await settledFields(stream, settled, account, deps)),
  });
}

/** The first answer to a command, for a caller that lost it. */
export async function command(body: Request<'qry.command'>, deps: LedgerDeps): Promise<Outcome> {
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  const known = mapGet(account.commands, body.command_id);
  if (known === undefined) return refused('command_unknown');
  const first = await readCommand(deps.log, accountStream(body.account_id), known.revision);
  if (!isAccountVerb(first.commandName)) return refused('command_unknown');
  const { account: numbers, position } = appliedBy(first);
  return {
    ok: true,
    result: resultOf(first.commandName, first.events, { recordIdOf: recordIdIn(account) }),
    atMs: first.atMs,
    account: numbers,
    position,
  };
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
  account: Account,
  deps: LedgerDeps,
) {
  const late = outcome.status === 'canceled' ? outcome.late : null;
  const revision = late?.revision ?? outcome.revision;
  const settlement = await readCommand(deps.log, stream, revision);
  const settled_at = formatTime(settlement.atMs);
  if (outcome.status === 'canceled' && late === null) {
    const { reason, released } = cancellation(settlement.events, holdId);
    return { status: 'canceled' as const, reason, released, settled_at };
  }
  const found = findConfirmed(settlement.events, holdId);
  const { actual_amount, released, waived, hold_id } = found.data;
  const charge = mapGet(account.settledHolds, hold_id)?.outcome;
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
