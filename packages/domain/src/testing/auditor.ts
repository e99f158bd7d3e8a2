import { strict as assert } from 'node:assert';
import type {
  AccountEvent,
  BatchExpired,
  HoldCanceled,
  HoldConfirmed,
  PointsHeld,
  PointsRecharged,
  RecordedAccountEvent,
} from '../account/events.ts';
import {
  type Books,
  addBatch,
  balanceOf,
  batchOf,
  closeHold,
  freeOf,
  freePoints,
  isDue,
  openBooks,
  openHold,
  repay,
  sumPoints,
  take,
} from './audit-books.ts';

/**
 * An independent, naive set of books. It shares no code with the domain: it works out from the events before what each
 * event must say, adds up what it says, and checks the account's identities after every one of them.
 */
export interface Auditor {
  /** Throws AssertionError when the event cannot be right. */
  check(recorded: RecordedAccountEvent): void;
  balance(): number;
  /** What a new hold could take at that time (ISO-8601 UTC); due points count for nothing. */
  available(now: string): number;
  openHoldCount(): number;
  /** Open holds that expired at that time or before. */
  expiredHolds(latest: string): string[];
  /** Points of batches that are due at that time and that no hold pins. */
  duePoints(now: string): number;
}

export function createAuditor(): Auditor {
  const books = openBooks();
  return {
    check: (recorded) => check(books, recorded),
    balance: () => balanceOf(books),
    available: (now) => sumPoints(freePoints(books, now)) - sumPoints(books.debts),
    openHoldCount: () => books.open.size,
    expiredHolds: (latest) =>
      [...books.open.values()]
        .filter((hold) => hold.expires_at <= latest)
        .map((hold) => hold.hold_id),
    duePoints: (now) =>
      sumPoints([...books.batches.values()].filter((batch) => isDue(batch, now)).map(freeOf)),
  };
}

function check(books: Books, recorded: RecordedAccountEvent): void {
  const { event, context } = recorded;
  const now = context.occurred_at;
  assert(now >= books.lastTime, 'time runs backwards');
  books.lastTime = now;
  assert.equal(event.data.balance_before, balanceOf(books), 'balance_before');
  apply(books, event, now);
  assert.equal(event.data.balance_after, balanceOf(books), 'balance_after');
  assert.equal(event.data.debt_after, sumPoints(books.debts), 'debt_after');
  assert.equal(
    event.data.available_after,
    sumPoints(freePoints(books, now)) - sumPoints(books.debts),
    'available_after',
  );
  checkIdentities(books, now);
}

function apply(books: Books, event: AccountEvent, now: string): void {
  switch (event.type) {
    case 'PointsRecharged':
      return recharged(books, event.data, now);
    case 'PointsHeld':
      return held(books, event.data, now);
    case 'HoldConfirmed':
      return confirmed(books, event.data, now);
    case 'HoldCanceled':
      return canceled(books, event.data, now);
    case 'BatchExpired':
      return expired(books, event.data, now);
    case 'RechargeReversed':
    case 'HoldExtended':
    case 'PointsRefunded':
    case 'PointsAdjusted':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
    case 'MembershipGranted':
    case 'MembershipRevoked':
      throw new Error(`the auditor does not know ${event.type} yet`);
    default:
      return event satisfies never;
  }
}

function recharged(books: Books, data: PointsRecharged, now: string): void {
  assert(data.batches.length > 0, 'a recharge of nothing');
  for (const batch of data.batches) {
    assert(batch.expires_at === null || batch.expires_at > now, 'a batch that is due at once');
    addBatch(books, batch.batch_id, batch.points, batch.expires_at, now, batch.kind === 'paid');
    if (batch.kind === 'paid') books.total.paid += batch.points;
    else if (batch.kind === 'bonus') books.total.bonus += batch.points;
    else books.total.rewarded += batch.points;
  }
  repay(books, data.debt_repaid, freePoints(books, now));
}

function held(books: Books, data: PointsHeld, now: string): void {
  assert(!books.open.has(data.hold_id) && !books.done.has(data.hold_id), 'hold id twice');
  const free = freePoints(books, now);
  assert.equal(data.charge_mode === 'charged', data.amount >= 1, 'amount and charge mode');
  assert(data.amount === 0 || data.amount <= sumPoints(free) - sumPoints(books.debts), 'oversold');
  assert.deepEqual(data.allocations, take(free, data.amount).taken, 'pins in spend order');
  for (const { batch_id, points } of data.allocations) batchOf(books, batch_id).pinned += points;
  books.open.set(data.hold_id, data);
}

