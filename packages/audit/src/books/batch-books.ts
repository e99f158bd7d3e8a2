import type { Allocation, BatchKind } from '@points/domain/account/events';
import { WrongBooksError } from './wrong-books.ts';

/** One batch from its first point on. points = remaining + consumed + repaid + reversed + adjusted + expired + moved_out − refunded (N3). */
export interface BatchBook {
  readonly batchId: string;
  readonly kind: BatchKind;
  readonly points: number;
  /** ISO-8601 UTC, as all times here. */
  readonly createdAt: string;
  /** Null = never. */
  readonly expiresAt: string | null;
  /** The recharge that the points came with, also over grace batches; null = an adjustment. */
  readonly sourceRef: string | null;
  /** The batch that a grace batch continues. */
  readonly originBatchId: string | null;
  readonly remaining: number;
  /** Of the remaining, what open holds reserve. */
  readonly pinned: number;
  readonly consumed: number;
  readonly repaid: number;
  readonly reversed: number;
  readonly adjusted: number;
  readonly expired: number;
  readonly refunded: number;
  /** Released points that came from, or went into, another batch. */
  readonly movedIn: number;
  readonly movedOut: number;
}

export type Use = 'consumed' | 'repaid' | 'reversed' | 'adjusted' | 'expired' | 'movedOut';

type Writable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
type Batch = Writable<BatchBook>;

/** Sums over all batches, kept as the batches change so that no event costs more in an account with a long past. */
export interface BatchSums extends Record<Use, number> {
  remaining: number;
  pinned: number;
  refunded: number;
  movedIn: number;
}

export type NewBatchBook = Pick<
  BatchBook,
  'batchId' | 'kind' | 'points' | 'createdAt' | 'expiresAt' | 'sourceRef' | 'originBatchId'
>;

/** The batches of one account. Every change is checked against N3; throws WrongBooksError. */
export class BatchBooks {
  /** Spent ones too: a refund may go back into them. */
  readonly all = new Map<string, Batch>();
  /** Those with points left, in spend order; so the due ones come first. */
  readonly live: Batch[] = [];
  readonly sums: BatchSums = {
    remaining: 0,
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

  add(batch: NewBatchBook): BatchBook {
    const { batchId, kind, points, createdAt, expiresAt, sourceRef, originBatchId } = batch;
    if (this.all.has(batchId)) throw new WrongBooksError(`batch ${batchId} is made twice`);
    if (!Number.isSafeInteger(points) || points < 1)
      throw new WrongBooksError(`batch ${batchId} is made of ${points} points`);
    if (expiresAt !== null && expiresAt <= createdAt)
      throw new WrongBooksError(`batch ${batchId} is due when it is made`);
    const added: Batch = {
      batchId,
      kind,
      points,
      createdAt,
      expiresAt,
      sourceRef,
      originBatchId,
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
    this.all.set(batchId, added);
    this.#revive(added);
    this.sums.remaining += points;
    return added;
  }

  get(batchId: string): Batch {
    const batch = this.all.get(batchId);
    if (batch === undefined) throw new WrongBooksError(`there is no batch ${batchId}`);
    return batch;
  }

  take(batch: Batch, points: number, use: Use): void {
    batch.remaining -= points;
    batch[use] += points;
    this.sums.remaining -= points;
    this.sums[use] += points;
    check(batch);
    if (batch.remaining === 0) this.live.splice(this.live.indexOf(batch), 1);
  }

  /** Gives spent points back to the batch they came from. */
  refund(batch: Batch, points: number): void {
    if (batch.remaining === 0) this.#revive(batch);
    batch.remaining += points;
    batch.refunded += points;
    this.sums.remaining += points;
    this.sums.refunded += points;
    check(batch);
  }

  movedIn(batchId: string): void {
    const batch = this.get(batchId);
    batch.movedIn += batch.points;
    this.sums.movedIn += batch.points;
  }

  pin(parts: readonly Allocation[]): void {
    for (const { batch_id, points } of parts) this.#pin(this.get(batch_id), points);
  }

  unpin(parts: readonly Allocation[]): void {
    for (const { batch_id, points } of parts) this.#pin(this.get(batch_id), -points);
  }

  /** Where the batches begin that are not due at that time. */
  firstNotDue(now: string): number {
    let index = 0;
    for (const batch of this.live) {
      if (!isDue(batch, now)) break;
      index += 1;
    }
    return index;
  }

  /** Free points that are not due at that time. */
  free(now: string): number {
    let free = this.sums.remaining - this.sums.pinned;
    for (const batch of this.live) {
      if (!isDue(batch, now)) break;
      free -= batch.remaining - batch.pinned;
    }
    return free;
  }

  /** Those free points, in spend order. */
  freeParts(now: string): Allocation[] {
    const parts: Allocation[] = [];
    for (let index = this.firstNotDue(now); index < this.live.length; index += 1) {
      const batch = this.live[index];
      if (batch !== undefined && batch.remaining > batch.pinned)
        parts.push({ batch_id: batch.batchId, points: batch.remaining - batch.pinned });
    }
    return parts;
  }

  #pin(batch: Batch, points: number): void {
    batch.pinned += points;
    this.sums.pinned += points;
    check(batch);
  }

  #revive(batch: Batch): void {
    let index = this.live.length;
    for (; index > 0; index -= 1) {
      const before = this.live[index - 1];
      if (before === undefined || inSpendOrder(before, batch) < 0) break;
    }
    this.live.splice(index, 0, batch);
  }
}

export function isDue(batch: Pick<BatchBook, 'expiresAt'>, now: string): boolean {
  return batch.expiresAt !== null && batch.expiresAt <= now;
}

/** N3, as far as a change could break it. */
function check(batch: Batch): void {
  if (batch.pinned < 0 || batch.pinned > batch.remaining || batch.remaining > batch.points) {
    throw new WrongBooksError(
      `batch ${batch.batchId} of ${batch.points} points would have ${batch.remaining} left and ${batch.pinned} of them pinned`,
    );
  }
}

/** Account rules §1: by expiry (never last), at equal expiry `paid` after the others, then by age, then by id. */
function inSpendOrder(a: BatchBook, b: BatchBook): number {
  if (a.expiresAt !== b.expiresAt) {
    if (a.expiresAt === null) return 1;
    if (b.expiresAt === null) return -1;
    return a.expiresAt < b.expiresAt ? -1 : 1;
  }
  const paid = Number(a.kind === 'paid') - Number(b.kind === 'paid');
  if (paid !== 0) return paid;
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.batchId < b.batchId ? -1 : 1;
}
