import type {
  BatchExpired,
  NewBatch,
  PointsAdjusted,
  PointsRecharged,
  RechargeReversed,
} from '@points/domain/account/events';
import { MAX_POINTS } from '@points/domain/pricing/price-use';
import { isDue } from './batch-books.ts';
import {
  type Ledger,
  checkEnd,
  checkTaken,
  makeBatch,
  owe,
  repayFromFree,
  spend,
} from './ledger.ts';
import { WrongBooksError, checkNumber } from './wrong-books.ts';

export function recharged(ledger: Ledger, data: PointsRecharged, now: string): void {
  const { source_ref, batches } = data;
  if (batches.length === 0) throw new WrongBooksError('a recharge of nothing');
  if (ledger.sources.has(source_ref))
    throw new WrongBooksError(`source_ref ${source_ref} is used twice`);
  ledger.options.onUse?.('source_ref', source_ref);
  let credited = 0;
  for (const batch of batches) {
    const isReward = batch.kind === 'reward';
    if (batch.kind !== 'bonus' && batch.kind !== 'paid' && !isReward)
      throw new WrongBooksError(`a recharge makes a batch of kind ${batch.kind}`);
    if (batch.kind !== 'bonus' && isReward !== (data.source === 'reward'))
      throw new WrongBooksError(`a batch of kind ${batch.kind} comes from ${data.source}`);
    addNew(ledger, batch, now, source_ref);
    credited += batch.points;
  }
  if (credited > MAX_POINTS) throw new WrongBooksError(`a recharge of ${credited} points`);
  ledger.sources.set(source_ref, {
    sourceRef: source_ref,
    orderNo: data.order_no ?? null,
    at: now,
    credited,
    expired: 0,
    reversed: false,
  });
  repayFromFree(ledger, data.debt_repaid, now);
}

export function reversed(ledger: Ledger, data: RechargeReversed, now: string): void {
  const { source_ref, allocations } = data;
  const source = ledger.sources.get(source_ref);
  if (source === undefined) throw new WrongBooksError(`there is no recharge ${source_ref}`);
  if (source.reversed) throw new WrongBooksError(`recharge ${source_ref} is reversed twice`);
  source.reversed = true;
  const owed = source.credited - source.expired;
  checkNumber('points', data.points, owed);
  checkNumber('expired_not_owed', data.expired_not_owed, source.expired);
  const own = checkTaken(ledger, allocations, 0, owed, now, (ref) => ref === source_ref);
  let taken = 0;
  for (const { points } of allocations.slice(0, own)) taken += points;
  const isOther = (ref: string | null) => ref !== source_ref;
  checkEnd(allocations, checkTaken(ledger, allocations, own, owed - taken, now, isOther));
  const debtAdded = owed - spend(ledger, allocations, 'reversed');
  checkNumber('debt_added', data.debt_added, debtAdded);
  checkDebtRef(data.debt_ref, `reversal:${source_ref}`);
  owe(ledger, data.debt_ref, debtAdded);
}

export function expired(ledger: Ledger, data: BatchExpired, now: string): void {
  const batch = ledger.batches.get(data.batch_id);
  if (!isDue(batch, now) || data.expired_at !== batch.expiresAt)
    throw new WrongBooksError(`batch ${data.batch_id} is due ${batch.expiresAt ?? 'never'}`);
  if (data.points < 1) throw new WrongBooksError(`${data.points} points expire`);
  checkNumber('points', data.points, batch.remaining - batch.pinned);
  checkNumber('pinned_left', data.pinned_left, batch.pinned);
  ledger.batches.take(batch, data.points, 'expired');
  const source = batch.sourceRef === null ? undefined : ledger.sources.get(batch.sourceRef);
  if (source !== undefined) source.expired += data.points;
}

export function adjusted(ledger: Ledger, data: PointsAdjusted, now: string): void {
  const { delta, batch, allocations } = data;
  if (delta === 0 || Math.abs(delta) > MAX_POINTS)
    throw new WrongBooksError(`an adjustment by ${delta} points`);
  checkDebtRef(data.debt_ref, `adjust:${ledger.commandId}`);
  if (delta > 0) {
    if (batch === null || batch.kind !== 'adjust' || batch.points !== delta)
      throw new WrongBooksError(`an adjustment by ${delta} points makes one batch of them`);
    checkEnd(allocations, 0);
    checkNumber('debt_added', data.debt_added, 0);
    addNew(ledger, batch, now, null);
    repayFromFree(ledger, data.debt_repaid, now);
    return;
  }
  const available = ledger.batches.free(now) - ledger.debt;
  if (!data.forced && available < -delta)
    throw new WrongBooksError(`${-delta} points are taken where ${available} are available`);
  if (batch !== null || data.debt_repaid.length > 0)
    throw new WrongBooksError('an adjustment downwards adds points');
  checkEnd(allocations, checkTaken(ledger, allocations, 0, -delta, now));
  const debtAdded = -delta - spend(ledger, allocations, 'adjusted');
  checkNumber('debt_added', data.debt_added, debtAdded);
  owe(ledger, data.debt_ref, debtAdded);
}

function addNew(ledger: Ledger, batch: NewBatch, now: string, sourceRef: string | null): void {
  makeBatch(ledger, {
    batchId: batch.batch_id,
    kind: batch.kind,
    points: batch.points,
    createdAt: now,
    expiresAt: batch.expires_at,
    sourceRef,
    originBatchId: null,
  });
}

function checkDebtRef(told: string, right: string): void {
  if (told !== right) throw new WrongBooksError(`debt_ref is ${told} and should be ${right}`);
}
