import type { AccountEventType, RecordedAccountEvent } from '@points/domain/account/events';
import {
  type Book,
  START_MS,
  adjust,
  cancel,
  confirm,
  consume,
  eventsOf,
  extend,
  freeze,
  grantMembership,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  revokeMembership,
  sweep,
  uuidAt,
} from '@points/domain/testing/book';
import { HOUR_MS } from '@points/domain/time';
import { describe, expect, it } from 'vitest';
import { openAccountBooks } from './account-books.ts';
import { createSettledHolds } from './settled-holds.ts';
import { WrongBooksError } from './wrong-books.ts';

const t = (hours: number) => START_MS + hours * HOUR_MS;

function given(
  ...batches: readonly [name: string, points: number, expires: number | null][]
): Book {
  const book = openBook();
  for (const [sourceRef, points, expires] of batches)
    recharge(book, points, {
      sourceRef,
      expiry: expires === null ? { kind: 'never' } : { kind: 'at', atMs: t(expires) },
    });
  return book;
}

function placed(book: Book, amount: number, options: Parameters<typeof hold>[2] = {}): string {
  const holdId = uuidAt(book.nowMs);
  hold(book, amount, { ...options, holdId });
  return holdId;
}

function kept(events: readonly RecordedAccountEvent[]) {
  const books = openAccountBooks();
  for (const event of events) books.apply(event);
  return books;
}

/** Golden examples of the account rules, §8: what happens, then balance and debt. */
const GOLDEN: readonly [string, () => Book, number, number][] = [
  [
    '1',
    () => {
      const book = given(['A', 10, 100], ['B', 10, 50], ['C', 10, null]);
      confirm(book, placed(book, 15), 7);
      return book;
    },
    23,
    0,
  ],
  [
    '2',
    () => {
      const book = openBook();
      const expiry = { kind: 'at' as const, atMs: t(50) };
      recharge(book, 5, { bonus: 2, expiry });
      book.nowMs = t(1);
      recharge(book, 5, { source: 'reward', expiry });
      book.nowMs = t(2);
      recharge(book, 5, { expiry });
      placed(book, 13);
      return book;
    },
    17,
    0,
  ],
  [
    '3',
    () => {
      const book = given(['A', 4, 30], ['B', 4, 40], ['D', 4, null]);
      const h1 = placed(book, 4);
      const h2 = placed(book, 3);
      cancel(book, h1);
      confirm(book, h2, 9);
      return book;
    },
    3,
    0,
  ],
  ['4', overspent, -3, 3],
  [
    '5',
    () => {
      const book = overspent();
      const id = eventsOf(book, 'HoldConfirmed').at(-1)?.hold_id ?? '';
      recharge(book, 5);
      refund(book, id, 8);
      refund(book, id, 5);
      return book;
    },
    15,
    0,
  ],
  [
    '6',
    () => {
      const book = indebted();
      hold(book, 0);
      confirm(book, secondHold(book), 1);
      return book;
    },
    1,
    0,
  ],
  [
    '7',
    () => {
      const book = given(['A', 10, null]);
      const h1 = placed(book, 5);
      const h2 = placed(book, 5, { overage: 'cap' });
      confirm(book, h1, 8);
      confirm(book, h2, 9);
      return book;
    },
    -3,
    3,
  ],
  [
    '8',
    () => {
      const book = given(['A', 10, null]);
      confirm(book, placed(book, 6, { debtFloor: 2 }), 15);
      return book;
    },
    -2,
    2,
  ],
  [
    '9',
    () => {
      const book = given(['A', 10, 50]);
      const id = placed(book, 6);
      book.nowMs = t(50);
      sweep(book);
      book.nowMs = t(55);
      confirm(book, id, 4);
      return book;
    },
    0,
    0,
  ],
  [
    '10',
    () => {
      const book = indebted(50);
      book.nowMs = t(55);
      cancel(book, secondHold(book));
      return book;
    },
    0,
    0,
  ],
  ['11', graceRefunded, 10, 0],
  ['12', reversedWithDebt, 5, 0],
  [
    '13',
    () => {
      const book = given(['A', 10, 50]);
      consume(book, 3);
      book.nowMs = t(60);
      reverseRecharge(book, 'A');
      return book;
    },
    -3,
    3,
  ],
  [
    '14',
    () => {
      const book = given(['A', 5, 50], ['B', 5, null]);
      adjust(book, -7);
      adjust(book, -7);
      adjust(book, -7, { forced: true });
      adjust(book, 10);
      return book;
    },
    6,
    0,
  ],
];

function overspent(): Book {
  const book = given(['A', 10, null]);
  confirm(book, placed(book, 6), 13);
  return book;
}

function indebted(expires: number | null = null): Book {
  const book = given(['A', 10, expires]);
  const h1 = placed(book, 5);
  placed(book, 5);
  confirm(book, h1, 8);
  return book;
}

