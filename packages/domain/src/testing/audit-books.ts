import { strict as assert } from 'node:assert';
import type {
  Allocation,
  BatchKind,
  CancelReason,
  DebtRepayment,
  PointsHeld,
} from '../account/events.ts';

/** The auditor's naive books: whole lists, no indexes, nothing shared with the domain's arithmetic, nothing forgotten. */
export interface Books {
  readonly batches: Map<string, AuditedBatch>;
  readonly open: Map<string, AuditedHold>;
  /** Holds that have their outcome, and tombstones. */
  readonly done: Map<string, AuditedOutcome>;
  /** By hold id. */
  readonly charges: Map<string, Charge>;
  /** Recharges by source_ref. */
  readonly sources: Map<string, { reversed: boolean }>;
  readonly orders: Set<string>;
  readonly debts: { readonly ref: string; points: number }[];
  readonly total: Record<Total, number>;
  frozen: boolean;
  /** null = never a member. */
  memberUntil: string | null;
}

type Total =
  | 'paid'
  | 'bonus'
  | 'rewarded'
  | 'reversed'
  | 'consumed'
  | 'refunded'
  | 'expired'
  | 'adjustedUp'
  | 'adjustedDown'
  | 'debtIncurred'
  | 'debtRepaid'
  | 'debtCanceled'
  /** Refunds that made grace batches, because the batch they came from was due. */
  | 'graceRefunded';

export interface AuditedBatch {
  readonly id: string;
  readonly kind: BatchKind;
  readonly points: number;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** What it came with, also over grace batches; null = an adjustment. */
  readonly sourceRef: string | null;
  /** The batch that a grace batch continues. */
  readonly originId: string | null;
  /** Sorts batches in spend order: by expiry (never last), paid after the others, by age, by id. */
  readonly spendKey: string;
  remaining: number;
  pinned: number;
  consumed: number;
  repaid: number;
  reversed: number;
  adjusted: number;
  expired: number;
  refunded: number;
  /** Came from, or went into, another batch: a transfer, on both sides of the sums. */
  movedIn: number;
  movedOut: number;
}

export interface AuditedHold {
  readonly placed: PointsHeld;
  expiresAt: string;
}

export type AuditedOutcome =
  | { readonly status: 'confirmed'; readonly placed: PointsHeld }
  | {
      readonly status: 'canceled';
      readonly reason: CancelReason;
      readonly at: string;
      /** Null = a tombstone. */
      readonly placed: PointsHeld | null;
      /** The hold that a late confirm placed for it. */
      lateHold: string | null;
    };

/** What one confirmed hold cost, and who paid: in the order of the charge, what is still debt at the end. */
export interface Charge {
  readonly points: number;
  refunded: number;
  funding: Allocation[];
  debt: number;
}

export function openBooks(): Books {
  return {
    batches: new Map(),
    open: new Map(),
    done: new Map(),
    charges: new Map(),
    sources: new Map(),
    orders: new Set(),
    debts: [],
    total: {
      paid: 0,
      bonus: 0,
      rewarded: 0,
      reversed: 0,
      consumed: 0,
      refunded: 0,
      expired: 0,
      adjustedUp: 0,
      adjustedDown: 0,
      debtIncurred: 0,
      debtRepaid: 0,
      debtCanceled: 0,
      graceRefunded: 0,
    },
    frozen: false,
    memberUntil: null,
  };
}

export function addBatch(
  books: Books,
  batch: Pick<AuditedBatch, 'id' | 'kind' | 'points' | 'createdAt' | 'expiresAt' | 'sourceRef'> &
    Partial<Pick<AuditedBatch, 'originId'>>,
): AuditedBatch {
  const { id, kind, points, createdAt, expiresAt } = batch;
  assert(!books.batches.has(id), `batch ${id} twice`);
  assert(Number.isSafeInteger(points) && points > 0, `batch ${id} of ${points}`);
  assert(expiresAt === null || expiresAt > createdAt, 'a batch that is due at once');
  const added: AuditedBatch = {
    originId: null,
    ...batch,
    spendKey: [expiresAt ?? '~', kind === 'paid' ? 1 : 0, createdAt, id].join(' '),
    remaining: points,
    pinned: 0,
    consumed: 0,
    repaid: 0,
    reversed: 0,
    adjusted: 0,
    expired: 0,
    refunded: 0,
    movedIn: 0,
    movedOut: 0,
  };
  books.batches.set(id, added);
  return added;
}

