import { describe, expect, it } from 'vitest';
import { createAuditor } from '../testing/auditor.ts';
import {
  type Book,
  cancel,
  confirm,
  consume,
  eventsOf,
  hold,
  openBook,
  recharge,
  uuidAt,
} from '../testing/book.ts';
import { DAY_MS, HOUR_MS } from '../time.ts';
import type { OveragePolicy } from './events.ts';
import { MAX_BALANCE } from './batches.ts';

function withPoints(points: number): Book {
  const book = openBook();
  if (points > 0) recharge(book, points);
  return book;
}

function placed(book: Book, amount: number, options: Parameters<typeof hold>[2] = {}): string {
  const holdId = uuidAt(book.nowMs);
  expect(hold(book, amount, { ...options, holdId }).outcome).toBe('accepted');
  return holdId;
}

function audited(book: Book): void {
  const auditor = createAuditor();
  for (const event of book.events) auditor.check(event);
}

interface Row {
  readonly policy: OveragePolicy;
  readonly floor: number | null;
  /** Free points beside the hold's own 10. */
  readonly free: number;
  /** Debt of an earlier charge; only beside `free` 0. */
  readonly owed?: number;
  readonly actual: number;
  /** charged / released / debt added / waived, or the refusal. */
  readonly result: string;
}

