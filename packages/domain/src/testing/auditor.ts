import { strict as assert } from 'node:assert';
import type {
  AccountEvent,
  MembershipGranted,
  MembershipRevoked,
  RecordedAccountEvent,
} from '../account/events.ts';
import {
  type AuditedBatch,
  type Books,
  availableOf,
  balanceOf,
  freeOf,
  freePoints,
  isDue,
  openBooks,
  sumPoints,
} from './audit-books.ts';
import { canceled, confirmed, extended, held } from './audit-holds.ts';
import { adjusted, expired, recharged, refunded, reversed } from './audit-points.ts';

/**
 * An independent, naive set of books. It shares no code with the domain: it works out from the events before what each
 * event must say, adds up what it says, and checks the account's identities after every one of them. It never forgets,
 * so it notices what an account decides wrongly because it did.
 */
export interface Auditor {
  /** Throws AssertionError when the event cannot be right. */
  check(recorded: RecordedAccountEvent): void;
  /** For looking into, not for changing. */
  readonly books: Books;
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
  const stream: Stream = { commands: new Set(), last: null };
  return {
    books,
    check(recorded) {
      checkPlace(stream, recorded);
      check(books, recorded);
      stream.last = recorded;
    },
    balance: () => balanceOf(books),
    available: (now) => availableOf(books, now),
    openHoldCount: () => books.open.size,
    expiredHolds: (latest) =>
      [...books.open.values()]
        .filter((hold) => hold.expiresAt <= latest)
        .map((hold) => hold.placed.hold_id),
    duePoints: (now) =>
      sumPoints([...books.batches.values()].filter((batch) => isDue(batch, now)).map(freeOf)),
  };
}

interface Stream {
  readonly commands: Set<string>;
  last: RecordedAccountEvent | null;
}

/** Every command once, its events together and in order; pairs that are one act are never torn. */
function checkPlace(stream: Stream, { event, context }: RecordedAccountEvent): void {
  const { last } = stream;
  assert(last === null || context.occurred_at >= last.context.occurred_at, 'time runs backwards');
  const goesOn = context.index > 0;
  if (goesOn) {
    assert.deepEqual(
      { ...last?.context, index: context.index - 1 },
      { ...context, index: last?.context.index },
      'events of a command torn',
    );
  } else {
    assert(!stream.commands.has(context.command_id), 'a command carried out twice');
    stream.commands.add(context.command_id);
  }
  const before = goesOn ? last?.event : undefined;
  if (last?.event.type === 'PointsHeld' && last.event.data.late_of !== undefined) {
    assert(before !== undefined && event.type === 'HoldConfirmed', 'a late hold not confirmed');
    assert.equal(event.data.hold_id, last.event.data.hold_id);
  }
  if (event.type === 'PointsRefunded' && event.data.as_failure) {
    assert(before?.type === 'HoldConfirmed', 'a failure without its charge');
    const { hold_id, held_amount, requested_amount, actual_amount } = before.data;
    assert.equal(event.data.hold_id, hold_id);
    assert.deepEqual(
      [requested_amount, actual_amount, event.data.points],
      [held_amount, held_amount, held_amount],
      'a failure gives all of it back',
    );
  }
}

function check(books: Books, { event, context }: RecordedAccountEvent): void {
  const { data } = event;
  const now = context.occurred_at;
  assert.equal(data.balance_before, balanceOf(books), 'balance_before');
  apply(books, event, now, context.command_id);
  assert.equal(data.balance_after, balanceOf(books), 'balance_after');
  assert.equal(data.debt_after, sumPoints(books.debts), 'debt_after');
  assert.equal(data.available_after, availableOf(books, now), 'available_after');
  checkIdentities(books, now);
}

function apply(books: Books, event: AccountEvent, now: string, commandId: string): void {
  switch (event.type) {
    case 'PointsRecharged':
      return recharged(books, event.data, now);
    case 'RechargeReversed':
      return reversed(books, event.data, now);
    case 'PointsHeld':
      return held(books, event.data, now);
    case 'HoldConfirmed':
      return confirmed(books, event.data, now);
    case 'HoldCanceled':
      return canceled(books, event.data, now);
    case 'HoldExtended':
      return extended(books, event.data);
    case 'BatchExpired':
      return expired(books, event.data, now);
    case 'PointsRefunded':
      return refunded(books, event.data, now);
    case 'PointsAdjusted':
      return adjusted(books, event.data, now, commandId);
    case 'AccountFrozen':
      books.frozen = true;
      return;
    case 'AccountUnfrozen':
      books.frozen = false;
      return;
    case 'MembershipGranted':
      return granted(books, event.data, now);
    case 'MembershipRevoked':
      return revoked(books, event.data, now);
    default:
      return event satisfies never;
  }
}

function granted(books: Books, data: MembershipGranted, now: string): void {
  assert(!books.orders.has(data.order_no), 'order_no twice');
  books.orders.add(data.order_no);
  const until = books.memberUntil !== null && books.memberUntil > now ? books.memberUntil : null;
  assert.equal(data.previous_ends_at, until, 'previous_ends_at');
  assert.equal(data.starts_at, until ?? now, 'starts_at');
  assert(data.ends_at > data.starts_at, 'a membership of no time');
  books.memberUntil = data.ends_at;
}

function revoked(books: Books, data: MembershipRevoked, now: string): void {
  assert.equal(data.ended_at, now);
  books.memberUntil = now;
}

/** N1 to N5: what must hold after every event, whatever happened. */
function checkIdentities(books: Books, now: string): void {
  const { total } = books;
  const batches = [...books.batches.values()];
  const over = (field: Summed) => batches.reduce((so, batch) => so + batch[field], 0);
  const debt = sumPoints(books.debts);
  const credited = total.paid + total.bonus + total.rewarded + total.refunded + total.adjustedUp;
  const gone = total.reversed + total.consumed + total.expired + total.adjustedDown;
  assert.equal(balanceOf(books), credited - gone, 'N1');
  assert.equal(debt, total.debtIncurred - total.debtRepaid - total.debtCanceled, 'N2');
  for (const batch of batches) {
    const { consumed, repaid, reversed: taken, adjusted: down, movedOut } = batch;
    const used = consumed + repaid + taken + down + batch.expired + movedOut - batch.refunded;
    assert.equal(batch.points, batch.remaining + used, `N3 ${batch.id}`);
    assert(batch.pinned >= 0 && batch.pinned <= batch.remaining, `N3 ${batch.id}`);
    assert(batch.remaining <= batch.points, `N3 ${batch.id}`);
  }
  const debited = over('consumed') + over('reversed') + over('adjusted') + total.debtIncurred;
  assert.equal(debited, total.consumed + total.reversed + total.adjustedDown, 'N4 debits');
  const returned = over('refunded') + total.graceRefunded + total.debtCanceled;
  assert.equal(returned, total.refunded, 'N4 refunds');
  assert.equal(over('repaid'), total.debtRepaid, 'N4 repaid');
  assert.equal(over('expired'), total.expired, 'N4 expired');
  assert.equal(over('movedIn'), over('movedOut'), 'N4 grace');
  const openAmounts = [...books.open.values()].reduce((so, { placed }) => so + placed.amount, 0);
  assert.equal(openAmounts, over('pinned'), 'N5 held');
  assert(debt === 0 || sumPoints(freePoints(books, now)) === 0, 'N5 free points beside debt');
}

type Summed = {
  [Key in keyof AuditedBatch]: AuditedBatch[Key] extends number ? Key : never;
}[keyof AuditedBatch];
