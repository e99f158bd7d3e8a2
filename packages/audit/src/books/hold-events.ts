import type {
  Allocation,
  GraceBatch,
  HoldCanceled,
  HoldConfirmed,
  HoldExtended,
  PointsHeld,
} from '@points/domain/account/events';
import { parseDecimal } from '@points/domain/pricing/decimal';
import { MAX_POINTS, priceUse } from '@points/domain/pricing/price-use';
import { DAY_MS } from '@points/domain/time';
import { type BatchBook, isDue } from './batch-books.ts';
import {
  type Ledger,
  type OpenHold,
  checkEnd,
  checkPart,
  checkTaken,
  goBackTo,
  makeBatch,
  owe,
  repay,
  settle,
  spend,
  useHoldId,
} from './ledger.ts';
import { WrongBooksError, checkNumber } from './wrong-books.ts';

const GRACE_MS = 7 * DAY_MS;
/** Sums stay safe integers: no overage takes the debt beyond this. */
const MAX_DEBT = 9_000_000_000_000_000;

export function held(ledger: Ledger, data: PointsHeld, now: string): void {
  const { hold_id, amount, late_of, allocations } = data;
  useHoldId(ledger, hold_id);
  if (amount < 0 || amount > MAX_POINTS) throw new WrongBooksError(`a hold of ${amount} points`);
  if (late_of !== undefined)
    goBackTo(
      ledger,
      late_of,
      { kind: 'confirmed_late', data, now },
      `hold ${late_of}, confirmed late, never expired`,
    );
  else if (ledger.frozenSince !== null)
    throw new WrongBooksError('a hold is placed on a frozen account');
  if (late_of === undefined && (data.charge_mode === 'charged') !== amount >= 1)
    throw new WrongBooksError(`a hold of ${amount} points is ${data.charge_mode}`);
  const available = ledger.batches.free(now) - ledger.debt;
  if (amount > 0 && amount > available)
    throw new WrongBooksError(`${amount} points are held where ${available} are available`);
  checkEnd(allocations, checkTaken(ledger, allocations, 0, amount, now));
  if (data.expires_at < now) throw new WrongBooksError('a hold expires before it is placed');
  if (data.expires_at > data.max_expires_at)
    throw new WrongBooksError('a hold expires after the longest life that it may have');
  if (!(Date.parse(data.max_expires_at) <= Date.parse(now) + DAY_MS))
    throw new WrongBooksError('a hold may live longer than 24 hours');
  ledger.batches.pin(allocations);
  ledger.held += amount;
  ledger.openHolds.set(hold_id, { placed: data, expiresAt: data.expires_at });
}

export function confirmed(ledger: Ledger, data: HoldConfirmed, now: string): void {
  const hold = openHold(ledger, data.hold_id);
  const { placed } = hold;
  const { requested_amount: requested, allocations } = data;
  const { amount } = placed;
  checkNumber('held_amount', data.held_amount, amount);
  if (data.late_of !== placed.late_of) throw new WrongBooksError('late_of is not that of the hold');
  if (placed.late_of !== undefined && requested !== amount)
    throw new WrongBooksError('a late confirm charges all that it asks for, or nothing');
  checkRequested(data, placed);
  const beyond = Math.max(0, requested - amount);
  if (beyond > 0 && placed.overage === 'reject')
    throw new WrongBooksError('the hold rejects overage');

  const free = ledger.batches.free(now);
  let place = 0;
  let used = 0;
  for (const pin of placed.allocations) {
    const points = Math.min(pin.points, requested - used);
    if (points === 0) break;
    checkPart(allocations[place], pin.batch_id, points);
    place += 1;
    used += points;
  }
  const wanted =
    placed.overage === 'cap' ? Math.min(beyond, Math.max(0, free - ledger.debt)) : beyond;
  const extra = Math.min(wanted, free);
  checkEnd(allocations, checkTaken(ledger, allocations, place, extra, now));
  const floor = Math.min(placed.debt_floor ?? MAX_DEBT, MAX_DEBT);
  const room = Math.max(0, floor - ledger.debt);
  const debtAdded = placed.overage === 'debt' ? Math.min(beyond - extra, room) : 0;
  const charged = used + extra + debtAdded;
  checkNumber('debt_added', data.debt_added, debtAdded);
  checkNumber('actual_amount', data.actual_amount, charged);
  checkNumber('waived', data.waived, requested - charged);
  checkNumber('released', data.released, Math.max(0, amount - requested));
  checkNumber('overage', data.overage, Math.max(0, charged - amount));

  close(ledger, hold);
  spend(ledger, allocations, 'consumed');
  const released = data.released === 0 ? [] : without(placed.allocations, used);
  repay(ledger, data.debt_repaid, released);
  owe(ledger, data.hold_id, debtAdded);
  settle(ledger, data.hold_id, {
    status: 'confirmed',
    failurePolicy: placed.failure_policy,
    charged,
    refunded: 0,
    funding: [...allocations],
    debt: debtAdded,
  });
}