describe('confirm of a hold of 10', () => {
  it.each<Row>([
    { policy: 'debt', floor: null, free: 0, actual: 0, result: '0 / 10 / 0 / 0' },
    { policy: 'debt', floor: null, free: 0, actual: 4, result: '4 / 6 / 0 / 0' },
    { policy: 'debt', floor: null, free: 0, actual: 10, result: '10 / 0 / 0 / 0' },
    { policy: 'debt', floor: null, free: 5, actual: 13, result: '13 / 0 / 0 / 0' },
    { policy: 'debt', floor: null, free: 5, actual: 18, result: '18 / 0 / 3 / 0' },
    { policy: 'debt', floor: null, free: 0, owed: 4, actual: 18, result: '18 / 0 / 8 / 0' },
    { policy: 'debt', floor: 0, free: 5, actual: 18, result: '15 / 0 / 0 / 3' },
    { policy: 'debt', floor: 2, free: 5, actual: 18, result: '17 / 0 / 2 / 1' },
    { policy: 'debt', floor: 3, free: 5, actual: 18, result: '18 / 0 / 3 / 0' },
    { policy: 'debt', floor: 6, free: 0, owed: 4, actual: 18, result: '12 / 0 / 2 / 6' },
    { policy: 'debt', floor: 3, free: 0, owed: 4, actual: 18, result: '10 / 0 / 0 / 8' },
    { policy: 'debt', floor: 3, free: 0, owed: 4, actual: 6, result: '6 / 4 / 0 / 0' },
    { policy: 'cap', floor: null, free: 0, actual: 18, result: '10 / 0 / 0 / 8' },
    { policy: 'cap', floor: null, free: 5, actual: 13, result: '13 / 0 / 0 / 0' },
    { policy: 'cap', floor: null, free: 5, actual: 18, result: '15 / 0 / 0 / 3' },
    { policy: 'cap', floor: 9, free: 5, actual: 18, result: '15 / 0 / 0 / 3' },
    { policy: 'cap', floor: null, free: 0, owed: 4, actual: 18, result: '10 / 0 / 0 / 8' },
    { policy: 'cap', floor: null, free: 5, actual: 4, result: '4 / 6 / 0 / 0' },
    { policy: 'reject', floor: null, free: 5, actual: 11, result: 'overage_rejected' },
    { policy: 'reject', floor: null, free: 5, actual: 10, result: '10 / 0 / 0 / 0' },
    { policy: 'reject', floor: null, free: 5, actual: 3, result: '3 / 7 / 0 / 0' },
  ])('$policy, floor $floor, free $free, owed $owed, used $actual: $result', (row) => {
    const book = withPoints(row.free + 11);
    const holdId = placed(book, 10, { overage: row.policy, debtFloor: row.floor });
    if (row.owed === undefined) consume(book, 1);
    else confirm(book, placed(book, 1), 1 + row.owed);
    const before = book.account;
    const decision = confirm(book, holdId, row.actual);
    if (decision.outcome !== 'accepted') {
      expect(decision).toEqual({
        outcome: 'refused',
        refusal: { code: row.result, details: { held_amount: 10, requested_amount: row.actual } },
      });
      expect(book.account).toBe(before);
      // The hold stays open.
      expect(confirm(book, holdId).outcome).toBe('accepted');
      return;
    }
    const [event] = eventsOf(book, 'HoldConfirmed').slice(-1);
    expect(
      `${event?.actual_amount} / ${event?.released} / ${event?.debt_added} / ${event?.waived}`,
    ).toBe(row.result);
    expect(event).toMatchObject({
      held_amount: 10,
      requested_amount: row.actual,
      overage: Math.max(0, (event?.actual_amount ?? 0) - 10),
    });
    audited(book);
  });

  it('is never refused for the points of other holds, and takes none of theirs', () => {
    const book = withPoints(20);
    const mine = placed(book, 10);
    placed(book, 10);
    confirm(book, mine, 15);
    expect(eventsOf(book, 'HoldConfirmed')).toMatchObject([{ actual_amount: 15, debt_added: 5 }]);
    expect(book.account).toMatchObject({ balance: 5, held: 10, debt: 5 });
    audited(book);
  });

  it('cap takes no points that are due', () => {
    const book = withPoints(10);
    const holdId = placed(book, 10, { overage: 'cap' });
    recharge(book, 5, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    book.nowMs += HOUR_MS;
    confirm(book, holdId, 12);
    expect(eventsOf(book, 'HoldConfirmed')).toMatchObject([{ actual_amount: 10, waived: 2 }]);
    audited(book);
  });

  it('debt has an end: what would pass the largest sum is waived', () => {
    const book = withPoints(1);
    const holdId = placed(book, 1);
    confirm(book, holdId, MAX_BALANCE + 2);
    expect(eventsOf(book, 'HoldConfirmed')).toMatchObject([{ debt_added: MAX_BALANCE, waived: 1 }]);
    expect(Number.isSafeInteger(book.account.balance)).toBe(true);
  });
});

describe('released pins', () => {
  it('go back to exactly their batches', () => {
    const book = openBook();
    const batches = [1, 2, 3].map((days) => {
      recharge(book, 4, { expiry: { kind: 'at', atMs: book.nowMs + days * DAY_MS } });
      return book.account.batches.at(-1)?.batchId;
    });
    const holdId = placed(book, 10);
    confirm(book, holdId, 5);
    expect(eventsOf(book, 'HoldConfirmed')[0]?.allocations).toEqual([
      { batch_id: batches[0], points: 4 },
      { batch_id: batches[1], points: 1 },
    ]);
    expect(book.account.batches).toMatchObject([
      { batchId: batches[1], remaining: 3, pinned: 0 },
      { batchId: batches[2], remaining: 4, pinned: 0 },
    ]);
    audited(book);
  });

  it('repay the oldest debt first, in spend order, and the rest is free', () => {
    const book = openBook();
    recharge(book, 6, { expiry: { kind: 'at', atMs: book.nowMs + DAY_MS } });
    recharge(book, 6);
    const [first, second] = [placed(book, 1), placed(book, 1)];
    const last = placed(book, 10);
    confirm(book, first, 4);
    confirm(book, second, 5);
    confirm(book, last, 1);
    const [soon, never] = eventsOf(book, 'PointsRecharged').map(
      (each) => each.batches[0]?.batch_id,
    );
    expect(eventsOf(book, 'HoldConfirmed').at(-1)).toMatchObject({
      allocations: [{ batch_id: soon, points: 1 }],
      released: 9,
      debt_repaid: [
        { debt_ref: first, batch_id: soon, points: 3 },
        { debt_ref: second, batch_id: never, points: 4 },
      ],
      balance_after: 2,
      debt_after: 0,
    });
    audited(book);
  });
});

describe('consume', () => {
  it('is a hold and its confirm in one append', () => {
    const book = withPoints(10);
    const decision = consume(book, 4, {}, 6);
    expect(
      decision.outcome === 'accepted' &&
        decision.events.map((each) => [each.event.type, each.context.index]),
    ).toEqual([
      ['PointsHeld', 0],
      ['HoldConfirmed', 1],
    ]);
    expect(book.account).toMatchObject({ balance: 4, held: 0 });
    audited(book);
  });

  it('needs the estimate, not the use: beyond it the policy decides', () => {
    const book = withPoints(10);
    expect(consume(book, 11, {}, 1)).toMatchObject({ refusal: { code: 'insufficient_points' } });
    expect(consume(book, 4, { overage: 'reject' }, 5)).toMatchObject({
      refusal: { code: 'overage_rejected' },
    });
    expect(book.account).toMatchObject({ balance: 10, held: 0 });
    consume(book, 4, {}, 12);
    expect(book.account).toMatchObject({ balance: -2, debt: 2 });
    audited(book);
  });

  it('settles for good: its hold cannot be canceled', () => {
    const book = withPoints(10);
    const holdId = uuidAt(book.nowMs);
    consume(book, 4, { holdId });
    expect(cancel(book, holdId)).toMatchObject({ refusal: { code: 'hold_already_confirmed' } });
  });
});
