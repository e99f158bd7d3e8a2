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
import type { ActualUse } from './commands.ts';
import type { HoldPrice } from './events.ts';

/** What was really used, in points or in the unit of the hold's own price. */

function withPoints(points: number): Book {
  const book = openBook();
  recharge(book, points);
  return book;
}

function placed(book: Book, amount: number, options: Parameters<typeof hold>[2] = {}): string {
  const holdId = uuidAt(book.nowMs);
  expect(hold(book, amount, { ...options, holdId }).outcome).toBe('accepted');
  return holdId;
}

describe('the use', () => {
  const price = (over: Partial<HoldPrice>): HoldPrice => ({
    mode: 'fixed',
    unit: 'quantity',
    unit_price: '2',
    min_points: 0,
    rounding: 'ceil',
    source: 'operation:x',
    config_version: 'v',
    ...over,
  });
  const perSecond = price({ mode: 'duration', unit: 'second', unit_price: '1.5', min_points: 3 });

  it.each<{ price: HoldPrice; actual: ActualUse; charged: number; fields: object }>([
    {
      price: price({}),
      actual: { kind: 'quantity', quantity: 3 },
      charged: 6,
      fields: { quantity: 3 },
    },
    {
      price: price({}),
      actual: { kind: 'quantity', quantity: 0 },
      charged: 0,
      fields: { quantity: 0 },
    },
    { price: price({}), actual: { kind: 'points', points: 3 }, charged: 3, fields: {} },
    { price: price({}), actual: { kind: 'as_held' }, charged: 10, fields: {} },
    {
      price: price({ unit: 'call' }),
      actual: { kind: 'quantity', quantity: 3 },
      charged: 2,
      fields: { quantity: 3 },
    },
    {
      price: perSecond,
      actual: { kind: 'duration', durationMs: 3_001 },
      charged: 5,
      fields: { duration_ms: 3_001 },
    },
    {
      price: perSecond,
      actual: { kind: 'duration', durationMs: 1 },
      charged: 3,
      fields: { duration_ms: 1 },
    },
    {
      price: perSecond,
      actual: { kind: 'duration', durationMs: 0 },
      charged: 0,
      fields: { duration_ms: 0 },
    },
  ])('$actual at $price.unit_price per $price.unit costs $charged', (row) => {
    const book = withPoints(20);
    const holdId = placed(book, 10, { terms: charged(10, { price: row.price }) });
    confirm(book, holdId, row.actual);
    const [event] = eventsOf(book, 'HoldConfirmed');
    expect(event).toMatchObject({ actual_amount: row.charged, ...row.fields });
    expect(Object.keys(event ?? {}).filter((key) => /^(quantity|duration_ms)$/.test(key))).toEqual(
      Object.keys(row.fields),
    );
  });

  it.each<{ what: string; price: HoldPrice; actual: ActualUse; field: string }>([
    {
      what: 'a duration of a price per piece',
      price: price({}),
      actual: { kind: 'duration', durationMs: 1 },
      field: 'actual_duration',
    },
    {
      what: 'a quantity of a price per second',
      price: perSecond,
      actual: { kind: 'quantity', quantity: 1 },
      field: 'actual_quantity',
    },
    {
      what: 'a quantity of a given amount',
      price: price({ mode: 'amount', unit: 'call' }),
      actual: { kind: 'quantity', quantity: 1 },
      field: 'actual_quantity',
    },
    {
      what: 'more than 1e12 points',
      price: price({}),
      actual: { kind: 'quantity', quantity: 5e11 + 1 },
      field: 'actual_quantity',
    },
  ])('$what is refused, and the hold stays open', ({ price: held, actual, field }) => {
    const book = withPoints(20);
    const holdId = placed(book, 10, { terms: charged(10, { price: held }) });
    const before = dump(book.account);
    const refused = {
      outcome: 'refused',
      refusal: { code: 'invalid_argument', details: { field } },
    };
    expect(confirm(book, holdId, actual)).toEqual(refused);
    expect(consume(book, 10, { terms: charged(10, { price: held }) }, actual)).toEqual(refused);
    expect(dump(book.account)).toEqual(before);
  });

  it.each<ActualUse>([
    { kind: 'as_held' },
    { kind: 'points', points: 99 },
    { kind: 'quantity', quantity: 99 },
    { kind: 'duration', durationMs: 99 },
  ])('a free hold confirms at 0 whatever is sent: $kind', (actual) => {
    const book = withPoints(20);
    for (const chargeMode of ['free', 'member_free'] as const) {
      const holdId = placed(book, 0, { terms: charged(0, { chargeMode }) });
      confirm(book, holdId, actual);
      expect(eventsOf(book, 'HoldConfirmed').at(-1)).toMatchObject({
        requested_amount: 0,
        actual_amount: 0,
        waived: 0,
      });
    }
    expect(book.account.balance).toBe(20);
  });

  it('the description is that of the confirm, else that of the hold', () => {
    const book = withPoints(20);
    const [one, two] = [1, 2].map(() =>
      placed(book, 1, { terms: charged(1, { description: 'of the hold' }) }),
    );
    confirm(book, one ?? '');
    book.run({
      kind: 'ConfirmHold',
      context: book.context(),
      hold: { holdId: two ?? '' },
      actual: { kind: 'as_held' },
      description: 'of the confirm',
      late: { holdId: uuidAt(book.nowMs), recordId: 999 },
    });
    expect(eventsOf(book, 'HoldConfirmed').map((each) => each.description)).toEqual([
      'of the hold',
      'of the confirm',
    ]);
  });
});