function secondHold(book: Book): string {
  return eventsOf(book, 'PointsHeld')[1]?.hold_id ?? '';
}

function graceRefunded(): Book {
  const book = given(['A', 5, 50], ['B', 5, null]);
  consume(book, 10);
  const id = eventsOf(book, 'HoldConfirmed').at(-1)?.hold_id ?? '';
  book.nowMs = t(55);
  refund(book, id, 7);
  book.nowMs = t(57);
  refund(book, id);
  return book;
}

function reversedWithDebt(): Book {
  const book = given(['A', 10, null], ['B', 5, null]);
  consume(book, 6);
  const id = eventsOf(book, 'HoldConfirmed').at(-1)?.hold_id ?? '';
  reverseRecharge(book, 'A');
  refund(book, id, 6);
  return book;
}

function expiredHold(): Book {
  const book = given(['A', 10, null]);
  placed(book, 4, { request: { ttlMs: HOUR_MS } });
  book.nowMs = t(3);
  book.watermarkMs = t(3);
  sweep(book);
  return book;
}

function lateConfirmed(): Book {
  const book = expiredHold();
  confirm(book, eventsOf(book, 'PointsHeld')[0]?.hold_id ?? '', 4);
  return book;
}

describe('golden examples', () => {
  it.each(GOLDEN)('%s', (_, story, balance, debt) => {
    const books = kept(story().events);
    expect({ balance: books.balance(), debt: books.debt() }).toEqual({ balance, debt });
  });
});

type Change = (data: Readonly<Record<string, unknown>>) => object;