export function openHold(books: Books, holdId: string): AuditedHold {
  const hold = books.open.get(holdId);
  assert(hold, `an event of a hold that is not open: ${holdId}`);
  return hold;
}

export function closeHold(books: Books, { placed }: AuditedHold, outcome: AuditedOutcome): void {
  assert(!books.done.has(placed.hold_id), `two outcomes of hold ${placed.hold_id}`);
  for (const { batch_id, points } of placed.allocations) batchOf(books, batch_id).pinned -= points;
  books.open.delete(placed.hold_id);
  books.done.set(placed.hold_id, outcome);
}

/** Takes points out of batches and writes down what for. */
export function spend(
  books: Books,
  parts: readonly Allocation[],
  on: 'consumed' | 'reversed' | 'adjusted',
): void {
  for (const { batch_id, points } of parts) {
    batchOf(books, batch_id).remaining -= points;
    batchOf(books, batch_id)[on] += points;
  }
}

export function owe(books: Books, ref: string, points: number): void {
  if (points > 0) books.debts.push({ ref, points });
  books.total.debtIncurred += points;
}

/**
 * Repays the oldest debts from `sources` in their order, asserts that `repaid` says so, and gives what is left. Whoever
 * repays the debt of a charge has paid for that charge.
 */
export function repay(
  books: Books,
  repaid: readonly DebtRepayment[],
  sources: readonly Allocation[],
): Allocation[] {
  let rest = [...sources];
  const expected: DebtRepayment[] = [];
  for (const debt of books.debts) {
    const split = take(rest, debt.points);
    for (const part of split.taken) expected.push({ debt_ref: debt.ref, ...part });
    debt.points -= sumPoints(split.taken);
    rest = split.rest;
  }
  assert.deepEqual(repaid, expected, 'debt_repaid');
  while (books.debts[0]?.points === 0) books.debts.shift();
  for (const { debt_ref, batch_id, points } of expected) {
    batchOf(books, batch_id).remaining -= points;
    batchOf(books, batch_id).repaid += points;
    books.total.debtRepaid += points;
    const charge = books.charges.get(debt_ref);
    charge?.funding.push({ batch_id, points });
    if (charge !== undefined) charge.debt -= points;
  }
  return rest;
}

export function take(
  sources: readonly Allocation[],
  points: number,
): { taken: Allocation[]; rest: Allocation[] } {
  const taken: Allocation[] = [];
  const rest: Allocation[] = [];
  for (const source of sources) {
    const part = Math.min(points - sumPoints(taken), source.points);
    if (part > 0) taken.push({ ...source, points: part });
    if (part < source.points) rest.push({ ...source, points: source.points - part });
  }
  return { taken, rest };
}

/** Free points that are not due, in spend order. */
export function freePoints(books: Books, now: string): Allocation[] {
  return inSpendOrder(books.batches.values())
    .filter((batch) => !isDue(batch, now) && batch.remaining > batch.pinned)
    .map(freeOf);
}

export function inSpendOrder(batches: Iterable<AuditedBatch>): AuditedBatch[] {
  return [...batches].toSorted((a, b) => (a.spendKey < b.spendKey ? -1 : 1));
}

export function freeOf(batch: AuditedBatch): Allocation {
  return { batch_id: batch.id, points: batch.remaining - batch.pinned };
}

export function isDue(batch: AuditedBatch, now: string): boolean {
  return batch.expiresAt !== null && batch.expiresAt <= now;
}

export function batchOf(books: Books, id: string): AuditedBatch {
  const batch = books.batches.get(id);
  assert(batch, `unknown batch ${id}`);
  return batch;
}

export function balanceOf(books: Books): number {
  let remaining = 0;
  for (const batch of books.batches.values()) remaining += batch.remaining;
  return remaining - sumPoints(books.debts);
}

export function availableOf(books: Books, now: string): number {
  return sumPoints(freePoints(books, now)) - sumPoints(books.debts);
}

export function sumPoints(parts: readonly { readonly points: number }[]): number {
  return parts.reduce((so, part) => so + part.points, 0);
}
