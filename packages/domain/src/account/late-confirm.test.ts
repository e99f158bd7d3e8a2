import { describe, expect, it } from 'vitest';
import {
  type Book,
  adjust,
  cancel,
  charged,
  confirm,
  dump,
  eventsOf,
  freeze,
  hold,
  openBook,
  recharge,
  replay,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import type { HoldOptions } from '../testing/book.ts';
import { DAY_MS, HOUR_MS } from '../time.ts';

/** 10 points, and a hold of 6 that the sweep has canceled. */
function expired(options: HoldOptions = {}): { book: Book; id: string } {
  const book = openBook();
  recharge(book, 10);
  const id = uuidAt(book.nowMs);
  hold(book, 6, { holdId: id, ...options });
  book.nowMs += 2 * HOUR_MS;
  book.watermarkMs = book.nowMs;
  sweep(book);
  return { book, id };
}

describe('a confirm after the hold has expired', () => {
  it('charges what was used in one append of a new hold and its confirm', () => {
    const { book, id } = expired({ request: { sourceType: 'tts', bizId: 'b' } });
    const before = book.events.length;
    confirm(book, id, 4);
    const [held, confirmed] = book.events.slice(before).map(({ event }) => event);
    expect(held).toMatchObject({
      type: 'PointsHeld',
      data: { amount: 4, late_of: id, source_type: 'tts', biz_id: 'b', owner: 'ai-demo' },
    });
    expect(confirmed).toMatchObject({
      type: 'HoldConfirmed',
      data: { late_of: id, actual_amount: 4, released: 0, balance_after: 6 },
    });
    expect(dump(replay(book.events))).toEqual(dump(book.account));
  });

  it('may be for more than was held, and for nothing', () => {
    const { book, id } = expired();
    confirm(book, id, 10);
    expect(book.account.balance).toBe(0);
    const other = expired();
    confirm(other.book, other.id, 0);
    expect(other.book.account.balance).toBe(10);
  });

  it('all or nothing: rejected: hold_expired{required, available}', () => {
    const { book, id } = expired();
    adjust(book, -5);
    expect(confirm(book, id)).toMatchObject({
      refusal: { code: 'hold_expired', details: { required: 6, available: 5 } },
    });
    adjust(book, 1);
    expect(confirm(book, id).outcome).toBe('accepted');
  });

  it('cancels other overdue holds for its points', () => {
    const { book, id } = expired();
    hold(book, 10);
    book.nowMs += 2 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    expect(confirm(book, id).outcome).toBe('accepted');
  });

  it('also while frozen, and at the limit of open holds', () => {
    const { book, id } = expired();
    freeze(book);
    book.limits = { ...book.limits, openHolds: 0 };
    expect(confirm(book, id).outcome).toBe('accepted');
  });

  it('within 24 hours of the expiry event', () => {
    const { book, id } = expired();
    book.nowMs += DAY_MS;
    expect(confirm(book, id)).toMatchObject({ refusal: { code: 'hold_expired' } });
    book.nowMs -= 1;
    expect(confirm(book, id).outcome).toBe('accepted');
  });

  it('rejected: overage_rejected when the hold said so', () => {
    const { book, id } = expired({ terms: charged(6, { overage: 'reject' }) });
    expect(confirm(book, id, 7)).toMatchObject({ refusal: { code: 'overage_rejected' } });
    expect(confirm(book, id, 6).outcome).toBe('accepted');
  });

  it('by its owner alone', () => {
    const { book, id } = expired();
    expect(confirm(book, id, 6, { client: 'other' })).toMatchObject({
      refusal: { code: 'forbidden' },
    });
  });

  it('once: the same again is a duplicate, another use is refused, a cancel too', () => {
    const { book, id } = expired();
    const revision = book.account.revision + 1;
    confirm(book, id);
    expect(confirm(book, id)).toEqual({ outcome: 'duplicate', revision });
    expect(confirm(book, id, 5)).toMatchObject({ refusal: { code: 'hold_already_confirmed' } });
    expect(cancel(book, id)).toMatchObject({ refusal: { code: 'hold_already_confirmed' } });
    expect(eventsOf(book, 'HoldConfirmed')).toHaveLength(1);
  });

  it('not for a hold that was canceled for another reason', () => {
    const book = openBook();
    recharge(book, 10);
    const id = uuidAt(book.nowMs);
    hold(book, 6, { holdId: id });
    cancel(book, id, 'client_abort');
    expect(confirm(book, id)).toMatchObject({ refusal: { code: 'hold_already_canceled' } });
  });
});