/** Each rule: a right history, the event that is changed, how, and what the books say. */
const WRONG: readonly [string, () => Book, AccountEventType, Change, RegExp][] = [
  [
    'pins out of spend order',
    () => {
      const book = given(['A', 5, 50], ['B', 5, null]);
      placed(book, 5);
      return book;
    },
    'PointsHeld',
    (data) => ({ ...data, allocations: [{ batch_id: 'B', points: 5 }] }),
    /next in order/,
  ],
  [
    'a batch twice in one list',
    () => {
      const book = given(['A', 5, null]);
      placed(book, 4);
      return book;
    },
    'PointsHeld',
    twice('allocations', 2),
    /next in order/,
  ],
  [
    'more held than available',
    () => {
      const book = given(['A', 5, null]);
      placed(book, 4);
      return book;
    },
    'PointsHeld',
    (data) => ({ ...data, amount: 6 }),
    /6 points are held where 5/,
  ],
  [
    'a charged hold of nothing',
    () => {
      const book = given(['A', 5, null]);
      placed(book, 0);
      return book;
    },
    'PointsHeld',
    (data) => ({ ...data, charge_mode: 'charged' }),
    /a hold of 0 points is charged/,
  ],
  [
    'a longer life than a day',
    () => {
      const book = given(['A', 5, null]);
      placed(book, 4);
      return book;
    },
    'PointsHeld',
    (data) => ({ ...data, max_expires_at: '2027-01-01T00:00:00.000Z' }),
    /24 hours/,
  ],
  [
    'a charge that forgives',
    overspent,
    'HoldConfirmed',
    (data) => ({ ...data, debt_added: 2, actual_amount: 12, waived: 1 }),
    /debt_added is 2 and should be 3/,
  ],
  [
    'pins not used first',
    () => {
      const book = given(['A', 5, 50], ['B', 5, null]);
      confirm(book, placed(book, 7), 6);
      return book;
    },
    'HoldConfirmed',
    reversedList('allocations'),
    /next in order/,
  ],
  [
    'released points kept back',
    () => {
      const book = given(['A', 5, null]);
      confirm(book, placed(book, 4), 3);
      return book;
    },
    'HoldConfirmed',
    (data) => ({ ...data, released: 0 }),
    /released is 0 and should be 1/,
  ],
  [
    'a floor passed',
    () => {
      const book = given(['A', 10, null]);
      confirm(book, placed(book, 6, { debtFloor: 2 }), 15);
      return book;
    },
    'HoldConfirmed',
    (data) => ({ ...data, debt_added: 5, actual_amount: 15, waived: 0 }),
    /debt_added is 5 and should be 2/,
  ],
  [
    'another debt repaid',
    () => {
      const book = overspent();
      recharge(book, 5);
      return book;
    },
    'PointsRecharged',
    (data) => ({
      ...data,
      debt_repaid: (data['debt_repaid'] as object[]).map((part) => ({
        ...part,
        debt_ref: 'other',
      })),
    }),
    /debt_repaid/,
  ],
  [
    'no debt repaid',
    () => {
      const book = overspent();
      recharge(book, 5);
      return book;
    },
    'PointsRecharged',
    (data) => ({ ...data, debt_repaid: [] }),
    /debt_repaid/,
  ],
  [
    'a kind that its source cannot give',
    () => {
      const book = openBook();
      recharge(book, 5, { source: 'reward' });
      return book;
    },
    'PointsRecharged',
    (data) => ({ ...data, source: 'order' }),
    /kind reward comes from order/,
  ],
  [
    'a canceled hold keeps points',
    () => {
      const book = given(['A', 5, null]);
      cancel(book, placed(book, 4));
      return book;
    },
    'HoldCanceled',
    (data) => ({ ...data, released: 3 }),
    /released/,
  ],
  [
    'expired before its time',
    () => {
      const book = given(['A', 5, null]);
      cancel(book, placed(book, 4));
      return book;
    },
    'HoldCanceled',
    (data) => ({ ...data, reason: 'expired' }),
    /before its time/,
  ],
  [
    'grace for who is to blame',
    () => {
      const book = given(['A', 5, 20]);
      const id = placed(book, 4);
      book.nowMs = t(21);
      cancel(book, id, 'failed');
      return book;
    },
    'HoldCanceled',
    (data) => ({ ...data, reason: 'caller' }),
    /has no reason to be/,
  ],
  [
    'grace withheld',
    () => {
      const book = given(['A', 5, 20]);
      const id = placed(book, 4);
      book.nowMs = t(21);
      cancel(book, id, 'failed');
      return book;
    },
    'HoldCanceled',
    (data) => ({ ...data, grace: [] }),
    /grace: next are 4/,
  ],
  [
    'a batch expired early',
    () => {
      const book = given(['A', 5, 20]);
      book.nowMs = t(21);
      sweep(book);
      return book;
    },
    'BatchExpired',
    (data) => ({ ...data, expired_at: '2026-01-01T19:00:00.000Z' }),
    /is due/,
  ],
  [
    'funding not undone in reverse',
    () => {
      const book = given(['A', 5, 50], ['B', 5, null]);
      consume(book, 10);
      refund(book, eventsOf(book, 'HoldConfirmed')[0]?.hold_id ?? '', 10);
      return book;
    },
    'PointsRefunded',
    reversedList('returns'),
    /latest first/,
  ],
  [
    'a refund too many',
    () => {
      const book = reversedWithDebt();
      return book;
    },
    'PointsRefunded',
    (data) => ({ ...data, points: 7 }),
    /7 points of a charge of 6/,
  ],
  [
    'a refund of a hold that never was',
    reversedWithDebt,
    'PointsRefunded',
    (data) => ({ ...data, hold_id: 'other' }),
    /was not charged/,
  ],
  [
    'an empty batch not told again',
    () => {
      const book = given(['A', 5, null]);
      consume(book, 5);
      refund(book, eventsOf(book, 'HoldConfirmed')[0]?.hold_id ?? '', 5);
      return book;
    },
    'PointsRefunded',
    (data) => ({ ...data, reopened: [] }),
    /was empty and is missing/,
  ],
  [
    'due points given back',
    graceRefunded,
    'PointsRefunded',
    (data) => ({
      ...data,
      grace: [],
      returns: (data['returns'] as { from: string }[]).map((part) => ({ ...part, to: part.from })),
    }),
    /due batch/,
  ],
  [
    'a reversal that owes less',
    reversedWithDebt,
    'RechargeReversed',
    (data) => ({ ...data, points: 9 }),
    /points is 9 and should be 10/,
  ],
  [
    'other batches before the own',
    reversedWithDebt,
    'RechargeReversed',
    reversedList('allocations'),
    /next in order/,
  ],
  [
    'an adjustment beyond what is there',
    () => {
      const book = given(['A', 5, null]);
      adjust(book, -7, { forced: true });
      return book;
    },
    'PointsAdjusted',
    (data) => ({ ...data, forced: false }),
    /7 points are taken where 5/,
  ],
  [
    'a hold made shorter',
    () => {
      const book = given(['A', 5, null]);
      extend(book, placed(book, 4), 8 * HOUR_MS);
      return book;
    },
    'HoldExtended',
    (data) => ({ ...data, expires_at: '2026-01-01T00:00:00.000Z' }),
    /shorter/,
  ],
  [
    'a membership that overlaps',
    () => {
      const book = openBook();
      grantMembership(book, 30, { orderNo: 'a' });
      grantMembership(book, 30, { orderNo: 'b' });
      return book;
    },
    'MembershipGranted',
    (data) => ({ ...data, previous_ends_at: null }),
    /previous_ends_at/,
  ],
  [
    'an order used twice',
    () => {
      const book = openBook();
      grantMembership(book, 30, { orderNo: 'a' });
      grantMembership(book, 30, { orderNo: 'b' });
      return book;
    },
    'MembershipGranted',
    (data) => ({ ...data, order_no: 'a' }),
    /order_no a is used twice/,
  ],
  [
    'a revocation of nothing',
    () => {
      const book = openBook();
      grantMembership(book, 1);
      revokeMembership(book);
      return book;
    },
    'MembershipRevoked',
    (data) => ({ ...data, ended_at: '2026-01-01T00:00:00.001Z' }),
    /ended_at/,
  ],
  [
    'a batch of another name',
    () => given(['A', 5, null]),
    'PointsRecharged',
    (data) => ({
      ...data,
      batches: (data['batches'] as object[]).map((each) => ({ ...each, batch_id: '5' })),
    }),
    /not named by its command/,
  ],
  [
    'late at another price',
    lateConfirmed,
    'PointsHeld',
    (data) => ({ ...data, price: { ...(data['price'] as object), unit_price: '1' } }),
    /another price or owner/,
  ],
  [
    'balance_before',
    () => {
      const book = openBook();
      freeze(book);
      return book;
    },
    'AccountFrozen',
    (data) => ({ ...data, balance_before: 1 }),
    /balance_before is 1 and should be 0/,
  ],
  [
    'available_after',
    () => {
      const book = given(['A', 5, null]);
      placed(book, 4);
      return book;
    },
    'PointsHeld',
    (data) => ({ ...data, available_after: 5 }),
    /available_after is 5 and should be 1/,
  ],
  [
    'debt_after',
    overspent,
    'HoldConfirmed',
    (data) => ({ ...data, debt_after: 0 }),
    /debt_after is 0 and should be 3/,
  ],
];

