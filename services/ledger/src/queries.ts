import type { Request } from '@points/contracts/ledger-requests';
import type { Result } from '@points/contracts/ledger-replies';
import { accountStream } from '@points/contracts/streams';
import type { Account, OpenHold, SettledHold } from '@points/domain/account/account';
import { isDue, summarize } from '@points/domain/account/batches';
import { mapGet, mapSize, mapValues } from '@points/domain/persistent-map';
import { formatTime } from '@points/domain/time';
import { priceRequest, termsOf } from './account-endpoints.ts';
import {
  appliedBy,
  find,
  isAccountVerb,
  readCommand,
  resultOf,
  transaction,
} from './account-results.ts';
import type { StatePlace } from '@points/event-store/lanes';
import { type LedgerDeps, notReady } from './ledger-deps.ts';
import { type Outcome, refused } from './reply.ts';

const LISTED_HOLDS_MAX = 100;
const MS_PER_SECOND = 1_000;

/** The account's numbers now: due batches count as expired already. */
export async function balance(body: Request<'qry.balance'>, deps: LedgerDeps): Promise<Outcome> {
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  // An account's time never runs backwards, whatever our clock says.
  const nowMs = Math.max(deps.clock.now(), account.lastEventMs);
  const summary = summarize(account, nowMs);
  const batches = account.batches
    .map((batch) => (isDue(batch, nowMs) ? { ...batch, remaining: batch.pinned } : batch))
    .filter((batch) => batch.remaining > 0);
  return answer(durable, deps, {
    account_id: body.account_id,
    ...summary,
    batches: batches.map((batch) => ({
      batch_id: batch.batchId,
      kind: batch.kind,
      points: batch.points,
      remaining: batch.remaining,
      held: batch.pinned,
      expires_at: batch.expiresMs === null ? null : formatTime(batch.expiresMs),
    })),
    open_holds: newestFirst(mapValues(account.openHolds)).slice(0, LISTED_HOLDS_MAX).map(openHold),
    open_hold_count: mapSize(account.openHolds),
    membership: null,
    frozen: false,
    revision: account.revision,
  });
}

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
    status: open === undefined ? (settled?.outcome.status ?? 'canceled') : 'held',
    amount: known.amount,
    ...(known.recordId === null ? {} : await heldFields(stream, known, deps)),
    ...(settled === undefined ? {} : await settledFields(stream, settled, deps)),
  });
}

/** What a use would cost and whether the account affords it. Places nothing. */
export async function quote(body: Request<'qry.quote'>, deps: LedgerDeps): Promise<Outcome> {
  if (deps.prices.sources() === null) return notReady(deps);
  const terms = termsOf(priceRequest(body), deps);
  if ('code' in terms) return refused(terms.code, terms.details);
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  const { balance: settled, available } = summarize(account, deps.clock.now());
  const sufficient = terms.amount === 0 || available >= terms.amount;
  return answer(durable, deps, {
    sufficient,
    required: terms.amount,
    balance: settled,
    available,
    shortfall: sufficient ? 0 : terms.amount - available,
    mode: terms.price.mode,
  });
}

/** The price of a use, whoever asks. */
export async function price(body: Request<'qry.price'>, deps: LedgerDeps): Promise<Outcome> {
  if (deps.prices.sources() === null) return notReady(deps);
  const terms = termsOf(priceRequest(body), deps);
  if ('code' in terms) return refused(terms.code, terms.details);
  const unknown = terms.price.mode === 'duration' && body.estimated_duration === undefined;
  return {
    ok: true,
    result: { ...terms.price, amount: unknown ? null : terms.amount },
    atMs: deps.clock.now(),
  };
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
    result: resultOf(first.commandName, first.events, account),
    atMs: first.atMs,
    account: numbers,
    position,
  };
}

/** An account as the log has it, and where that stands. */
interface Durable {
  readonly account: Account;
  readonly at: StatePlace;
}

function durableState(accountId: string, deps: LedgerDeps): Promise<Durable> {
  return deps.lanes.submit(accountStream(accountId), '', (account) => ({
    kind: 'answer',
    needsTail: true,
    answer: (at) => ({ account, at }),
  }));
}

function answer({ account, at }: Durable, deps: LedgerDeps, result: Result): Outcome {
  const nowMs = deps.clock.now();
  const { balance: settled, held, available } = summarize(account, nowMs);
  const numbers = { balance: settled, held, available, revision: at.revision };
  return { ok: true, result, atMs: nowMs, account: numbers, position: at.position };
}

function newestFirst(holds: readonly OpenHold[]): OpenHold[] {
  return [...holds].sort((a, b) => b.revision - a.revision);
}

function openHold(each: OpenHold) {
  return {
    hold_id: each.holdId,
    record_id: each.recordId,
    task_no: each.taskNo,
    amount: each.amount,
    charge_mode: each.chargeMode,
    description: each.description,
    expires_at: formatTime(each.expiresMs),
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

async function settledFields(stream: string, settled: SettledHold, deps: LedgerDeps) {
  const settlement = await readCommand(deps.log, stream, settled.outcome.revision);
  const settled_at = formatTime(settlement.atMs);
  if (settled.outcome.status === 'canceled') {
    const { data } = find(settlement.events, 'HoldCanceled', settled.holdId);
    return { reason: data.reason, released: data.released, settled_at };
  }
  const found = find(settlement.events, 'HoldConfirmed', settled.holdId);
  const { actual_amount, released, waived } = found.data;
  return { actual_amount, released, waived, late: false, settled_at, ...transaction(found) };
}
