import { describe, expect, it } from 'vitest';
import {
  type Book,
  START_MS,
  adjust,
  cancel,
  confirm,
  consume,
  eventsOf,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import { createAuditor } from '../testing/auditor.ts';
import type { AccountEventType } from './events.ts';
import { summarize } from './batches.ts';
import { HOUR_MS } from '../time.ts';

/** The account rules' golden examples: t counts hours, `A10@50` is batch A of 10 points that expires at t50. */
const t = (hours: number) => START_MS + hours * HOUR_MS;

interface NamedBook extends Book {
  readonly names: Map<string, string>;
}

function given(
  ...batches: readonly [name: string, points: number, expires: number | null][]
): NamedBook {
  const book: NamedBook = Object.assign(openBook(), { names: new Map<string, string>() });
  for (const [name, points, expires] of batches) {
    recharge(book, points, {
      sourceRef: name,
      expiry: expires === null ? { kind: 'never' } : { kind: 'at', atMs: t(expires) },
    });
    book.names.set(last(book, 'PointsRecharged').batches[0]?.batch_id ?? '', name);
  }
  return book;
}

function placed(book: Book, amount: number, options: Parameters<typeof hold>[2] = {}): string {
  const holdId = uuidAt(book.nowMs);
  expect(hold(book, amount, { ...options, holdId }).outcome).toBe('accepted');
  return holdId;
}

function named(
  book: NamedBook,
  allocations: readonly { batch_id: string; points: number }[],
): string {
  return allocations.map((part) => `${book.names.get(part.batch_id)}${part.points}`).join(' ');
}

/** Where the last refund went: `grace` for a new batch. */
function returned(book: NamedBook): string {
  return last(book, 'PointsRefunded')
    .returns.map(({ to, points }) => `${book.names.get(to) ?? 'grace'}${points}`)
    .join(' ');
}

function left(book: NamedBook): string {
  return book.account.batches
    .map((batch) => `${book.names.get(batch.batchId)}${batch.remaining}`)
    .join(' ');
}

function last<Type extends AccountEventType>(book: Book, type: Type) {
  const data = eventsOf(book, type).at(-1);
  if (data === undefined) throw new Error(`no ${type}`);
  return data;
}

function audited(book: Book): void {
  const auditor = createAuditor();
  for (const event of book.events) auditor.check(event);
}

describe('golden examples', () => {
  it('1: hold pins and confirm takes earliest expiry first', () => {
    const book = given(['A', 10, 100], ['B', 10, 50], ['C', 10, null]);
    const id = placed(book, 15);
    expect(named(book, last(book, 'PointsHeld').allocations)).toBe('B10 A5');
    confirm(book, id, 7);
    expect(named(book, last(book, 'HoldConfirmed').allocations)).toBe('B7');
    expect(left(book)).toBe('B3 A10 C10');
    expect(book.account.balance).toBe(23);
    audited(book);
  });

  it('2: at equal expiry bonus and reward before paid, then the oldest', () => {
    const book = openBook();
    const expiry = { kind: 'at' as const, atMs: t(50) };
    recharge(book, 5, { bonus: 2, expiry });
    book.nowMs = t(1);
    recharge(book, 5, { source: 'reward', expiry });
    book.nowMs = t(2);
    recharge(book, 5, { expiry });
    placed(book, 13);
    const kinds = new Map(
      book.account.batches.map((batch) => [batch.batchId, `${batch.kind}${batch.points}`]),
    );
    expect(
      last(book, 'PointsHeld').allocations.map(
        (part) => `${kinds.get(part.batch_id)}:${part.points}`,
      ),
    ).toEqual(['bonus2:2', 'reward5:5', 'paid5:5', 'paid5:1']);
    expect(summarize(book.account, book.nowMs).available).toBe(4);
    audited(book);
  });

  it('3: over-confirm takes the own pins first, then free points in spend order', () => {
    const book = given(['A', 4, 30], ['B', 4, 40], ['D', 4, null]);
    const h1 = placed(book, 4);
    const h2 = placed(book, 3);
    cancel(book, h1);
    confirm(book, h2, 9);
    expect(named(book, last(book, 'HoldConfirmed').allocations)).toBe('B3 A4 B1 D1');
    expect(last(book, 'HoldConfirmed').overage).toBe(6);
    expect(book.account.balance).toBe(3);
    audited(book);
  });

  it('4 and 5: what nothing covers becomes debt, and the next recharge repays it', () => {
    const book = given(['A', 10, null]);
    const id = placed(book, 6);
    confirm(book, id, 13);
    expect(last(book, 'HoldConfirmed')).toMatchObject({
      overage: 7,
      debt_added: 3,
      balance_after: -3,
    });
    expect(named(book, last(book, 'HoldConfirmed').allocations)).toBe('A6 A4');
    recharge(book, 5);
    const { batches, debt_repaid } = last(book, 'PointsRecharged');
    expect(debt_repaid).toMatchObject([{ debt_ref: id, points: 3 }]);
    book.names.set(batches[0]?.batch_id ?? '', 'B');
    expect(book.account.balance).toBe(2);
    refund(book, id, 8);
    expect(returned(book)).toBe('B3 A5');
    expect(book.account.balance).toBe(10);
    expect(refund(book, id, 6)).toMatchObject({
      refusal: { code: 'refund_exceeds_charge', details: { refundable: 5 } },
    });
    refund(book, id, 5);
    expect(book.account.balance).toBe(15);
    expect(left(book)).toBe('A10 B5');
    audited(book);
  });

  it('6: debt beside an open hold; free work still runs; release repays', () => {
    const book = given(['A', 10, null]);
    const h1 = placed(book, 5);
    const h2 = placed(book, 5);
    confirm(book, h1, 8);
    expect(summarize(book.account, book.nowMs)).toEqual({
      balance: 2,
      held: 5,
      available: -3,
      debt: 3,
    });
    expect(hold(book, 1)).toMatchObject({
      outcome: 'refused',
      refusal: {
        code: 'insufficient_points',
        details: { required: 1, available: -3, shortfall: 4 },
      },
    });
    expect(hold(book, 0).outcome).toBe('accepted');
    confirm(book, h2, 1);
    expect(last(book, 'HoldConfirmed')).toMatchObject({
      released: 4,
      debt_repaid: [{ debt_ref: h1, points: 3 }],
      balance_after: 1,
    });
    audited(book);
  });

  it('7: cap charges what is there and waives the rest', () => {
    const book = given(['A', 10, null]);
    const h1 = placed(book, 5);
    const h2 = placed(book, 5, { overage: 'cap' });
    confirm(book, h1, 8);
    confirm(book, h2, 9);
    expect(last(book, 'HoldConfirmed')).toMatchObject({
      actual_amount: 5,
      waived: 4,
      balance_after: -3,
    });
    audited(book);
  });

  it('8: the debt floor bounds the debt', () => {
    const book = given(['A', 10, null]);
    confirm(book, placed(book, 6, { debtFloor: 2 }), 15);
    expect(last(book, 'HoldConfirmed')).toMatchObject({
      actual_amount: 12,
      debt_added: 2,
      waived: 3,
    });
    audited(book);
  });

  it('9: pinned points outlive their batch until they are released', () => {
    const book = given(['A', 10, 50]);
    const id = placed(book, 6);
    book.nowMs = t(50);
    sweep(book);
    expect(last(book, 'BatchExpired')).toMatchObject({
      points: 4,
      balance_after: 6,
      available_after: 0,
    });
    book.nowMs = t(55);
    confirm(book, id, 4);
    expect(last(book, 'HoldConfirmed').released).toBe(2);
    expect(last(book, 'BatchExpired')).toMatchObject({
      points: 2,
      pinned_left: 0,
      balance_after: 0,
    });
    audited(book);
  });

  it('10: points released from a due batch repay debt before they expire', () => {
    const book = given(['A', 10, 50]);
    const h1 = placed(book, 5);
    const h2 = placed(book, 5);
    confirm(book, h1, 8);
    book.nowMs = t(55);
    cancel(book, h2);
    expect(last(book, 'HoldCanceled').debt_repaid).toMatchObject([{ debt_ref: h1, points: 3 }]);
    expect(last(book, 'BatchExpired').points).toBe(2);
    expect(book.account).toMatchObject({ balance: 0, debt: 0 });
    audited(book);
  });

  it('11: a refund into a batch that ran out comes back as grace', () => {
    const book = given(['A', 5, 50], ['B', 5, null]);
    consume(book, 10);
    const id = last(book, 'HoldConfirmed').hold_id;
    book.nowMs = t(55);
    refund(book, id, 7);
    expect(returned(book)).toBe('B5 grace2');
    expect(book.account.balance).toBe(7);
    book.nowMs = t(57);
    refund(book, id);
    expect(returned(book)).toBe('grace3');
    expect(book.account.balance).toBe(10);
    expect(last(book, 'PointsRefunded').refunded_total).toBe(10);
    audited(book);
  });

  it('12: a reversal takes its own points first, and a refund repays its debt', () => {
    const book = given(['A', 10, null], ['B', 5, null]);
    consume(book, 6);
    const id = last(book, 'HoldConfirmed').hold_id;
    reverseRecharge(book, 'A');
    const reversed = last(book, 'RechargeReversed');
    expect(named(book, reversed.allocations)).toBe('A4 B5');
    expect(reversed).toMatchObject({ points: 10, debt_added: 1, balance_after: -1 });
    refund(book, id, 6);
    expect(returned(book)).toBe('A6');
    expect(last(book, 'PointsRefunded').debt_repaid).toMatchObject([
      { debt_ref: 'reversal:A', points: 1 },
    ]);
    expect(book.account.balance).toBe(5);
    audited(book);
  });

  it('13: what has expired of a recharge is not owed', () => {
    const book = given(['A', 10, 50]);
    consume(book, 3);
    book.nowMs = t(60);
    reverseRecharge(book, 'A');
    expect(last(book, 'BatchExpired').points).toBe(7);
    expect(last(book, 'RechargeReversed')).toMatchObject({
      points: 3,
      expired_not_owed: 7,
      allocations: [],
      debt_added: 3,
    });
    expect(book.account.debt).toBe(3);
    audited(book);
  });

  it('14: adjustments down stop at what is there unless forced; up repays', () => {
    const book = given(['A', 5, 50], ['B', 5, null]);
    adjust(book, -7);
    expect(named(book, last(book, 'PointsAdjusted').allocations)).toBe('A5 B2');
    expect(adjust(book, -7)).toMatchObject({
      refusal: {
        code: 'insufficient_points',
        details: { required: 7, available: 3, balance: 3, shortfall: 4 },
      },
    });
    adjust(book, -7, { forced: true });
    expect(named(book, last(book, 'PointsAdjusted').allocations)).toBe('B3');
    expect(last(book, 'PointsAdjusted').debt_added).toBe(4);
    adjust(book, 10);
    expect(last(book, 'PointsAdjusted').debt_repaid).toMatchObject([{ points: 4 }]);
    expect(book.account.balance).toBe(6);
    audited(book);
  });
});
