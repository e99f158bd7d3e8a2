import { strict as assert } from 'node:assert';
import type {
  Allocation,
  BatchExpired,
  PointsAdjusted,
  PointsRecharged,
  PointsRefunded,
  RechargeReversed,
} from '../account/events.ts';
import {
  type AuditedBatch,
  type Books,
  type Charge,
  addBatch,
  availableOf,
  batchOf,
  freeOf,
  freePoints,
  inSpendOrder,
  isDue,
  owe,
  repay,
  spend,
  sumPoints,
  take,
} from './audit-books.ts';
import { addGrace } from './audit-holds.ts';

export function recharged(books: Books, data: PointsRecharged, now: string): void {
  assert(data.batches.length > 0, 'a recharge of nothing');
  assert(!books.sources.has(data.source_ref), 'source_ref twice');
  books.sources.set(data.source_ref, { reversed: false });
  for (const batch of data.batches) {
    const { kind, points } = batch;
    if (kind !== 'bonus')
      assert.equal(data.source === 'reward', kind === 'reward', 'source and kind');
    if (kind === 'paid') books.total.paid += points;
    else if (kind === 'bonus') books.total.bonus += points;
    else if (kind === 'reward') books.total.rewarded += points;
    else assert.fail(`a recharge of ${kind}`);
    addBatch(books, {
      id: batch.batch_id,
      kind,
      points,
      createdAt: now,
      expiresAt: batch.expires_at,
      sourceRef: data.source_ref,
    });
  }
  repay(books, data.debt_repaid, freePoints(books, now));
}

export function reversed(books: Books, data: RechargeReversed, now: string): void {
  const source = books.sources.get(data.source_ref);
  assert(source, 'reversed without a recharge');
  assert(!source.reversed, 'reversed twice');
  source.reversed = true;
  const family = inSpendOrder(books.batches.values()).filter(
    (batch) => batch.sourceRef === data.source_ref,
  );
  const credited = family.filter((batch) => batch.kind !== 'grace');
  const expiredPoints = family.reduce((so, batch) => so + batch.expired, 0);
  const owed = sumPoints(credited) - expiredPoints;
  assert.equal(data.points, owed, 'owed');
  assert.equal(data.expired_not_owed, expiredPoints, 'expired_not_owed');
  const free = freePoints(books, now);
  const own = (part: Allocation) => batchOf(books, part.batch_id).sourceRef === data.source_ref;
  const ownFirst = [...free.filter(own), ...free.filter((part) => !own(part))];
  assert.deepEqual(data.allocations, take(ownFirst, owed).taken, 'own batches first');
  assert.equal(data.debt_added, owed - sumPoints(data.allocations), 'debt_added');
  assert.equal(data.debt_ref, `reversal:${data.source_ref}`);
  spend(books, data.allocations, 'reversed');
  owe(books, data.debt_ref, data.debt_added);
  books.total.reversed += owed;
}

export function expired(books: Books, data: BatchExpired, now: string): void {
  const batch = batchOf(books, data.batch_id);
  assert(isDue(batch, now), 'expired before its time');
  assert.equal(data.expired_at, batch.expiresAt);
  assert.equal(data.points, freeOf(batch).points, 'all of its free points');
  assert(data.points > 0, 'nothing to expire');
  assert.equal(data.pinned_left, batch.pinned);
  batch.remaining -= data.points;
  batch.expired += data.points;
  books.total.expired += data.points;
}

export function refunded(books: Books, data: PointsRefunded, now: string): void {
  const charge = books.charges.get(data.hold_id);
  assert(charge, 'refund without a charge');
  assert(data.points > 0, 'a refund of nothing');
  charge.refunded += data.points;
  assert(charge.refunded <= charge.points, 'refunded more than was charged');
  assert.equal(data.refunded_total, charge.refunded, 'refunded_total');

  const undone = undo(books, data, charge);
  checkTargets(books, data, now);
  for (const grace of data.grace) {
    const { batch_id, origin_batch_id, points } = grace;
    const parts = data.returns.filter((part) => part.to === batch_id);
    assert.equal(sumPoints(parts), points, 'points of a grace batch');
    assert(
      parts.every((part) => part.from === origin_batch_id),
      'a grace batch of two origins',
    );
    assert(isDue(batchOf(books, origin_batch_id), now), 'grace of a batch that is not due');
    addGrace(books, grace, now);
    books.total.graceRefunded += points;
  }
  const emptied = new Set<AuditedBatch>();
  for (const { batch_id, points } of undone) {
    const batch = batchOf(books, batch_id);
    if (isDue(batch, now)) continue;
    if (batch.remaining === 0) emptied.add(batch);
    batch.remaining += points;
    batch.refunded += points;
  }
  checkReopened(data, emptied);
  repay(books, data.debt_repaid, freePoints(books, now));
  books.total.refunded += data.points;
  if (data.as_failure) failed(books, data.hold_id, now);
}