/** A measured use costs what the price of the hold says, whatever the prices are by now. */
function checkRequested(data: HoldConfirmed, { charge_mode, price }: PointsHeld): void {
  const { requested_amount: requested, quantity, duration_ms } = data;
  if (requested < 0) throw new WrongBooksError(`requested_amount is ${requested}`);
  if (charge_mode !== 'charged') return checkNumber('requested_amount', requested, 0);
  if (quantity === undefined && duration_ms === undefined) return;
  if (quantity !== undefined && duration_ms !== undefined)
    throw new WrongBooksError('use is measured both as quantity and as duration');
  if ((quantity ?? duration_ms ?? 0) < 0) throw new WrongBooksError('use is less than nothing');
  if (parseDecimal(price.unit_price) === null)
    throw new WrongBooksError(`unit_price is not a price: ${price.unit_price}`);
  const cost = priceUse(
    price,
    quantity === undefined
      ? { kind: 'duration', durationMs: duration_ms ?? 0 }
      : { kind: 'quantity', quantity },
  );
  if (!cost.ok) throw new WrongBooksError('use is of another unit than the price of the hold');
  checkNumber('requested_amount', requested, cost.points);
}

export function canceled(ledger: Ledger, data: HoldCanceled, now: string): void {
  const { hold_id, reason } = data;
  if (reason === 'tombstone') {
    useHoldId(ledger, hold_id);
    if (data.released !== 0 || data.debt_repaid.length > 0 || data.grace.length > 0)
      throw new WrongBooksError('a hold that never was is canceled and yet releases points');
    settle(ledger, hold_id, { status: 'canceled', reason, at: now, placed: null, lateHold: null });
    return;
  }
  const hold = openHold(ledger, hold_id);
  const { placed } = hold;
  checkNumber('released', data.released, placed.amount);
  const isExpired = reason === 'expired';
  if (isExpired && hold.expiresAt > now)
    throw new WrongBooksError('the hold expires before its time');
  if (reason === 'failed' && placed.amount > 0 && placed.failure_policy !== 'cancel')
    throw new WrongBooksError('a failure that is to be charged and refunded was canceled');
  close(ledger, hold);
  settle(ledger, hold_id, {
    status: 'canceled',
    reason,
    at: now,
    placed: isExpired ? termsOf(placed) : null,
    lateHold: null,
  });
  const rest = repay(ledger, data.debt_repaid, placed.allocations);
  moveToGrace(ledger, data, rest, now);
}

function termsOf({ late_confirm, price, owner, charge_mode }: PointsHeld) {
  return { late_confirm, price, owner, charge_mode };
}

/** Points of due batches come back for a while when the user is not to blame, and only then. */
function moveToGrace(
  ledger: Ledger,
  { reason, grace }: HoldCanceled,
  released: readonly Allocation[],
  now: string,
): void {
  const comesBack = reason === 'failed' || reason === 'expired' || reason === 'admin';
  let place = 0;
  for (const { batch_id, points } of comesBack ? released : []) {
    const origin = ledger.batches.get(batch_id);
    if (!isDue(origin, now)) continue;
    const told = grace[place];
    if (told?.origin_batch_id !== batch_id || told.points !== points)
      throw new WrongBooksError(
        `grace: next are ${points} released points of batch ${batch_id}, which is due`,
      );
    place += 1;
    ledger.batches.take(origin, points, 'movedOut');
    ledger.batches.movedIn(addGrace(ledger, told, now).batchId);
  }
  if (place < grace.length)
    throw new WrongBooksError(`grace: batch ${grace[place]?.batch_id} has no reason to be`);
}

export function addGrace(ledger: Ledger, grace: GraceBatch, now: string): BatchBook {
  const { sourceRef } = ledger.batches.get(grace.origin_batch_id);
  if (Date.parse(grace.expires_at) !== Date.parse(now) + GRACE_MS)
    throw new WrongBooksError(`grace batch ${grace.batch_id} does not live 7 days`);
  if ((grace.source_ref ?? null) !== sourceRef)
    throw new WrongBooksError(`grace batch ${grace.batch_id} has another source than its origin`);
  return makeBatch(ledger, {
    batchId: grace.batch_id,
    kind: 'grace',
    points: grace.points,
    createdAt: now,
    expiresAt: grace.expires_at,
    sourceRef,
    originBatchId: grace.origin_batch_id,
  });
}

export function extended(ledger: Ledger, data: HoldExtended): void {
  const hold = openHold(ledger, data.hold_id);
  if (data.previous_expires_at !== hold.expiresAt)
    throw new WrongBooksError(`previous_expires_at is not ${hold.expiresAt}`);
  if (data.expires_at < hold.expiresAt) throw new WrongBooksError('the hold is made shorter');
  if (data.expires_at > hold.placed.max_expires_at)
    throw new WrongBooksError('the hold is extended beyond its longest life');
  hold.expiresAt = data.expires_at;
}

function openHold(ledger: Ledger, holdId: string): OpenHold {
  const hold = ledger.openHolds.get(holdId);
  if (hold === undefined) throw new WrongBooksError(`hold ${holdId} is not open`);
  return hold;
}

function close(ledger: Ledger, { placed }: OpenHold): void {
  ledger.openHolds.delete(placed.hold_id);
  ledger.held -= placed.amount;
  ledger.batches.unpin(placed.allocations);
}

/** What is left of these after their first `points`. */
function without(parts: readonly Allocation[], points: number): Allocation[] {
  const rest: Allocation[] = [];
  let missing = points;
  for (const part of parts) {
    const taken = Math.min(missing, part.points);
    missing -= taken;
    if (taken < part.points) rest.push({ batch_id: part.batch_id, points: part.points - taken });
  }
  return rest;
}
