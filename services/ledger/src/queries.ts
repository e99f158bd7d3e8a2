import type { Request } from '@points/contracts/ledger-requests';
import type { Account, OpenHold } from '@points/domain/account/account';
import { isDue, summarize } from '@points/domain/account/batches';
import { effectiveTerms } from '@points/domain/account/hold-points';
import { membershipAt } from '@points/domain/account/membership';
import { mapSize, mapValues } from '@points/domain/persistent-map';
import { formatTime } from '@points/domain/time';
import { priceRequest, termsOf } from './account-endpoints.ts';
import { answer, durableState, timeOf } from './durable-state.ts';
import { type LedgerDeps, notReady } from './ledger-deps.ts';
import { type Outcome, refused } from './reply.ts';

const LISTED_HOLDS_MAX = 100;

/** The account's numbers now: due batches count as expired already. */
export async function balance(body: Request<'qry.balance'>, deps: LedgerDeps): Promise<Outcome> {
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  const nowMs = timeOf(account, deps);
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
    membership: membershipOf(account, nowMs),
    frozen: account.frozen,
    revision: account.revision,
  });
}

/** What a use would cost and whether the account affords it. Places nothing. */
export async function quote(body: Request<'qry.quote'>, deps: LedgerDeps): Promise<Outcome> {
  if (deps.prices.sources() === null) return notReady(deps);
  const durable = await durableState(body.account_id, deps);
  const { account } = durable;
  const nowMs = timeOf(account, deps);
  const terms = effectiveTerms(termsOf(priceRequest(body), deps), account, nowMs);
  if ('code' in terms) return refused(terms.code, terms.details);
  const { balance: settled, available } = summarize(account, nowMs);
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

function membershipOf(account: Account, nowMs: number) {
  const now = membershipAt(account, nowMs);
  return now === null
    ? null
    : {
        membership_type: now.membershipType,
        starts_at: formatTime(now.startsMs),
        ends_at: formatTime(now.lastEndsMs),
      };
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
