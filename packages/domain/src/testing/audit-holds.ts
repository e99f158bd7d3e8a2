import { strict as assert } from 'node:assert';
import type {
  GraceBatch,
  HoldCanceled,
  HoldConfirmed,
  HoldExtended,
  HoldPrice,
  PointsHeld,
} from '../account/events.ts';
import {
  type AuditedBatch,
  type Books,
  addBatch,
  availableOf,
  batchOf,
  closeHold,
  freePoints,
  isDue,
  openHold,
  owe,
  repay,
  spend,
  sumPoints,
  take,
} from './audit-books.ts';

const DAY_MS = 24 * 3_600_000;

export function held(books: Books, data: PointsHeld, now: string): void {
  const { hold_id, amount, late_of } = data;
  assert(!books.open.has(hold_id) && !books.done.has(hold_id), 'hold id twice');
  if (late_of === undefined) {
    assert(!books.frozen, 'a hold on a frozen account');
    assert.equal(data.charge_mode === 'charged', amount >= 1, 'amount and charge mode');
  } else {
    checkLate(books, data, late_of, now);
  }
  assert(amount === 0 || amount <= availableOf(books, now), 'oversold');
  const pins = take(freePoints(books, now), amount).taken;
  assert.deepEqual(data.allocations, pins, 'pins in spend order');
  for (const { batch_id, points } of data.allocations) batchOf(books, batch_id).pinned += points;
  assert(data.expires_at <= data.max_expires_at, 'expires after its longest life');
  assert(Date.parse(data.max_expires_at) <= Date.parse(now) + DAY_MS, 'lives more than 24 h');
  books.open.set(hold_id, { placed: data, expiresAt: data.expires_at });
}

/** A late confirm charges a hold that expired less than 24 h ago, once. */
function checkLate(books: Books, data: PointsHeld, lateOf: string, now: string): void {
  const old = books.done.get(lateOf);
  assert(old?.status === 'canceled' && old.reason === 'expired', 'late of a hold not expired');
  assert(Date.parse(now) - Date.parse(old.at) < DAY_MS, 'too late');
  assert.equal(old.lateHold, null, 'confirmed late twice');
  assert(old.placed !== null && old.placed.late_confirm === 'if_available', 'late is not allowed');
  assert.deepEqual(
    [data.price, data.owner, data.charge_mode],
    [old.placed.price, old.placed.owner, old.placed.charge_mode],
    'a late hold has the price and the owner of the old one',
  );
  old.lateHold = data.hold_id;
}

export function confirmed(books: Books, data: HoldConfirmed, now: string): void {
  const hold = openHold(books, data.hold_id);
  const { placed } = hold;
  const requested = data.requested_amount;
  assert.equal(data.held_amount, placed.amount);
  assert.equal(data.late_of, placed.late_of, 'late_of');
  if (placed.late_of !== undefined) assert.equal(requested, placed.amount, 'all or nothing');
  checkRequested(data, placed);
  const free = freePoints(books, now);
  const owed = sumPoints(books.debts);
  const pins = take(placed.allocations, requested);
  const beyond = Math.max(0, requested - placed.amount);
  assert(placed.overage !== 'reject' || beyond === 0, 'overage not rejected');
  const capped =
    placed.overage === 'cap' ? Math.min(beyond, Math.max(0, sumPoints(free) - owed)) : beyond;
  const extra = take(free, capped).taken;
  const room = Math.max(0, (placed.debt_floor ?? Number.MAX_SAFE_INTEGER) - owed);
  const debtAdded = placed.overage === 'debt' ? Math.min(beyond - sumPoints(extra), room) : 0;
  const charged = sumPoints(pins.taken) + sumPoints(extra) + debtAdded;
  assert.deepEqual(data.allocations, [...pins.taken, ...extra], 'pins first, then spend order');
  assert.equal(data.debt_added, debtAdded, 'debt_added');
  assert.equal(data.actual_amount, charged, 'actual_amount');
  assert.equal(data.waived, requested - charged, 'waived');
  assert.equal(data.released, Math.max(0, placed.amount - requested), 'released');
  assert.equal(data.overage, Math.max(0, charged - placed.amount), 'overage');

  closeHold(books, hold, { status: 'confirmed', placed });
  spend(books, data.allocations, 'consumed');
  repay(books, data.debt_repaid, pins.rest);
  owe(books, data.hold_id, debtAdded);
  books.total.consumed += charged;
  books.charges.set(data.hold_id, {
    points: charged,
    refunded: 0,
    funding: [...data.allocations],
    debt: debtAdded,
  });
}

