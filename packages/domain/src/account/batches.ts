import type { Account, Batch } from './account.ts';
import type { Allocation, DebtRepayment } from './events.ts';

/** Sums stay safe integers: at 9e15 an account is full. */
export const MAX_BALANCE = 9_000_000_000_000_000;

/**
 * Spend order: earliest expiry first (never last); at equal expiry every other kind before `paid`; then oldest; then
 * batch id. Negative when `a` is spent before `b`.
 */
export function inSpendOrder(a: Batch, b: Batch): number {
  if (a.expiresMs !== b.expiresMs) {
    if (a.expiresMs === null) return 1;
    if (b.expiresMs === null) return -1;
    return a.expiresMs - b.expiresMs;
  }
  const paid = Number(a.kind === 'paid') - Number(b.kind === 'paid');
  if (paid !== 0) return paid;
  if (a.createdMs !== b.createdMs) return a.createdMs - b.createdMs;
  return a.batchId < b.batchId ? -1 : Number(a.batchId > b.batchId);
}

export function isDue(batch: Pick<Batch, 'expiresMs'>, nowMs: number): boolean {
  return batch.expiresMs !== null && batch.expiresMs <= nowMs;
}

export function freeOf(batch: Batch): number {
  return batch.remaining - batch.pinned;
}

/** The account's numbers at a time; see `summarize`. */
export interface Summary {
  readonly balance: number;
  readonly held: number;
  /** balance − held; negative while debt is larger than what is held. */
  readonly available: number;
  readonly debt: number;
}

/**
 * The account's numbers with every due batch counted as if it had expired already. A clock that is behind the
 * account's last event counts as the time of that event.
 */
export function summarize(account: Account, clockMs: number): Summary {
  const nowMs = Math.max(clockMs, account.lastEventMs);
  let due = 0;
  for (const batch of account.batches) if (isDue(batch, nowMs)) due += freeOf(batch);
  const balance = account.balance - due;
  return { balance, held: account.held, available: balance - account.held, debt: account.debt };
}

/** Free points of batches that are not due, in spend order. */
export function freePoints(batches: readonly Batch[], nowMs: number): Allocation[] {
  const free: Allocation[] = [];
  for (const batch of batches) {
    if (!isDue(batch, nowMs) && freeOf(batch) > 0)
      free.push({ batch_id: batch.batchId, points: freeOf(batch) });
  }
  return free;
}

/** Splits `sources` into the first `points` of them and the rest, keeping the order. */
export function splitAllocations(
  sources: readonly Allocation[],
  points: number,
): { taken: Allocation[]; rest: Allocation[] } {
  const taken: Allocation[] = [];
  const rest: Allocation[] = [];
  let wanted = points;
  for (const source of sources) {
    const part = Math.min(wanted, source.points);
    wanted -= part;
    if (part > 0) taken.push({ batch_id: source.batch_id, points: part });
    if (part < source.points)
      rest.push({ batch_id: source.batch_id, points: source.points - part });
  }
  return { taken, rest };
}

/** Repays the account's debts, oldest first, from `sources` in their order; `rest` is what is left of the sources. */
export function repayDebts(
  account: Account,
  sources: readonly Allocation[],
): { repaid: DebtRepayment[]; rest: Allocation[] } {
  const repaid: DebtRepayment[] = [];
  let rest = [...sources];
  for (const debt of account.debts) {
    const split = splitAllocations(rest, debt.points);
    for (const part of split.taken)
      repaid.push({ debt_ref: debt.debtRef, batch_id: part.batch_id, points: part.points });
    rest = split.rest;
  }
  return { repaid, rest };
}

export function sumPoints(allocations: readonly { readonly points: number }[]): number {
  let sum = 0;
  for (const { points } of allocations) sum += points;
  return sum;
}
