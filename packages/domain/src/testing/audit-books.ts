import { strict as assert } from 'node:assert';
import type { Allocation, DebtRepayment, PointsHeld } from '../account/events.ts';

/** The auditor's naive books: whole lists, no indexes, nothing shared with the domain's arithmetic. */
export interface Books {
  readonly batches: Map<string, AuditedBatch>;
  readonly open: Map<string, PointsHeld>;
  /** Holds that have their outcome, and tombstones. */
  readonly done: Set<string>;
  readonly debts: { ref: string; points: number }[];
  readonly total: Record<
    'paid' | 'bonus' | 'rewarded' | 'consumed' | 'expired' | 'debtIncurred' | 'debtRepaid',
    number
  >;
  lastTime: string;
}

export interface AuditedBatch {
  readonly id: string;
  readonly points: number;
  readonly expiresAt: string | null;
  /** Sorts batches in spend order: by expiry (never last), paid after the others, by age, by id. */
  readonly spendKey: string;
  remaining: number;
  pinned: number;
  consumed: number;
  repaid: number;
  expired: number;
  /** Came from, or went into, another batch: a transfer, on both sides of the sums. */
  movedIn: number;
  movedOut: number;
}

export function openBooks(): Books {
  return {
    batches: new Map(),
    open: new Map(),
    done: new Set(),
    debts: [],
    total: {
      paid: 0,
      bonus: 0,
      rewarded: 0,
      consumed: 0,
      expired: 0,
      debtIncurred: 0,
      debtRepaid: 0,
    },
    lastTime: '',
  };
}

export function addBatch(
  books: Books,
  id: string,
  points: number,
  expiresAt: string | null,
  createdAt: string,
  isPaid: boolean,
): AuditedBatch {
  assert(!books.batches.has(id), `batch ${id} twice`);
  assert(Number.isSafeInteger(points) && points > 0, `batch ${id} of ${points}`);
  const batch: AuditedBatch = {
    id,
    points,
    expiresAt,
    spendKey: [expiresAt ?? '~', isPaid ? 1 : 0, createdAt, id].join(' '),
    remaining: points,
    pinned: 0,
    consumed: 0,
    repaid: 0,
    expired: 0,
    movedIn: 0,
    movedOut: 0,
  };
  books.batches.set(id, batch);
  return batch;
}

export function openHold(books: Books, holdId: string): PointsHeld {
  const hold = books.open.get(holdId);
  assert(hold, `terminal event of a hold that is not open: ${holdId}`);
  return hold;
}

export function closeHold(books: Books, hold: PointsHeld): void {
  for (const { batch_id, points } of hold.allocations) batchOf(books, batch_id).pinned -= points;
  books.open.delete(hold.hold_id);
  books.done.add(hold.hold_id);
}

/** Repays the oldest debts from `sources` in their order, asserts that `repaid` says so, and gives what is left. */
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
  for (const { batch_id, points } of expected) {
    batchOf(books, batch_id).remaining -= points;
    batchOf(books, batch_id).repaid += points;
    books.total.debtRepaid += points;
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
  return [...books.batches.values()]
    .filter((batch) => !isDue(batch, now) && batch.remaining > batch.pinned)
    .toSorted((a, b) => (a.spendKey < b.spendKey ? -1 : 1))
    .map(freeOf);
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

export function sumPoints(parts: readonly { readonly points: number }[]): number {
  return parts.reduce((so, part) => so + part.points, 0);
}