function confirmed(books: Books, data: HoldConfirmed, now: string): void {
  const hold = openHold(books, data.hold_id);
  const requested = data.requested_amount;
  assert.equal(data.held_amount, hold.amount);
  assert(hold.charge_mode === 'charged' || requested === 0, 'a free hold was charged');
  const free = freePoints(books, now);
  const owed = sumPoints(books.debts);
  const pins = take(hold.allocations, requested);
  const beyond = Math.max(0, requested - hold.amount);
  assert(hold.overage !== 'reject' || beyond === 0, 'overage not rejected');
  const capped =
    hold.overage === 'cap' ? Math.min(beyond, Math.max(0, sumPoints(free) - owed)) : beyond;
  const extra = take(free, capped).taken;
  const room = Math.max(0, (hold.debt_floor ?? Number.MAX_SAFE_INTEGER) - owed);
  const debtAdded = hold.overage === 'debt' ? Math.min(beyond - sumPoints(extra), room) : 0;
  const charged = sumPoints(pins.taken) + sumPoints(extra) + debtAdded;
  assert.deepEqual(data.allocations, [...pins.taken, ...extra], 'pins first, then spend order');
  assert.equal(data.debt_added, debtAdded, 'debt_added');
  assert.equal(data.actual_amount, charged, 'actual_amount');
  assert.equal(data.waived, requested - charged, 'waived');
  assert.equal(data.released, Math.max(0, hold.amount - requested), 'released');
  assert.equal(data.overage, Math.max(0, charged - hold.amount), 'overage');

  closeHold(books, hold);
  for (const { batch_id, points } of data.allocations) {
    batchOf(books, batch_id).remaining -= points;
    batchOf(books, batch_id).consumed += points;
  }
  repay(books, data.debt_repaid, pins.rest);
  if (debtAdded > 0) books.debts.push({ ref: data.hold_id, points: debtAdded });
  books.total.debtIncurred += debtAdded;
  books.total.consumed += charged;
}

const GRACE_MS = 7 * 24 * 3_600_000;

function canceled(books: Books, data: HoldCanceled, now: string): void {
  if (data.reason === 'tombstone') {
    assert(!books.open.has(data.hold_id) && !books.done.has(data.hold_id), 'tombstone of a hold');
    assert.deepEqual([data.released, data.debt_repaid, data.grace], [0, [], []]);
    books.done.add(data.hold_id);
    return;
  }
  const hold = openHold(books, data.hold_id);
  assert.equal(data.released, hold.amount);
  closeHold(books, hold);
  const rest = repay(books, data.debt_repaid, hold.allocations);
  const comesBack = ['failed', 'expired', 'admin'].includes(data.reason);
  const due = rest.filter((part) => isDue(batchOf(books, part.batch_id), now));
  assert.deepEqual(
    data.grace.map((grace) => ({ batch_id: grace.origin_batch_id, points: grace.points })),
    comesBack ? due : [],
    'grace',
  );
  for (const grace of data.grace) {
    assert.equal(Date.parse(grace.expires_at), Date.parse(now) + GRACE_MS, 'grace of 7 days');
    const origin = batchOf(books, grace.origin_batch_id);
    origin.remaining -= grace.points;
    origin.movedOut += grace.points;
    addBatch(books, grace.batch_id, grace.points, grace.expires_at, now, false).movedIn =
      grace.points;
  }
}

function expired(books: Books, data: BatchExpired, now: string): void {
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

/** N1 to N5: what must hold after every event, whatever happened. */
function checkIdentities(books: Books, now: string): void {
  const { total } = books;
  const batches = [...books.batches.values()];
  const over = (field: 'consumed' | 'repaid' | 'expired' | 'movedIn' | 'movedOut' | 'pinned') =>
    batches.reduce((so, batch) => so + batch[field], 0);
  const debt = sumPoints(books.debts);
  assert.equal(
    balanceOf(books),
    total.paid + total.bonus + total.rewarded - total.consumed - total.expired,
    'N1',
  );
  assert.equal(debt, total.debtIncurred - total.debtRepaid, 'N2');
  for (const batch of batches) {
    const gone = batch.consumed + batch.repaid + batch.expired + batch.movedOut;
    assert.equal(batch.points, batch.remaining + gone, `N3 ${batch.id}`);
    assert(batch.pinned >= 0 && batch.pinned <= batch.remaining, `N3 ${batch.id}`);
    assert(batch.remaining <= batch.points, `N3 ${batch.id}`);
  }
  assert.equal(over('consumed') + total.debtIncurred, total.consumed, 'N4 consumed');
  assert.equal(over('repaid'), total.debtRepaid, 'N4 repaid');
  assert.equal(over('expired'), total.expired, 'N4 expired');
  assert.equal(over('movedIn'), over('movedOut'), 'N4 grace');
  const openAmounts = [...books.open.values()].reduce((so, hold) => so + hold.amount, 0);
  assert.equal(openAmounts, over('pinned'), 'N5 held');
  assert(debt === 0 || sumPoints(freePoints(books, now)) === 0, 'N5 free points beside debt');
}