/** Undoes what paid for the charge, last first, beginning with what is still debt; gives the batches' parts. */
function undo(books: Books, data: PointsRefunded, charge: Charge): Allocation[] {
  const fromDebt = Math.min(charge.debt, data.points);
  const backwards = take(charge.funding.toReversed(), data.points - fromDebt);
  const expected = [
    ...(fromDebt > 0 ? [{ batch_id: 'debt', points: fromDebt }] : []),
    ...backwards.taken,
  ];
  assert.deepEqual(
    merged(data.returns.map(({ from, points }) => ({ batch_id: from, points }))),
    merged(expected),
    'funding undone in reverse order',
  );
  charge.funding = backwards.rest.toReversed();
  charge.debt -= fromDebt;
  assert.equal(data.debt_canceled, fromDebt, 'debt_canceled');
  books.total.debtCanceled += fromDebt;
  const index = books.debts.findIndex((debt) => debt.ref === data.hold_id);
  const debt = books.debts[index];
  assert(fromDebt === 0 || debt !== undefined, 'no debt of that charge');
  if (debt !== undefined) debt.points -= fromDebt;
  if (debt?.points === 0) books.debts.splice(index, 1);
  return backwards.taken;
}

/** Neighbours of the same batch as one: how a list is cut up says nothing. */
function merged(parts: readonly Allocation[]): Allocation[] {
  const result: Allocation[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (last?.batch_id !== part.batch_id) result.push(part);
    else result[result.length - 1] = { ...last, points: last.points + part.points };
  }
  return result;
}

/** Every part of debt cancels debt; the others go back to their batch or, when that is due, to a grace batch. */
function checkTargets(books: Books, data: PointsRefunded, now: string): void {
  for (const { from, to } of data.returns) {
    if (from === 'debt') assert.equal(to, 'debt');
    else if (!isDue(batchOf(books, from), now)) assert.equal(to, from);
    else
      assert(
        data.grace.some((grace) => grace.batch_id === to),
        'due points given back',
      );
  }
}

/** The charge never stood: the hold counts as canceled. */
function failed(books: Books, holdId: string, at: string): void {
  const outcome = books.done.get(holdId);
  assert(outcome?.status === 'confirmed', 'a failure of a hold that was not charged');
  const { placed } = outcome;
  assert.equal(placed.failure_policy, 'charge_then_refund', 'failure policy');
  books.done.set(holdId, { status: 'canceled', reason: 'failed', at, placed, lateHold: null });
}

/** A batch that was empty is told again whole, for whoever has thrown it away. */
function checkReopened(data: PointsRefunded, emptied: ReadonlySet<AuditedBatch>): void {
  const told = data.reopened.map((batch) => ({
    id: batch.batch_id,
    kind: batch.kind,
    points: batch.points,
    expiresAt: batch.expires_at,
    createdAt: batch.created_at,
    sourceRef: batch.source_ref ?? null,
  }));
  const expected = [...emptied].map(({ id, kind, points, expiresAt, createdAt, sourceRef }) => ({
    id,
    kind,
    points,
    expiresAt,
    createdAt,
    sourceRef,
  }));
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  assert.deepEqual(told.toSorted(byId), expected.toSorted(byId), 'reopened');
}

export function adjusted(books: Books, data: PointsAdjusted, now: string, commandId: string): void {
  const { delta, batch } = data;
  assert(Number.isSafeInteger(delta) && delta !== 0, 'an adjustment of nothing');
  assert.equal(data.debt_ref, `adjust:${commandId}`);
  if (delta > 0) {
    assert(batch !== null && batch.kind === 'adjust' && batch.points === delta, 'one adjust batch');
    assert.deepEqual([data.allocations, data.debt_added], [[], 0]);
    const { batch_id: id, kind, points, expires_at: expiresAt } = batch;
    addBatch(books, { id, kind, points, expiresAt, createdAt: now, sourceRef: null });
    repay(books, data.debt_repaid, freePoints(books, now));
    books.total.adjustedUp += delta;
    return;
  }
  assert(data.forced || availableOf(books, now) >= -delta, 'adjusted below what is available');
  assert.deepEqual([batch, data.debt_repaid], [null, []]);
  assert.deepEqual(data.allocations, take(freePoints(books, now), -delta).taken, 'spend order');
  assert.equal(data.debt_added, -delta - sumPoints(data.allocations), 'debt_added');
  spend(books, data.allocations, 'adjusted');
  owe(books, data.debt_ref, data.debt_added);
  books.total.adjustedDown -= delta;
}
