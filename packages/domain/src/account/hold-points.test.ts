import { describe, expect, it } from 'vitest';
import {
  type Book,
  charged,
  confirm,
  consume,
  dump,
  eventsOf,
  hold,
  openBook,
  recharge,
  uuidAt,
} from '../testing/book.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../time.ts';
import type { Refusal } from './commands.ts';
import type { Decision } from './decide.ts';

const NO_PRICE: Refusal = { code: 'price_not_found' };

function codeOf(decision: Decision): string {
  return decision.outcome === 'refused' ? decision.refusal.code : decision.outcome;
}

function withPoints(points: number, openHolds = 1_000): Book {
  const book = openBook();
  book.limits = { ...book.limits, openHolds, holdGraceMs: MINUTE_MS };
  if (points > 0) recharge(book, points);
  return book;
}

describe('limit of open holds', () => {
  it('counts open holds only, also those of 0 points', () => {
    const book = withPoints(10, 2);
    const first = uuidAt(book.nowMs);
    hold(book, 1, { holdId: first });
    hold(book, 0);
    expect(hold(book, 1)).toEqual({
      outcome: 'refused',
      refusal: { code: 'too_many_open_holds', details: { limit: 2 } },
    });
    expect(codeOf(hold(book, 0))).toBe('too_many_open_holds');
    confirm(book, first);
    expect(codeOf(hold(book, 1))).toBe('accepted');
    expect(codeOf(hold(book, 1))).toBe('too_many_open_holds');
  });

  it('does not bind consume', () => {
    const book = withPoints(10, 1);
    hold(book, 1);
    expect(codeOf(consume(book, 1))).toBe('accepted');
    book.limits = { ...book.limits, openHolds: 0 };
    expect(codeOf(consume(book, 1))).toBe('accepted');
  });
});

describe('order of checks', () => {
  // Each row meets every later reason too; the first one is told.
  it.each([
    { open: 1, terms: NO_PRICE, maxAmount: 1, outcome: 'too_many_open_holds' },
    { open: 0, terms: NO_PRICE, maxAmount: 1, outcome: 'price_not_found' },
    {
      open: 0,
      terms: { code: 'model_disabled' as const },
      maxAmount: 1,
      outcome: 'model_disabled',
    },
    { open: 0, terms: charged(100), maxAmount: 99, outcome: 'price_changed' },
    { open: 0, terms: charged(100), maxAmount: 100, outcome: 'insufficient_points' },
  ])('$open open of 1, $terms.code: $outcome', ({ open, terms, maxAmount, outcome }) => {
    const book = withPoints(10, 1);
    for (let i = 0; i < open; i++) hold(book, 1);
    const before = dump(book.account);
    expect(codeOf(hold(book, 100, { terms, request: { maxAmount } }))).toBe(outcome);
    expect(dump(book.account)).toEqual(before);
  });

  it('consume has the same order without the limit', () => {
    const book = withPoints(10, 0);
    expect(codeOf(consume(book, 1, { terms: NO_PRICE, request: { maxAmount: 0 } }))).toBe(
      'price_not_found',
    );
    expect(codeOf(consume(book, 100, { request: { maxAmount: 0 } }))).toBe('price_changed');
    expect(codeOf(consume(book, 100))).toBe('insufficient_points');
  });

  it('a refusal of the price keeps its details', () => {
    const refusal: Refusal = { code: 'model_disabled', details: { model: 'sora_image' } };
    expect(hold(withPoints(10), 1, { terms: refusal })).toEqual({ outcome: 'refused', refusal });
  });
});

describe('max_amount', () => {
  it.each([
    { amount: 5, maxAmount: 5, outcome: 'accepted' },
    { amount: 5, maxAmount: 6, outcome: 'accepted' },
    { amount: 5, maxAmount: 4, outcome: 'price_changed' },
    { amount: 0, maxAmount: 0, outcome: 'accepted' },
    { amount: 1, maxAmount: 0, outcome: 'price_changed' },
  ])('price $amount, at most $maxAmount: $outcome', ({ amount, maxAmount, outcome }) => {
    expect(codeOf(hold(withPoints(10), amount, { request: { maxAmount } }))).toBe(outcome);
  });

  it('tells both numbers', () => {
    expect(hold(withPoints(10), 5, { request: { maxAmount: 4 } })).toMatchObject({
      refusal: { details: { amount: 5, max_amount: 4 } },
    });
  });
});

