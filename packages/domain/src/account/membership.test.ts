import { describe, expect, it } from 'vitest';
import {
  type Book,
  START_MS,
  cancel,
  charged,
  confirm,
  consume,
  eventsOf,
  grantMembership,
  hold,
  openBook,
  recharge,
  revokeMembership,
  uuidAt,
} from '../testing/book.ts';
import { DAY_MS, HOUR_MS, formatTime } from '../time.ts';
import { membershipAt } from './membership.ts';

const FREE_TO_MEMBERS = charged(10, { memberFree: true });

function member(book: Book = openBook()): Book {
  grantMembership(book, 30);
  return book;
}

function use(book: Book) {
  return hold(book, 10, { terms: FREE_TO_MEMBERS });
}

describe('membership', () => {
  it('starts now, and a renewal starts where the last one ends', () => {
    const book = member();
    book.nowMs += DAY_MS;
    grantMembership(book, 90, { type: 'quarter' });
    expect(eventsOf(book, 'MembershipGranted')).toMatchObject([
      {
        starts_at: formatTime(START_MS),
        ends_at: formatTime(START_MS + 30 * DAY_MS),
        previous_ends_at: null,
      },
      {
        starts_at: formatTime(START_MS + 30 * DAY_MS),
        ends_at: formatTime(START_MS + 120 * DAY_MS),
        previous_ends_at: formatTime(START_MS + 30 * DAY_MS),
      },
    ]);
    expect(membershipAt(book.account, book.nowMs)).toMatchObject({
      membershipType: 'month',
      lastEndsMs: START_MS + 120 * DAY_MS,
    });
    expect(membershipAt(book.account, START_MS + 30 * DAY_MS)).toMatchObject({
      membershipType: 'quarter',
    });
    expect(membershipAt(book.account, START_MS + 120 * DAY_MS)).toBeNull();
  });

  it('one order gives one membership', () => {
    const book = openBook();
    grantMembership(book, 30, { orderNo: 'o', context: { requestHash: 'same' } });
    expect(grantMembership(book, 30, { orderNo: 'o', context: { requestHash: 'same' } })).toEqual({
      outcome: 'duplicate',
      revision: 0,
    });
    expect(grantMembership(book, 90, { orderNo: 'o' })).toMatchObject({
      refusal: { code: 'source_ref_reused', details: { source_ref: 'o' } },
    });
  });

  it('revoked: ends now, with what was granted for later', () => {
    const book = member();
    grantMembership(book, 30);
    book.nowMs += DAY_MS;
    revokeMembership(book);
    expect(membershipAt(book.account, book.nowMs)).toBeNull();
    expect(revokeMembership(book)).toMatchObject({ refusal: { code: 'invalid_argument' } });
    grantMembership(book, 30);
    expect(eventsOf(book, 'MembershipGranted').at(-1)).toMatchObject({
      starts_at: formatTime(book.nowMs),
      previous_ends_at: null,
    });
  });

  it('rejected: an end beyond the last time there is', () => {
    expect(grantMembership(openBook(), 4_000_000)).toMatchObject({
      refusal: { code: 'invalid_argument', details: { field: 'duration_days' } },
    });
  });
});

describe('what is free to members', () => {
  it('costs nothing, keeps its list price, and is confirmed at 0 whatever is sent', () => {
    const book = member();
    use(book);
    const [held] = eventsOf(book, 'PointsHeld');
    expect(held).toMatchObject({ amount: 0, charge_mode: 'member_free', list_price: 10 });
    confirm(book, held?.hold_id ?? '', 25);
    expect(eventsOf(book, 'HoldConfirmed')[0]).toMatchObject({ actual_amount: 0 });
  });

  it('is judged when the hold is placed', () => {
    const book = member();
    recharge(book, 10);
    book.nowMs += 30 * DAY_MS;
    use(book);
    expect(eventsOf(book, 'PointsHeld')[0]).toMatchObject({ amount: 10, charge_mode: 'charged' });
  });

  it('other operations cost a member as much as anybody', () => {
    const book = member();
    expect(hold(book, 10)).toMatchObject({ refusal: { code: 'insufficient_points' } });
  });

  it('stands below max_amount', () => {
    const book = member();
    expect(hold(book, 10, { terms: FREE_TO_MEMBERS, request: { maxAmount: 0 } }).outcome).toBe(
      'accepted',
    );
  });
});

describe('fair use', () => {
  function capped(perDay: number | null, perMonth: number | null): Book {
    const book = member();
    grantMembership(book, 60);
    book.limits = { ...book.limits, fairUse: { perDay, perMonth } };
    return book;
  }

  it('rejected: usage_cap_reached after so many uses in a Shanghai day', () => {
    const book = capped(2, null);
    use(book);
    consume(book, 10, { terms: FREE_TO_MEMBERS });
    expect(use(book)).toMatchObject({
      refusal: { code: 'usage_cap_reached', details: { per_day: 2 } },
    });
    // 16:00 UTC is midnight in Shanghai.
    book.nowMs = START_MS + 16 * HOUR_MS - 1;
    expect(use(book).outcome).toBe('refused');
    book.nowMs += 1;
    expect(use(book).outcome).toBe('accepted');
  });

  it('rejected: usage_cap_reached after so many uses in a month', () => {
    const book = capped(null, 3);
    for (const day of [0, 1, 2]) {
      book.nowMs = START_MS + day * DAY_MS;
      expect(use(book).outcome).toBe('accepted');
    }
    expect(use(book)).toMatchObject({
      refusal: { code: 'usage_cap_reached', details: { per_month: 3 } },
    });
    book.nowMs = START_MS + 31 * DAY_MS;
    expect(use(book).outcome).toBe('accepted');
  });

  it('a canceled use does not count', () => {
    const book = capped(1, null);
    const id = uuidAt(book.nowMs);
    hold(book, 10, { holdId: id, terms: FREE_TO_MEMBERS });
    cancel(book, id, 'failed');
    expect(use(book).outcome).toBe('accepted');
    expect(use(book).outcome).toBe('refused');
  });

  it('a use canceled the day after gives that day nothing', () => {
    const book = capped(1, null);
    const id = uuidAt(book.nowMs);
    hold(book, 10, { holdId: id, terms: FREE_TO_MEMBERS });
    book.nowMs += DAY_MS;
    use(book);
    cancel(book, id);
    expect(use(book).outcome).toBe('refused');
  });

  it('does not touch what is paid for', () => {
    const book = capped(0, 0);
    recharge(book, 50);
    expect(hold(book, 10).outcome).toBe('accepted');
    expect(use(book)).toMatchObject({ refusal: { code: 'usage_cap_reached' } });
  });
});
