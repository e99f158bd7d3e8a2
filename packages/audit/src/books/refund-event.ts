import type { PointsRefunded } from '@points/domain/account/events';
import { type BatchBook, isDue } from './batch-books.ts';
import { addGrace } from './hold-events.ts';
import { type Ledger, goBackTo, reduceDebt, repayFromFree } from './ledger.ts';
import { WrongBooksError, checkNumber } from './wrong-books.ts';

/** Gives back a charge: what paid for it last is undone first. */
export function refunded(ledger: Ledger, data: PointsRefunded, now: string): void {
  const { hold_id, points } = data;
  if (points < 1) throw new WrongBooksError(`a refund of ${points} points`);
  for (const part of data.returns)
    if (part.points < 1) throw new WrongBooksError(`returns: a part of ${part.points} points`);

  const debtPlace = ledger.debts.findIndex((debt) => debt.debt_ref === hold_id);
  const fromDebt = Math.min(ledger.debts[debtPlace]?.points ?? 0, points);
  checkNumber('debt_canceled', data.debt_canceled, fromDebt);
  const otherwise = `hold ${hold_id} was not charged and is refunded`;
  if (!goBackTo(ledger, hold_id, { kind: 'refunded', data, now }, otherwise)) checkForgotten(data);
  if (fromDebt > 0) reduceDebt(ledger, debtPlace, fromDebt);
  addGraces(ledger, data, now);
  giveBack(ledger, data, now);
  repayFromFree(ledger, data.debt_repaid, now);
}

/** As far as the event can be judged by itself. */
function checkForgotten(data: PointsRefunded): void {
  if (data.refunded_total < data.points)
    throw new WrongBooksError(`refunded_total is ${data.refunded_total}`);
  let canceled = 0;
  let all = 0;
  for (const { from, points } of data.returns) {
    if (from === 'debt') canceled += points;
    all += points;
  }
  checkNumber('points', data.points, all);
  checkNumber('debt_canceled', data.debt_canceled, canceled);
}

function addGraces(ledger: Ledger, data: PointsRefunded, now: string): void {
  for (const grace of data.grace) {
    const { batch_id, origin_batch_id } = grace;
    let points = 0;
    for (const part of data.returns) {
      if (part.to !== batch_id) continue;
      if (part.from !== origin_batch_id)
        throw new WrongBooksError(`grace batch ${batch_id} continues two batches`);
      points += part.points;
    }
    checkNumber(`points of grace batch ${batch_id}`, grace.points, points);
    const origin = ledger.batches.get(origin_batch_id);
    if (!isDue(origin, now))
      throw new WrongBooksError(`grace for batch ${origin_batch_id}, which is not due`);
    addGrace(ledger, grace, now);
    ledger.graceRefunded += points;
  }
}

/** Debt cancels debt; the rest goes back to its batch or, when that is due, to a grace batch. */
function giveBack(ledger: Ledger, data: PointsRefunded, now: string): void {
  const emptied = new Set<BatchBook>();
  for (const { from, to, points } of data.returns) {
    if (from === 'debt') {
      if (to !== 'debt') throw new WrongBooksError(`returns: what is still debt goes to ${to}`);
      continue;
    }
    const batch = ledger.batches.get(from);
    if (isDue(batch, now)) {
      if (!data.grace.some((grace) => grace.batch_id === to))
        throw new WrongBooksError(`returns: points of due batch ${from} go to ${to}`);
      continue;
    }
    if (to !== from) throw new WrongBooksError(`returns: points of batch ${from} go to ${to}`);
    if (batch.remaining === 0) emptied.add(batch);
    ledger.batches.refund(batch, points);
  }
  checkReopened(ledger, data, emptied);
}

/** A batch that was empty is told again whole, for whoever has thrown it away. */
function checkReopened(ledger: Ledger, data: PointsRefunded, emptied: Set<BatchBook>): void {
  for (const told of data.reopened) {
    const batch = ledger.batches.get(told.batch_id);
    if (!emptied.delete(batch))
      throw new WrongBooksError(`reopened: batch ${told.batch_id} was not empty`);
    if (
      told.kind !== batch.kind ||
      told.points !== batch.points ||
      told.expires_at !== batch.expiresAt ||
      told.created_at !== batch.createdAt ||
      (told.source_ref ?? null) !== batch.sourceRef ||
      (told.origin_batch_id ?? null) !== batch.originBatchId
    ) {
      throw new WrongBooksError(`reopened: batch ${told.batch_id} is told otherwise than it is`);
    }
  }
  for (const { batchId } of emptied)
    throw new WrongBooksError(`reopened: batch ${batchId} was empty and is missing`);
}
