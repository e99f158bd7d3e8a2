import { describe, expect, it } from 'vitest';
import {
  type Book,
  START_MS,
  cancel,
  charged,
  confirm,
  consume,
  dump,
  eventsOf,
  hold,
  openBook,
  recharge,
  refund,
  replay,
  reverseRecharge,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import { DAY_MS, HOUR_MS } from '../time.ts';

/** A charge of 10 from a batch of 6 that ends after an hour and one of 10 that never does. */
function given(): { book: Book; holdId: string } {
  const book = openBook();
  recharge(book, 6, { expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
  recharge(book, 10);
  consume(book, 10);
  return { book, holdId: charge(book) };
}

function charge(book: Book): string {
  return eventsOf(book, 'HoldConfirmed').at(-1)?.hold_id ?? '';
}

function lastRefund(book: Book) {
  const data = eventsOf(book, 'PointsRefunded').at(-1);
  if (data === undefined) throw new Error('nothing was refunded');
  return data;
}

describe('RefundCharge', () => {
  it('gives back in parts, last taken first, and never more than was charged', () => {
    const { book, holdId } = given();
    refund(book, holdId, 4);
    expect(lastRefund(book).returns).toMatchObject([{ points: 4 }]);
    refund(book, holdId, 5);
    expect(lastRefund(book)).toMatchObject({ points: 5, refunded_total: 9 });
    expect(refund(book, holdId, 2)).toMatchObject({
      refusal: { code: 'refund_exceeds_charge', details: { refundable: 1 } },
    });
    refund(book, holdId);
    expect(lastRefund(book)).toMatchObject({ points: 1, refunded_total: 10 });
    expect(book.account.balance).toBe(16);
    expect(refund(book, holdId)).toMatchObject({
      refusal: { code: 'refund_exceeds_charge', details: { refundable: 0 } },
    });
  });

  it('opens a batch again that had been spent, as it was', () => {
    const book = openBook();
    recharge(book, 6, { sourceRef: 'r', expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
    const [before] = book.account.batches;
    consume(book, 6);
    expect(book.account.batches).toEqual([]);
    refund(book, charge(book), 2);
    refund(book, charge(book), 4);
    expect(book.account.batches).toEqual([before]);
    expect(eventsOf(book, 'PointsRefunded').map(({ reopened }) => reopened.length)).toEqual([1, 0]);
  });

  it('names a spent batch once, however many parts go back to it', () => {
    const book = openBook();
    recharge(book, 6, { sourceRef: 'r' });
    // Taken 4, then 3 more where 2 are left: 1 is owed, and the next recharge pays it.
    consume(book, 4);
    const id = uuidAt(book.nowMs);
    hold(book, 2, { holdId: id });
    confirm(book, id, 3);
    recharge(book, 1);
    refund(book, id);
    expect(lastRefund(book).returns.map(({ points }) => points)).toEqual([1, 2]);
    expect(lastRefund(book).reopened).toHaveLength(2);
    expect(dump(replay(book.events))).toEqual(dump(book.account));
  });

  it('cancels what is still debt first', () => {
    const book = openBook();
    recharge(book, 5);
    const id = uuidAt(book.nowMs);
    hold(book, 5, { holdId: id });
    confirm(book, id, 9);
    refund(book, id, 6);
    expect(lastRefund(book)).toMatchObject({
      debt_canceled: 4,
      returns: [{ from: 'debt', to: 'debt', points: 4 }, { points: 2 }],
      balance_after: 2,
      debt_after: 0,
    });
  });

  it('cancels its own debt although an older one is there', () => {
    const book = openBook();
    recharge(book, 4, { sourceRef: 'r' });
    consume(book, 4);
    reverseRecharge(book, 'r');
    const id = uuidAt(book.nowMs);
    hold(book, 0, { holdId: id, terms: charged(0) });
    confirm(book, id, 3);
    expect(book.account.debts).toMatchObject([{ points: 4 }, { points: 3 }]);
    refund(book, id, 2);
    expect(book.account.debts).toMatchObject([{ points: 4 }, { points: 1 }]);
    expect(lastRefund(book).debt_repaid).toEqual([]);
  });

  it('turns parts of due batches into grace batches of seven days', () => {
    const { book, holdId } = given();
    book.nowMs = START_MS + HOUR_MS;
    refund(book, holdId);
    const { grace, returns } = lastRefund(book);
    expect(grace).toMatchObject([{ points: 6, expires_at: '2026-01-08T01:00:00.000Z' }]);
    expect(returns.at(-1)).toMatchObject({ to: grace[0]?.batch_id, points: 6 });
    expect(book.account.batches.map(({ kind, remaining }) => [kind, remaining])).toEqual([
      ['grace', 6],
      ['paid', 10],
    ]);
  });

  it('a grace batch still counts for the recharge that it came from', () => {
    const book = openBook();
    recharge(book, 6, { sourceRef: 'r', expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
    consume(book, 6);
    book.nowMs = START_MS + HOUR_MS;
    refund(book, charge(book));
    book.nowMs += 7 * DAY_MS;
    sweep(book);
    reverseRecharge(book, 'r');
    expect(eventsOf(book, 'RechargeReversed')[0]).toMatchObject({ points: 0, expired_not_owed: 6 });
  });

  it('also goes by the id of an expired hold that was confirmed late', () => {
    const book = openBook();
    recharge(book, 10);
    const id = uuidAt(book.nowMs);
    hold(book, 4, { holdId: id });
    book.nowMs += 2 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    sweep(book);
    confirm(book, id);
    expect(refund(book, id, 1).outcome).toBe('accepted');
    expect(lastRefund(book).hold_id).toBe(charge(book));
  });

  it.each([
    ['an unknown hold', () => uuidAt(START_MS), 'hold_not_found'],
    [
      'an open hold',
      (book: Book) => {
        const id = uuidAt(book.nowMs);
        hold(book, 3, { holdId: id });
        return id;
      },
      'refund_exceeds_charge',
    ],
    [
      'a canceled hold',
      (book: Book) => {
        const id = uuidAt(book.nowMs);
        hold(book, 3, { holdId: id });
        cancel(book, id);
        return id;
      },
      'hold_already_canceled',
    ],
  ])('%s', (_, make, code) => {
    const { book } = given();
    const before = book.events.length;
    const id = make(book);
    const after = book.events.length;
    expect(refund(book, id, 1)).toMatchObject({ refusal: { code } });
    expect(book.events.length).toBe(after);
    expect(after).toBeGreaterThanOrEqual(before);
  });

  it('any client may: billing and admin refund what AI services charged', () => {
    const { book, holdId } = given();
    expect(refund(book, holdId, 1, { client: 'billing' }).outcome).toBe('accepted');
  });
});

describe('a failure under charge_then_refund', () => {
  function failed(): { book: Book; holdId: string } {
    const book = openBook();
    recharge(book, 10);
    const holdId = uuidAt(book.nowMs);
    const terms = charged(6, {
      failurePolicy: 'charge_then_refund',
      description: 'work',
      refundDescription: 'work failed',
    });
    hold(book, 6, { holdId, terms });
    cancel(book, holdId, 'failed');
    return { book, holdId };
  }

  it('shows as a charge and its refund, and leaves the balance as it was', () => {
    const { book } = failed();
    expect(book.events.slice(-2).map(({ event }) => event.type)).toEqual([
      'HoldConfirmed',
      'PointsRefunded',
    ]);
    expect(lastRefund(book)).toMatchObject({
      points: 6,
      as_failure: true,
      description: 'work failed',
      balance_before: 4,
      balance_after: 10,
    });
    expect(book.account).toMatchObject({ balance: 10, held: 0 });
  });

  it('cannot be refunded again', () => {
    const { book, holdId } = failed();
    expect(refund(book, holdId, 1)).toMatchObject({ refusal: { code: 'hold_already_canceled' } });
  });

  it.each(['caller', 'client_abort'] as const)('not for %s', (reason) => {
    const book = openBook();
    recharge(book, 10);
    const id = uuidAt(book.nowMs);
    hold(book, 6, { holdId: id, terms: charged(6, { failurePolicy: 'charge_then_refund' }) });
    cancel(book, id, reason);
    expect(eventsOf(book, 'PointsRefunded')).toEqual([]);
  });

  it('not for a hold of nothing', () => {
    const book = openBook();
    const id = uuidAt(book.nowMs);
    const terms = charged(0, { chargeMode: 'free', failurePolicy: 'charge_then_refund' });
    hold(book, 0, { holdId: id, terms });
    cancel(book, id, 'failed');
    expect(eventsOf(book, 'HoldCanceled')).toMatchObject([{ reason: 'failed' }]);
  });

  it('points of a batch that ran out meanwhile come back as grace', () => {
    const book = openBook();
    recharge(book, 6, { expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
    const id = uuidAt(book.nowMs);
    hold(book, 6, { holdId: id, terms: charged(6, { failurePolicy: 'charge_then_refund' }) });
    book.nowMs = START_MS + HOUR_MS;
    cancel(book, id, 'failed');
    expect(lastRefund(book).grace).toMatchObject([{ points: 6 }]);
    expect(book.account.balance).toBe(6);
  });
});