describe('points', () => {
  it.each([
    { points: 0, amount: 1, outcome: 'insufficient_points' },
    { points: 0, amount: 0, outcome: 'accepted' },
    { points: 5, amount: 5, outcome: 'accepted' },
    { points: 5, amount: 6, outcome: 'insufficient_points' },
  ])('$amount of $points: $outcome', ({ points, amount, outcome }) => {
    expect(codeOf(hold(withPoints(points), amount))).toBe(outcome);
  });

  it('a refusal tells balance, available and what is missing', () => {
    const book = withPoints(10);
    hold(book, 7);
    expect(hold(book, 5)).toEqual({
      outcome: 'refused',
      refusal: {
        code: 'insufficient_points',
        details: { required: 5, available: 3, balance: 10, shortfall: 2 },
      },
    });
  });

  it('what is due counts for nothing, though nothing has expired it yet', () => {
    const book = withPoints(3);
    recharge(book, 10, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    hold(book, 4);
    book.nowMs += HOUR_MS;
    expect(hold(book, 4)).toMatchObject({
      refusal: { details: { required: 4, available: 3, balance: 7, shortfall: 1 } },
    });
    expect(codeOf(hold(book, 3))).toBe('accepted');
    expect(book.account.batches).toMatchObject([
      { remaining: 4, pinned: 4 },
      { remaining: 3, pinned: 3 },
    ]);
  });

  it('expires what is due before it holds', () => {
    const book = withPoints(3);
    recharge(book, 10, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    book.nowMs += HOUR_MS;
    hold(book, 3);
    const types = book.events.slice(2).map((each) => each.event.type);
    expect(types).toEqual(['BatchExpired', 'PointsHeld']);
  });
});

describe('overdue holds of the account itself', () => {
  it.each([
    { what: 'points', limit: 10, second: 5 },
    { what: 'the limit', limit: 1, second: 0 },
  ])('are canceled before $what refuses', ({ limit, second }) => {
    const book = withPoints(5, limit);
    const first = uuidAt(book.nowMs);
    hold(book, 5, { holdId: first, request: { ttlMs: SECOND_MS } });
    book.nowMs += SECOND_MS + MINUTE_MS;
    book.watermarkMs = book.nowMs - 1;
    const before = dump(book.account);
    expect(codeOf(hold(book, second))).toBe(
      limit === 1 ? 'too_many_open_holds' : 'insufficient_points',
    );
    expect(dump(book.account)).toEqual(before);
    book.watermarkMs = null;
    expect(codeOf(hold(book, second))).not.toBe('accepted');
    book.watermarkMs = book.nowMs;
    expect(codeOf(hold(book, second))).toBe('accepted');
    expect(eventsOf(book, 'HoldCanceled')).toMatchObject([
      { hold_id: first, reason: 'expired', released: 5 },
    ]);
  });

  it('stay open when they are not in the way', () => {
    const book = withPoints(10);
    hold(book, 5, { request: { ttlMs: SECOND_MS } });
    book.nowMs += HOUR_MS;
    book.watermarkMs = book.nowMs;
    hold(book, 5);
    expect(eventsOf(book, 'HoldCanceled')).toEqual([]);
  });

  it('stay open when even they do not help', () => {
    const book = withPoints(10);
    hold(book, 5, { request: { ttlMs: SECOND_MS } });
    book.nowMs += HOUR_MS;
    book.watermarkMs = book.nowMs;
    const before = dump(book.account);
    // The numbers are those of the look after the cancel.
    expect(hold(book, 11)).toMatchObject({ refusal: { details: { available: 10, shortfall: 1 } } });
    expect(dump(book.account)).toEqual(before);
  });
});

describe('the event of a hold', () => {
  it('keeps the request, the terms and the limits of its life', () => {
    const book = withPoints(10);
    book.nowMs = Date.UTC(2026, 0, 1, 16, 0, 0, 5);
    const holdId = uuidAt(book.nowMs);
    const metadata = { tool: 'a' };
    const request = {
      recordId: 45_678_901_234,
      sourceType: 'image',
      model: 'm',
      bizType: 'b',
      bizId: 'i',
      quantity: 2,
      estimatedDurationMs: 1_500,
      metadata,
    };
    const terms = charged(4, {
      listPrice: 6,
      overage: 'cap',
      debtFloor: 3,
      failurePolicy: 'charge_then_refund',
      ttlMs: 90 * SECOND_MS,
      description: 'terms',
      refundDescription: 'back',
    });
    hold(book, 4, { holdId, request, terms });
    expect(eventsOf(book, 'PointsHeld')).toEqual([
      {
        hold_id: holdId,
        record_id: 45_678_901_234,
        amount: 4,
        allocations: [{ batch_id: book.account.batches[0]?.batchId, points: 4 }],
        price: terms.price,
        charge_mode: 'charged',
        list_price: 6,
        source_type: 'image',
        model: 'm',
        biz_type: 'b',
        biz_id: 'i',
        // The day is Shanghai's, the number the record id's last ten digits.
        task_no: 'TASK202601025678901234',
        quantity: 2,
        estimated_duration_ms: 1_500,
        overage: 'cap',
        debt_floor: 3,
        failure_policy: 'charge_then_refund',
        late_confirm: 'if_available',
        description: 'terms',
        refund_description: 'back',
        metadata,
        expires_at: '2026-01-01T16:01:30.005Z',
        max_expires_at: '2026-01-02T16:00:00.005Z',
        owner: 'ai-demo',
        balance_before: 10,
        balance_after: 10,
        available_after: 6,
        debt_after: 0,
      },
    ]);
  });

  it.each([
    { ttlMs: undefined, lifeMs: 30 * MINUTE_MS },
    { ttlMs: SECOND_MS, lifeMs: SECOND_MS },
    { ttlMs: DAY_MS, lifeMs: DAY_MS },
    { ttlMs: 2 * DAY_MS, lifeMs: DAY_MS },
  ])('lives $lifeMs ms when asked for $ttlMs', ({ ttlMs, lifeMs }) => {
    const book = withPoints(10);
    hold(book, 1, { request: ttlMs === undefined ? {} : { ttlMs } });
    expect(eventsOf(book, 'PointsHeld')[0]?.expires_at).toBe(
      new Date(book.nowMs + lifeMs).toISOString(),
    );
  });

  it('leaves out what was not given, and a short number is padded', () => {
    const book = withPoints(10);
    hold(book, 1, {
      request: { recordId: 42, description: 'of the caller' },
      terms: charged(1, { description: 'terms' }),
    });
    const [held] = eventsOf(book, 'PointsHeld');
    expect(held).not.toHaveProperty('source_type');
    expect(held).toMatchObject({ task_no: 'TASK202601010000000042', description: 'of the caller' });
  });

  it('a record id that is taken, by an open or a settled hold, moves to the next free number', () => {
    const book = withPoints(10);
    const holdId = uuidAt(book.nowMs);
    hold(book, 1, { holdId, request: { recordId: 7 } });
    hold(book, 1, { request: { recordId: 8 } });
    confirm(book, holdId);
    hold(book, 1, { request: { recordId: 7 } });
    expect(eventsOf(book, 'PointsHeld').map((held) => held.record_id)).toEqual([7, 8, 9]);
    expect(codeOf(confirm(book, { recordId: 9 }))).toBe('accepted');
  });

  it('after the largest record id comes the smallest', () => {
    const book = withPoints(10);
    for (let i = 0; i < 3; i++) hold(book, 1, { request: { recordId: Number.MAX_SAFE_INTEGER } });
    const ids = eventsOf(book, 'PointsHeld').map((held) => held.record_id);
    expect(ids).toEqual([Number.MAX_SAFE_INTEGER, 1, 2]);
  });
});