/** A measured use costs what the price of the hold says, whatever the prices are by now. */
function checkRequested(data: HoldConfirmed, { charge_mode, price, late_of }: PointsHeld): void {
  if (charge_mode !== 'charged') assert.equal(data.requested_amount, 0, 'a free hold was charged');
  else if (data.quantity !== undefined || data.duration_ms !== undefined)
    assert.equal(data.requested_amount, costOf(price, data), `price${late_of ? ', late' : ''}`);
}

const MICRO = 1_000_000n;

function costOf(price: HoldPrice, use: Pick<HoldConfirmed, 'quantity' | 'duration_ms'>): number {
  const used = BigInt(use.quantity ?? use.duration_ms ?? 0);
  if (used === 0n || price.mode === 'free') return 0;
  const [whole = '0', places = ''] = price.unit_price.split('.');
  const micro = BigInt(whole) * MICRO + BigInt(places.padEnd(6, '0'));
  // Thousandths of a micro-point, so that milliseconds are exact.
  const cost =
    micro * (price.unit === 'call' ? 1_000n : used * (price.unit === 'second' ? 1n : 1_000n));
  const point = MICRO * 1_000n;
  const addend = { ceil: point - 1n, floor: 0n, half_up: point / 2n }[price.rounding];
  return Math.max(price.min_points, Number((cost + addend) / point));
}

const GRACE_MS = 7 * DAY_MS;

export function canceled(books: Books, data: HoldCanceled, now: string): void {
  const { hold_id, reason } = data;
  const outcome = { status: 'canceled' as const, reason, at: now, lateHold: null };
  if (reason === 'tombstone') {
    assert(!books.open.has(hold_id) && !books.done.has(hold_id), 'tombstone of a hold');
    assert.deepEqual([data.released, data.debt_repaid, data.grace], [0, [], []]);
    books.done.set(hold_id, { ...outcome, placed: null });
    return;
  }
  const hold = openHold(books, hold_id);
  const { placed } = hold;
  assert.equal(data.released, placed.amount);
  assert(reason !== 'expired' || hold.expiresAt <= now, 'expired before its time');
  assert(
    reason !== 'failed' || placed.amount === 0 || placed.failure_policy === 'cancel',
    'a failure to be charged and refunded was canceled',
  );
  closeHold(books, hold, { ...outcome, placed });
  const rest = repay(books, data.debt_repaid, placed.allocations);
  const comesBack = reason === 'failed' || reason === 'expired' || reason === 'admin';
  const due = rest.filter((part) => isDue(batchOf(books, part.batch_id), now));
  assert.deepEqual(
    data.grace.map((grace) => ({ batch_id: grace.origin_batch_id, points: grace.points })),
    comesBack ? due : [],
    'grace',
  );
  for (const grace of data.grace) {
    const origin = batchOf(books, grace.origin_batch_id);
    origin.remaining -= grace.points;
    origin.movedOut += grace.points;
    addGrace(books, grace, now).movedIn = grace.points;
  }
}

export function addGrace(books: Books, grace: GraceBatch, now: string): AuditedBatch {
  const { sourceRef } = batchOf(books, grace.origin_batch_id);
  assert.equal(Date.parse(grace.expires_at), Date.parse(now) + GRACE_MS, 'grace of 7 days');
  assert.equal(grace.source_ref ?? null, sourceRef, 'source_ref of a grace batch');
  return addBatch(books, {
    id: grace.batch_id,
    kind: 'grace',
    originId: grace.origin_batch_id,
    points: grace.points,
    createdAt: now,
    expiresAt: grace.expires_at,
    sourceRef,
  });
}

export function extended(books: Books, data: HoldExtended): void {
  const hold = openHold(books, data.hold_id);
  assert.equal(data.previous_expires_at, hold.expiresAt, 'previous_expires_at');
  assert(data.expires_at >= hold.expiresAt, 'extended backwards');
  assert(data.expires_at <= hold.placed.max_expires_at, 'extended beyond its longest life');
  hold.expiresAt = data.expires_at;
}