function reversedList(key: string): Change {
  return (data) => ({ ...data, [key]: (data[key] as unknown[]).toReversed() });
}

function twice(key: string, points: number): Change {
  return (data) => ({
    ...data,
    [key]: [0, 1].map(() => ({ ...(data[key] as object[])[0], points })),
  });
}

describe('wrong events', () => {
  it.each(WRONG)('%s', (_, story, type, change, message) => {
    const { events } = story();
    kept(events);
    const place = events.findLastIndex(({ event }) => event.type === type);
    const right = events[place];
    if (right === undefined) throw new Error(`no ${type}`);
    const data = change(right.event.data as unknown as Parameters<Change>[0]);
    const wrong = { ...right, event: { type, data } } as unknown as RecordedAccountEvent;
    const books = kept(events.slice(0, place));
    expect(() => books.apply(wrong)).toThrow(message);
    expect(() => kept([...events.slice(0, place), wrong])).toThrow(WrongBooksError);
  });

  it('an outcome after the outcome', () => {
    const { events } = overspent();
    const confirm2 = events.at(-1);
    if (confirm2 === undefined) throw new Error('no event');
    const again = { ...confirm2, context: { ...confirm2.context, command_id: 'other', index: 0 } };
    const data = { ...again.event.data, balance_before: -3 };
    const wrong = { ...again, event: { ...again.event, data } } as RecordedAccountEvent;
    expect(() => kept([...events, wrong])).toThrow(/is not open/);
  });

  it('a late hold that stays open', () => {
    const { events } = lateConfirmed();
    const { events: more } = lateConfirmed();
    kept(events);
    const freezing = openBook();
    freeze(freezing);
    const next = freezing.events.map((each) => ({
      ...each,
      context: { ...each.context, occurred_at: more.at(-1)?.context.occurred_at ?? '' },
    }));
    expect(() => kept([...events.slice(0, -1), ...next])).toThrow(/not confirmed at once/);
  });
});

describe('a bounded memory', () => {
  it('tells of a refund that it cannot judge, and judges it when the hold is to be remembered', () => {
    const book = given(['A', 20, null]);
    const first = placed(book, 5);
    confirm(book, first);
    confirm(book, placed(book, 5));
    refund(book, first, 5);
    const forgotten: string[] = [];
    const settledHolds = createSettledHolds(1);
    const books = openAccountBooks({
      settledHolds,
      forgotten: { forget: () => undefined, goBack: (id) => void forgotten.push(id) },
    });
    for (const event of book.events) books.apply(event);
    expect(forgotten).toEqual([first]);

    const refunding = book.events.at(-1);
    if (refunding?.event.type !== 'PointsRefunded') throw new Error('no refund');
    const data = { ...refunding.event.data, hold_id: 'never' };
    const wrong = [
      ...book.events.slice(0, -1),
      { ...refunding, event: { ...refunding.event, data } },
    ];
    const look = () =>
      openAccountBooks({ settledHolds: createSettledHolds(1), remember: (id) => id === 'never' });
    const second = look();
    for (const event of wrong.slice(0, -1)) second.apply(event);
    expect(() => wrong.slice(-1).forEach((event) => second.apply(event))).toThrow(
      /was not charged/,
    );
  });
});
