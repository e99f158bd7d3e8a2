import { describe, expect, it } from 'vitest';
import {
  cancel,
  confirm,
  dump,
  hold,
  openBook,
  recharge,
  replay,
  uuidAt,
} from '../testing/book.ts';
import { freshAccount } from './account.ts';
import { evolve } from './evolve.ts';
import type { AccountEvent, RecordedAccountEvent } from './events.ts';

/** An account with 10 points, an open hold of 4 and a debt-free past; and events that cannot follow it. */
function given() {
  const book = openBook();
  recharge(book, 10);
  const holdId = uuidAt(book.nowMs);
  hold(book, 4, { holdId });
  const batchId = book.account.batches[0]?.batchId ?? '';
  const next = (event: AccountEvent): RecordedAccountEvent => ({
    event,
    context: {
      command_id: uuidAt(book.nowMs),
      request_hash: 'h',
      index: 0,
      occurred_at: '2026-01-01T00:00:00.000Z',
    },
  });
  return { book, holdId, batchId, next };
}

const BALANCES = { balance_before: 0, balance_after: 0, available_after: 0, debt_after: 0 };

const confirmed = {
  held_amount: 4,
  requested_amount: 4,
  actual_amount: 4,
  released: 0,
  overage: 0,
  debt_added: 0,
  waived: 0,
  description: '',
  ...BALANCES,
};

describe('evolve refuses an event that cannot follow', () => {
  type Make = (account: { holdId: string; batchId: string }) => AccountEvent;

  it.each<{ what: string; make: Make; message: RegExp }>([
    {
      what: 'a confirm of a hold that is not open',
      make: ({ batchId }) => ({
        type: 'HoldConfirmed',
        data: {
          ...confirmed,
          hold_id: 'x',
          allocations: [{ batch_id: batchId, points: 4 }],
          debt_repaid: [],
        },
      }),
      message: /^HoldConfirmed of a hold that is not open: x$/,
    },
    {
      what: 'a cancel of a hold that is not open',
      make: () => ({
        type: 'HoldCanceled',
        data: {
          hold_id: 'x',
          reason: 'caller',
          released: 4,
          debt_repaid: [],
          grace: [],
          ...BALANCES,
        },
      }),
      message: /^HoldCanceled of a hold that is not open: x$/,
    },
    {
      what: 'a charge above what the batch has',
      make: ({ holdId, batchId }) => ({
        type: 'HoldConfirmed',
        data: {
          ...confirmed,
          hold_id: holdId,
          allocations: [{ batch_id: batchId, points: 11 }],
          debt_repaid: [],
        },
      }),
      message: /0 pinned of -1 remaining of 10$/,
    },
    {
      what: 'a repayment of no debt',
      make: ({ holdId, batchId }) => ({
        type: 'HoldConfirmed',
        data: {
          ...confirmed,
          hold_id: holdId,
          allocations: [],
          debt_repaid: [{ debt_ref: 'd', batch_id: batchId, points: 1 }],
        },
      }),
      message: /^repayment of 1 to d, which is not the oldest debt$/,
    },
    {
      what: 'an expiry of pinned points',
      make: ({ batchId }) => ({
        type: 'BatchExpired',
        data: {
          batch_id: batchId,
          points: 7,
          expired_at: '2026-01-01T00:00:00.000Z',
          pinned_left: 4,
          ...BALANCES,
        },
      }),
      message: /4 pinned of 3 remaining of 10$/,
    },
    {
      what: 'an expiry of an unknown batch',
      make: () => ({
        type: 'BatchExpired',
        data: {
          batch_id: 'b',
          points: 1,
          expired_at: '2026-01-01T00:00:00.000Z',
          pinned_left: 0,
          ...BALANCES,
        },
      }),
      message: /^no points left in batch b$/,
    },
  ])('$what', ({ make, message }) => {
    const { book, next, ...names } = given();
    const before = dump(book.account);
    expect(() => evolve(book.account, next(make(names)))).toThrow(message);
    expect(dump(book.account)).toEqual(before);
  });

  it.each([
    { what: 'another debt than the oldest', debtRef: 'other', points: 1 },
    { what: 'more than the oldest debt', debtRef: 'h1', points: 3 },
  ])('a repayment to $what', ({ debtRef, points }) => {
    // Owes 2; the batch's 4 points would do.
    const { book, holdId, batchId, next } = given();
    const overspent = uuidAt(book.nowMs);
    hold(book, 6, { holdId: overspent });
    confirm(book, overspent, 8);
    const debt_ref = debtRef === 'h1' ? overspent : debtRef;
    const event: AccountEvent = {
      type: 'HoldCanceled',
      data: {
        hold_id: holdId,
        reason: 'caller',
        released: 4,
        debt_repaid: [{ debt_ref, batch_id: batchId, points }],
        grace: [],
        ...BALANCES,
      },
    };
    expect(() => evolve(book.account, next(event))).toThrow('which is not the oldest debt');
  });
});

describe('replay', () => {
  it('of the events’ JSON gives the state that was decided on, and old states stay readable', () => {
    const { book, holdId } = given();
    const old = { account: book.account, look: dump(book.account) };
    confirm(book, holdId, 13);
    cancel(book, uuidAt(book.nowMs));
    recharge(book, 5);
    expect(dump(replay(book.events))).toEqual(dump(book.account));
    expect(dump(old.account)).toEqual(old.look);
  });

  it('an event that claims an earlier time does not turn the account’s time back', () => {
    const { book, next } = given();
    const earlier = next({
      type: 'HoldCanceled',
      data: {
        hold_id: 'x',
        reason: 'tombstone',
        released: 0,
        debt_repaid: [],
        grace: [],
        ...BALANCES,
      },
    });
    const account = evolve(book.account, {
      ...earlier,
      context: { ...earlier.context, occurred_at: '2025-01-01T00:00:00.000Z' },
    });
    expect(account.lastEventMs).toBe(book.account.lastEventMs);
  });

  it('fresh accounts share nothing', () => {
    const { book } = given();
    expect(dump(freshAccount())).toEqual(dump(replay([])));
    expect(book.account.revision).toBe(1);
  });

  it('a log with a time that is none is damaged', () => {
    const { book } = given();
    const [first] = book.events;
    if (first === undefined) throw new Error('no event');
    const damaged = { ...first, context: { ...first.context, occurred_at: 'yesterday' } };
    expect(() => replay([damaged])).toThrow('not a time: yesterday');
  });
});
