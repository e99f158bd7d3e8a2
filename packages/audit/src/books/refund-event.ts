import type { Allocation, PointsRefunded } from '@points/domain/account/events';
import { type BatchBook, isDue } from './batch-books.ts';
import { addGrace } from './hold-events.ts';
import { type Ledger, checkNumber, recall, reduceDebt, repayFromFree } from './ledger.ts';
import type { SettledHold } from './settled-holds.ts';
import { WrongBooksError } from './wrong-books.ts';

type Charge = SettledHold & { status: 'confirmed' };

/** Gives back a charge: what paid for it last is undone first. */
export function refunded(ledger: Ledger, data: PointsRefunded, now: string): void {
  const { hold_id, points } = data;
  if (points < 1) throw new WrongBooksError(`a refund of ${points} points`);
  const charge = recall(ledger, hold_id, `hold ${hold_id} was not charged and is refunded`);
  if (charge !== null && charge.status !== 'confirmed')
    throw new WrongBooksError(`hold ${hold_id} was canceled and is refunded`);
  for (const part of data.returns)
    if (part.points < 1) throw new WrongBooksError(`returns: a part of ${part.points} points`);

  const debtPlace = ledger.debts.findIndex((debt) => debt.debt_ref === hold_id);
  const fromDebt = Math.min(ledger.debts[debtPlace]?.points ?? 0, points);
  checkNumber('debt_canceled', data.debt_canceled, fromDebt);
  if (charge === null) checkForgotten(data);
  else undo(data, charge);
  if (fromDebt > 0) reduceDebt(ledger, debtPlace, fromDebt);
  addGraces(ledger, data, now);
  giveBack(ledger, data, now);
  repayFromFree(ledger, data.debt_repaid, now);
  if (data.as_failure) failed(ledger, data, charge, now);
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

function undo(data: PointsRefunded, charge: Charge): void {
  const { points, debt_canceled: fromDebt } = data;
  charge.refunded += points;
  if (charge.refunded > charge.charged)
    throw new WrongBooksError(
      `${charge.refunded} points of a charge of ${charge.charged} are refunded`,
    );
  checkNumber('refunded_total', data.refunded_total, charge.refunded);
  checkNumber('debt_canceled', fromDebt, Math.min(charge.debt, points));
  const expected: Allocation[] = fromDebt > 0 ? [{ batch_id: 'debt', points: fromDebt }] : [];
  let missing = points - fromDebt;
  while (missing > 0) {
    const last = charge.funding.pop();
    if (last === undefined) throw new WrongBooksError('a refund of more than was paid');
    const part = Math.min(missing, last.points);
    expected.push({ batch_id: last.batch_id, points: part });
    missing -= part;
    if (part < last.points)
      charge.funding.push({ batch_id: last.batch_id, points: last.points - part });
  }
  charge.debt -= fromDebt;
  checkUndone(data, expected);
}

/** How a list is cut up says nothing: neighbours of one batch count as one part. */
function checkUndone(data: PointsRefunded, expected: readonly Allocation[]): void {
  const told = merged(data.returns.map(({ from, points }) => ({ batch_id: from, points })));
  const right = merged(expected);
  const place = right.findIndex(
    (part, index) => told[index]?.batch_id !== part.batch_id || told[index].points !== part.points,
  );
  if (place === -1 && told.length === right.length) return;
  const next = right[place];
  throw new WrongBooksError(
    next === undefined
      ? 'returns: more is undone than is refunded'
      : `returns: next to be undone, latest first, are ${next.points} points of ${next.batch_id}`,
  );
}

function merged(parts: readonly Allocation[]): Allocation[] {
  const result: Allocation[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (last?.batch_id !== part.batch_id) result.push(part);
    else result[result.length - 1] = { ...last, points: last.points + part.points };
  }
  return result;
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

/** The charge never stood: the hold counts as canceled. */
function failed(
  ledger: Ledger,
  { hold_id }: PointsRefunded,
  charge: Charge | null,
  now: string,
): void {
  if (charge === null) return;
  if (charge.failurePolicy !== 'charge_then_refund')
    throw new WrongBooksError(`a failure of hold ${hold_id} is canceled, not charged and refunded`);
  ledger.memory.holds.set(hold_id, {
    status: 'canceled',
    reason: 'failed',
    at: now,
    placed: null,
    lateHold: null,
  });
}
