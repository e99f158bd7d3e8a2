import {
  cancel,
  confirm,
  consume,
  hold,
  recharge,
  START_MS,
  sweep,
  uuidAt,
} from '@points/domain/testing/book';
import { HOUR_MS } from '@points/domain/time';
import { describe, expect, it } from 'vitest';
import { eventsOf, projected, rowsOf } from '../testing/projected.ts';

describe('user_points', () => {
  it('counts what was paid, given as bonus and rewarded', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10, { bonus: 2, source: 'order' });
      recharge(book, 3, { source: 'admin' });
      recharge(book, 4, { source: 'import' });
      recharge(book, 5, { source: 'reward' });
    });
    expect(set.accounts.find('a')).toMatchObject({
      balance: 24,
      total_recharged: 19,
      total_rewarded: 5,
      ledger_version: 3,
    });
  });

  it('takes its id from the position of the account’s first event', async () => {
    const events = await eventsOf((writer) => {
      recharge(writer.book('a'), 1);
      recharge(writer.book('a'), 1);
    });
    expect(projected(events).accounts.find('a')?.id).toBe(String(events[0]?.position));
  });

  it('shows debt after a charge beyond all points', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10);
      consume(book, 6, {}, 13);
    });
    expect(set.accounts.find('a')).toMatchObject({ balance: -3, debt: 3, total_consumed: 13 });
  });

  it('moves no balance when a recharge repays debt', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10);
      consume(book, 6, {}, 13);
      recharge(book, 5);
    });
    expect(set.accounts.find('a')).toMatchObject({ balance: 2, debt: 0, total_recharged: 15 });
    expect(set.transactions.map(({ type, delta }) => [type, delta])).toEqual([
      ['recharge', 10],
      ['consume', -13],
      ['recharge', 5],
    ]);
  });
});

describe('point_transactions', () => {
  it('has the hold’s particulars on the charge', async () => {
    const holdId = uuidAt(START_MS);
    const set = await rowsOf((book) => {
      recharge(book, 10, { sourceRef: 'pay-1' });
      const request = {
        sourceType: 'tts',
        bizType: 'video',
        bizId: 'v-1',
        description: '配音合成',
      };
      hold(book, 10, { holdId, request: { ...request, quantity: 2, estimatedDurationMs: 12_300 } });
      confirm(book, holdId, 7);
    });
    const [paid, charge] = set.transactions;
    const batch = set.batches.changed()[0];
    expect(paid).toMatchObject({
      type: 'recharge',
      source_id: 'pay-1',
      task_no: null,
      hold_id: null,
    });
    expect(charge).toMatchObject({
      type: 'consume',
      delta: -7,
      balance_before: 10,
      balance_after: 3,
      source_type: 'tts',
      source_id: 'v-1',
      biz_type: 'video',
      hold_id: holdId,
      task_no: set.holds.changed()[0]?.task_no,
      description: '配音合成',
      batch_id: batch?.id,
      batch_allocations: [{ batch_id: batch?.batch_id, points: 7 }],
      // Charged for less than was announced, and nobody said how long it took.
      quantity: null,
      duration: null,
    });
  });

  it.each([
    ['as announced', undefined, { quantity: 2, duration: 12.3 }],
    [
      'other duration',
      { kind: 'duration', durationMs: 4_500 } as const,
      { quantity: null, duration: 4.5 },
    ],
  ])('says how much was used: %s', async (_, actual, expected) => {
    const set = await rowsOf((book) => {
      recharge(book, 100);
      consume(
        book,
        10,
        { request: { quantity: 2, estimatedDurationMs: 12_300 }, terms: PER_SECOND },
        actual,
      );
    });
    expect(set.transactions.at(-1)).toMatchObject(expected);
  });

  it('has no row where the balance did not move', async () => {
    const holdId = uuidAt(START_MS);
    const set = await rowsOf((book) => {
      recharge(book, 10);
      hold(book, 4, { holdId });
      cancel(book, holdId);
      consume(book, 0);
      const unused = uuidAt(START_MS);
      hold(book, 4, { holdId: unused });
      confirm(book, unused, 0);
    });
    expect(set.transactions.map((row) => row.delta)).toEqual([10]);
  });

  it('shows what expired', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10, { expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
      book.nowMs = START_MS + 2 * HOUR_MS;
      sweep(book);
    });
    expect(set.transactions.at(-1)).toMatchObject({
      type: 'expire',
      delta: -10,
      description: '积分过期',
    });
    expect(set.batches.changed()[0]).toMatchObject({
      remaining: 0,
      expired_at: new Date(START_MS + 2 * HOUR_MS).toISOString(),
    });
  });
});

describe('point_batches', () => {
  it('gives points of a due batch that a failed task released a batch of their own', async () => {
    const holdId = uuidAt(START_MS);
    const set = await rowsOf((book) => {
      recharge(book, 10, { sourceRef: 'pay-1', expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
      hold(book, 6, { holdId });
      book.nowMs = START_MS + 2 * HOUR_MS;
      cancel(book, holdId, 'failed');
    });
    expect(
      set.batches
        .changed()
        .map(({ kind, points, remaining, held, source_ref }) => [
          kind,
          points,
          remaining,
          held,
          source_ref,
        ]),
    ).toEqual([
      ['paid', 10, 0, 0, 'pay-1'],
      ['grace', 6, 6, 0, 'pay-1'],
    ]);
  });

  it('has an id for each batch of one event', async () => {
    const set = await rowsOf((book) => void recharge(book, 10, { bonus: 2 }));
    const ids = set.batches.changed().map((batch) => batch.id);
    expect(new Set(ids).size).toBe(2);
  });
});

describe('point_holds', () => {
  it('has no row for a tombstone', async () => {
    const set = await rowsOf((book) => void cancel(book, uuidAt(START_MS)));
    expect(set.accounts.find('a')).toMatchObject({ balance: 0, ledger_version: 0 });
    expect(set.holds.changed()).toEqual([]);
  });

  it('says why a hold was canceled', async () => {
    const holdId = uuidAt(START_MS);
    const set = await rowsOf((book) => {
      recharge(book, 10);
      hold(book, 6, { holdId });
      cancel(book, holdId, 'client_abort');
    });
    expect(set.holds.changed()).toMatchObject([
      {
        hold_id: holdId,
        status: 'canceled',
        reason: 'client_abort',
        actual_amount: null,
        revision: 1,
      },
    ]);
  });
});

describe('point_commands', () => {
  it('points at the first event of each command', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10);
      consume(book, 6);
      recharge(book, 1);
    });
    expect(set.commands.map((command) => command.revision)).toEqual([0, 1, 3]);
  });
});

const PER_SECOND = {
  price: {
    mode: 'duration',
    unit: 'second',
    unit_price: '1',
    min_points: 1,
    rounding: 'ceil',
    source: 'operation:tts',
    config_version: '1',
  },
  amount: 13,
  listPrice: 13,
  chargeMode: 'charged',
  memberFree: false,
  overage: 'debt',
  debtFloor: null,
  failurePolicy: 'cancel',
  ttlMs: HOUR_MS,
  description: '',
} as const;
