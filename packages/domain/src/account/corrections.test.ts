import { describe, expect, it } from 'vitest';
import {
  START_MS,
  adjust,
  confirm,
  consume,
  eventsOf,
  extend,
  cancel,
  freeze,
  hold,
  openBook,
  recharge,
  reverseRecharge,
  unfreeze,
  uuidAt,
} from '../testing/book.ts';
import { HOUR_MS, MINUTE_MS, formatTime } from '../time.ts';

/** What people put right: reversals, adjustments, frozen accounts, and holds that need longer. */
describe('ReverseRecharge', () => {
  it('takes bonus and paid of that recharge before anything else', () => {
    const book = openBook();
    recharge(book, 5, { expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
    recharge(book, 10, { bonus: 2, sourceRef: 'r' });
    reverseRecharge(book, 'r');
    const [data] = eventsOf(book, 'RechargeReversed');
    expect(data?.allocations.map(({ points }) => points)).toEqual([2, 10]);
    expect(book.account.balance).toBe(5);
  });

  it('pinned points stay pinned: what they hold back becomes debt, which their release repays', () => {
    const book = openBook();
    recharge(book, 10, { sourceRef: 'r' });
    const id = uuidAt(book.nowMs);
    hold(book, 7, { holdId: id });
    reverseRecharge(book, 'r');
    expect(eventsOf(book, 'RechargeReversed')[0]).toMatchObject({
      debt_added: 7,
      balance_after: 0,
      available_after: -7,
    });
    cancel(book, id);
    expect(eventsOf(book, 'HoldCanceled')[0]?.debt_repaid).toMatchObject([{ points: 7 }]);
    expect(book.account).toMatchObject({ balance: 0, debt: 0, batches: [] });
  });

  it('once per source, whatever the words; the recharge again gives its first answer and no points', () => {
    const book = openBook();
    const context = { requestHash: 'recharge' };
    recharge(book, 10, { sourceRef: 'r', context });
    reverseRecharge(book, 'r');
    expect(reverseRecharge(book, 'r', { requestHash: 'other words' })).toEqual({
      outcome: 'duplicate',
      revision: 1,
    });
    expect(recharge(book, 10, { sourceRef: 'r', context })).toEqual({
      outcome: 'duplicate',
      revision: 0,
    });
    expect(book.account.balance).toBe(0);
  });

  it('rejected: recharge_not_found', () => {
    expect(reverseRecharge(openBook(), 'r')).toMatchObject({
      refusal: { code: 'recharge_not_found' },
    });
  });

  it('counts due points as expired, also those that one decision does not get to', () => {
    const book = openBook();
    const expiry = { kind: 'at' as const, atMs: START_MS + HOUR_MS };
    for (let i = 0; i < 100; i += 1)
      recharge(book, 1, { expiry: { kind: 'at', atMs: START_MS + MINUTE_MS } });
    recharge(book, 10, { sourceRef: 'r', expiry });
    book.nowMs = START_MS + HOUR_MS;
    reverseRecharge(book, 'r');
    expect(eventsOf(book, 'BatchExpired')).toHaveLength(100);
    expect(eventsOf(book, 'RechargeReversed')[0]).toMatchObject({
      points: 0,
      expired_not_owed: 10,
      debt_added: 0,
    });
  });
});

describe('Adjust', () => {
  it('up: points that never expire and are spent as any other kind', () => {
    const book = openBook();
    adjust(book, 5);
    expect(book.account.batches).toMatchObject([
      { kind: 'adjust', remaining: 5, expiresMs: null, sourceRef: null },
    ]);
  });

  it('down: leaves what holds have pinned', () => {
    const book = openBook();
    recharge(book, 10);
    hold(book, 6);
    expect(adjust(book, -5)).toMatchObject({
      refusal: { code: 'insufficient_points', details: { available: 4, shortfall: 1 } },
    });
    adjust(book, -5, { forced: true });
    expect(book.account).toMatchObject({ balance: 5, held: 6, debt: 1 });
  });

  it('down: cancels overdue holds for its points', () => {
    const book = openBook();
    recharge(book, 10);
    hold(book, 6, { request: { ttlMs: MINUTE_MS } });
    book.nowMs += HOUR_MS;
    book.watermarkMs = book.nowMs;
    adjust(book, -10);
    expect(eventsOf(book, 'HoldCanceled')).toMatchObject([{ reason: 'expired' }]);
    expect(book.account.balance).toBe(0);
  });

  it.each([0, 1_000_000_000_001, -1_000_000_000_001])(
    'rejected: invalid_argument for %i',
    (delta) => {
      expect(adjust(openBook(), delta, { forced: true })).toMatchObject({
        refusal: { code: 'invalid_argument', details: { field: 'delta' } },
      });
    },
  );
});

describe('Freeze and Unfreeze', () => {
  it('refuse new holds and consumes, nothing else', () => {
    const book = openBook();
    recharge(book, 20);
    const id = uuidAt(book.nowMs);
    hold(book, 5, { holdId: id });
    freeze(book);
    expect(hold(book, 1)).toMatchObject({ refusal: { code: 'account_frozen' } });
    expect(hold(book, 0)).toMatchObject({ refusal: { code: 'account_frozen' } });
    expect(consume(book, 1)).toMatchObject({ refusal: { code: 'account_frozen' } });
    expect(extend(book, id, 2 * HOUR_MS).outcome).toBe('accepted');
    expect(confirm(book, id, 9).outcome).toBe('accepted');
    expect(recharge(book, 1).outcome).toBe('accepted');
    expect(adjust(book, -1).outcome).toBe('accepted');
    unfreeze(book);
    expect(hold(book, 1).outcome).toBe('accepted');
  });

  it('an account in this state already gets the event all the same', () => {
    const book = openBook();
    freeze(book);
    freeze(book);
    unfreeze(book);
    unfreeze(book);
    expect(book.events.map(({ event }) => event.type)).toEqual([
      'AccountFrozen',
      'AccountFrozen',
      'AccountUnfrozen',
      'AccountUnfrozen',
    ]);
  });

  it('a repeated hold gets its first answer although the account is frozen since', () => {
    const book = openBook();
    recharge(book, 20);
    const context = { commandId: uuidAt(book.nowMs), requestHash: 'hold' };
    const holdId = uuidAt(book.nowMs);
    hold(book, 5, { holdId, context });
    freeze(book);
    expect(hold(book, 5, { holdId, context })).toEqual({ outcome: 'duplicate', revision: 1 });
  });
});

describe('ExtendHold', () => {
  function given() {
    const book = openBook();
    recharge(book, 20);
    const id = uuidAt(book.nowMs);
    hold(book, 5, { holdId: id, request: { ttlMs: HOUR_MS } });
    return { book, id };
  }

  it.each([
    ['longer', 0, 2 * HOUR_MS, 2 * HOUR_MS],
    ['never shorter', 0, MINUTE_MS, HOUR_MS],
    ['from now', 30 * MINUTE_MS, HOUR_MS, 90 * MINUTE_MS],
    ['also when overdue', 3 * HOUR_MS, HOUR_MS, 4 * HOUR_MS],
    ['never beyond a day after the hold', 20 * HOUR_MS, 23 * HOUR_MS, 24 * HOUR_MS],
    ['not at all after that day', 30 * HOUR_MS, HOUR_MS, 24 * HOUR_MS],
  ])('%s', (_, afterMs, ttlMs, expected) => {
    const { book, id } = given();
    book.nowMs = START_MS + afterMs;
    extend(book, id, ttlMs);
    expect(eventsOf(book, 'HoldExtended')[0]).toMatchObject({
      previous_expires_at: formatTime(START_MS + HOUR_MS),
      expires_at: formatTime(START_MS + expected),
    });
  });

  it('holds the points for as long', () => {
    const { book, id } = given();
    extend(book, id, 3 * HOUR_MS);
    book.nowMs += 2 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    expect(hold(book, 16)).toMatchObject({ refusal: { code: 'insufficient_points' } });
  });

  it('refused for holds that are not open', () => {
    const { book, id } = given();
    expect(extend(book, uuidAt(book.nowMs), HOUR_MS)).toMatchObject({
      refusal: { code: 'hold_not_found' },
    });
    expect(extend(book, id, HOUR_MS, { client: 'other' })).toMatchObject({
      refusal: { code: 'forbidden' },
    });
    confirm(book, id);
    expect(extend(book, id, HOUR_MS)).toMatchObject({
      refusal: { code: 'hold_already_confirmed' },
    });
  });
});
