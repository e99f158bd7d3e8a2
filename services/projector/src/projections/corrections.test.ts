import {
  adjust,
  cancel,
  charged,
  confirm,
  consume,
  extend,
  freeze,
  grantMembership,
  hold,
  recharge,
  refund,
  reverseRecharge,
  revokeMembership,
  START_MS,
  sweep,
  unfreeze,
  uuidAt,
} from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@points/domain/time';
import { describe, expect, it } from 'vitest';
import { requestDigest } from '../testing/ledger-writer.ts';
import { rowsOf } from '../testing/projected.ts';
import { holdKey, membershipKey, sourceKey } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';

const inAnHour = { expiry: { kind: 'at', atMs: START_MS + HOUR_MS } } as const;

/** The latest row, without what every row has. */
function lastTransaction(set: WorkingSet) {
  return set.transactions.at(-1);
}

function account(set: WorkingSet) {
  return set.accounts.find('a');
}

function batchesOf(set: WorkingSet) {
  return set.batches
    .changed()
    .map(({ kind, points, remaining, source_ref }) => [kind, points, remaining, source_ref]);
}

function placeHold(book: Book, amount: number, options: Parameters<typeof hold>[2] = {}): string {
  const holdId = uuidAt(book.nowMs);
  hold(book, amount, { holdId, ...options });
  return holdId;
}

describe('a refund', () => {
  it('is one row with the particulars of its charge, whatever batches it returns to', async () => {
    let holdId = '';
    const set = await rowsOf((book) => {
      recharge(book, 5, { sourceRef: 'first', ...inAnHour });
      recharge(book, 5, { sourceRef: 'second' });
      holdId = placeHold(book, 10, {
        terms: charged(10, { refundDescription: '配音退款' }),
        request: { sourceType: 'tts', bizType: 'video', bizId: 'v-1', quantity: 2 },
      });
      confirm(book, holdId);
      book.nowMs += 2 * HOUR_MS;
      refund(book, holdId, 7);
    });
    const grace = set.batches.changed().at(-1);
    expect(set.transactions.length).toBe(4);
    expect(lastTransaction(set)).toMatchObject({
      type: 'refund',
      delta: 7,
      balance_before: 0,
      balance_after: 7,
      task_no: set.holds.find(holdKey('a', holdId))?.task_no,
      source_type: 'tts',
      source_id: 'v-1',
      biz_type: 'video',
      hold_id: holdId,
      quantity: null,
      description: '配音退款',
      operator: 'ann',
      batch_allocations: [
        { batch_id: set.batches.changed()[1]?.batch_id, points: 5 },
        { batch_id: grace?.batch_id, points: 2 },
      ],
    });
    expect(batchesOf(set)).toEqual([
      ['paid', 5, 0, 'first'],
      ['paid', 5, 5, 'second'],
      ['grace', 2, 2, 'first'],
    ]);
    expect(grace?.origin_batch_id).toBe(set.batches.changed()[0]?.batch_id);
    expect(account(set)).toMatchObject({ balance: 7, total_consumed: 10, total_refunded: 7 });
    expect(set.holds.find(holdKey('a', holdId))).toMatchObject({
      status: 'confirmed',
      actual_amount: 10,
      refunded: 7,
      revision: 2,
      settled_revision: 3,
      revisions: [2, 3, 4],
    });
  });

  it('of a debt says that the debt is gone', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10);
      const holdId = placeHold(book, 6);
      confirm(book, holdId, 13);
      refund(book, holdId, 4);
    });
    expect(account(set)).toMatchObject({ balance: 1, debt: 0, total_refunded: 4 });
    expect(lastTransaction(set)).toMatchObject({ delta: 4, balance_before: -3, balance_after: 1 });
    expect(lastTransaction(set)?.batch_allocations.map(({ points }) => points)).toEqual([1]);
  });

  it('of failed work is a charge and its refund; the hold counts as canceled', async () => {
    let holdId = '';
    const set = await rowsOf((book) => {
      recharge(book, 10);
      const terms = charged(10, {
        failurePolicy: 'charge_then_refund',
        description: 'AI写作 - blog',
        refundDescription: 'AI写作失败退款 - blog',
      });
      holdId = placeHold(book, 10, { terms });
      cancel(book, holdId, 'failed');
    });
    expect(
      set.transactions.map(({ type, delta, description }) => [type, delta, description]).slice(1),
    ).toEqual([
      ['consume', -10, 'AI写作 - blog'],
      ['refund', 10, 'AI写作失败退款 - blog'],
    ]);
    expect(set.holds.find(holdKey('a', holdId))).toMatchObject({
      status: 'canceled',
      reason: 'failed',
      actual_amount: null,
      refunded: 10,
      settled_revision: 2,
      revisions: [1, 2, 3],
    });
    expect(account(set)).toMatchObject({ balance: 10, held: 0, total_consumed: 10 });
  });
});

describe('a debt that is repaid', () => {
  it('is noted once at the hold that it came from', async () => {
    let holdId = '';
    const set = await rowsOf((book) => {
      recharge(book, 1);
      holdId = placeHold(book, 1);
      confirm(book, holdId, 9);
      recharge(book, 2, { bonus: 1 });
      adjust(book, 1);
      const other = placeHold(book, 0);
      confirm(book, other);
    });
    expect(set.holds.find(holdKey('a', holdId))?.revisions).toEqual([1, 2, 3, 4]);
    expect(account(set)).toMatchObject({ balance: -4, debt: 4, total_adjusted: 1 });
  });

  it.each([
    ['a release', (book: Book, other: string) => cancel(book, other)],
    ['a charge below what was held', (book: Book, other: string) => confirm(book, other, 1)],
    ['a refund', (book: Book, _: string, charge: string) => refund(book, charge, 2)],
  ])('is noted when %s repays it', async (_, repay) => {
    let holdId = '';
    const set = await rowsOf((book) => {
      recharge(book, 10);
      const charge = placeHold(book, 3);
      confirm(book, charge);
      const other = placeHold(book, 4);
      holdId = placeHold(book, 3);
      confirm(book, holdId, 8);
      repay(book, other, charge);
    });
    expect(set.holds.find(holdKey('a', holdId))?.revisions).toEqual([4, 5, 6]);
  });
});

describe('a reversal', () => {
  it.each([
    ['order', 'recharge', { total_recharged: 7, total_rewarded: 0 }],
    ['reward', 'reward', { total_recharged: 7, total_rewarded: 0 }],
  ] as const)('of source %s is a negative %s', async (source, type, totals) => {
    const set = await rowsOf((book) => {
      recharge(book, 7);
      recharge(book, 10, { source, sourceRef: 'pay-1' });
      reverseRecharge(book, 'pay-1');
    });
    expect(lastTransaction(set)).toMatchObject({
      type,
      delta: -10,
      source_id: 'pay-1',
      order_no: null,
      description: 'charged back',
      operator: 'ann',
      batch_id: set.batches.changed()[1]?.id,
    });
    expect(account(set)).toMatchObject({ balance: 7, total_reversed: 10, ...totals });
    expect(set.sources.find(sourceKey('a', 'pay-1'))).toMatchObject({
      source,
      revision: 1,
      reversed_revision: 2,
      revisions: [1, 2],
    });
  });

  it('takes no more than has not expired, and what is spent becomes debt', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10, { sourceRef: 'pay-1', ...inAnHour });
      consume(book, 3);
      book.nowMs += 2 * HOUR_MS;
      reverseRecharge(book, 'pay-1');
    });
    expect(set.transactions.map(({ type, delta }) => [type, delta])).toEqual([
      ['recharge', 10],
      ['consume', -3],
      ['expire', -7],
      ['recharge', -3],
    ]);
    expect(account(set)).toMatchObject({
      balance: -3,
      debt: 3,
      total_recharged: 7,
      total_expired: 7,
    });
    expect(set.sources.changed()[0]).toMatchObject({ reversed_revision: 3, revisions: [0, 3, 4] });
    expect(lastTransaction(set)).toMatchObject({ batch_id: null, batch_allocations: [] });
  });

  it('of points that have all expired moves nothing and has no row', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10, { sourceRef: 'pay-1', ...inAnHour });
      book.nowMs += 2 * HOUR_MS;
      reverseRecharge(book, 'pay-1');
    });
    expect(lastTransaction(set)?.type).toBe('expire');
    expect(set.sources.changed()[0]?.revisions).toEqual([0, 1, 2]);
  });
});

describe('point_sources', () => {
  it('has where a recharge stands, and what of it expired, in grace batches too', async () => {
    const set = await rowsOf((book) => {
      const context = { requestHash: 'the order' };
      recharge(book, 10, { sourceRef: 'pay-1', context, ...inAnHour });
      const holdId = placeHold(book, 4);
      book.nowMs += 2 * HOUR_MS;
      cancel(book, holdId, 'failed');
      book.nowMs += 8 * DAY_MS;
      sweep(book);
    });
    expect(set.sources.changed()).toEqual([
      {
        user_id: 'a',
        source_ref: 'pay-1',
        source: 'order',
        order_no: null,
        request_hash: requestDigest('the order'),
        revision: 0,
        reversed_revision: null,
        revisions: [0, 2, 4],
      },
    ]);
    expect(set.batches.changed().map(({ kind, expired }) => [kind, expired])).toEqual([
      ['paid', 6],
      ['grace', 4],
    ]);
  });

  it('names the first event of a command that first expired what was due', async () => {
    const set = await rowsOf((book) => {
      recharge(book, 10, inAnHour);
      book.nowMs += 2 * HOUR_MS;
      recharge(book, 10, { sourceRef: 'pay-2' });
    });
    const source = set.sources.find(sourceKey('a', 'pay-2'));
    expect(source).toMatchObject({ revision: 1, revisions: [2] });
  });
});

describe('an adjustment', () => {
  it.each([
    ['up', 5, [['adjust', 5, 5, null]]],
    ['down', -4, []],
  ])('%s is a row with its reason and who did it', async (_, delta, made) => {
    const set = await rowsOf((book) => {
      recharge(book, 10, { sourceRef: 'pay-1' });
      adjust(book, delta);
    });
    expect(batchesOf(set)).toEqual([['paid', 10, 10 + Math.min(0, delta), 'pay-1'], ...made]);
    expect(account(set)).toMatchObject({ balance: 10 + delta, total_adjusted: delta });
    expect(lastTransaction(set)).toMatchObject({
      type: 'admin_adjust',
      delta,
      description: 'put right',
      operator: 'ann',
      batch_id: set.batches.changed().at(-1)?.id,
    });
  });

  it('forced goes into debt', async () => {
    const set = await rowsOf((book) => void adjust(book, -4, { forced: true }));
    expect(account(set)).toMatchObject({ balance: -4, debt: 4, total_adjusted: -4 });
    expect(lastTransaction(set)).toMatchObject({ delta: -4, batch_id: null });
  });
});

describe('a freeze', () => {
  it('shows since when, until it ends; it is in no statement', async () => {
    const frozen = (book: Book) => {
      freeze(book);
      book.nowMs += HOUR_MS;
      freeze(book);
    };
    const set = await rowsOf(frozen);
    expect(account(set)?.frozen_at).toBe(new Date(START_MS).toISOString());
    expect(set.transactions).toEqual([]);
    const after = await rowsOf((book) => {
      frozen(book);
      unfreeze(book);
    });
    expect(account(after)).toMatchObject({ frozen_at: null, ledger_version: 2 });
  });
});

describe('a hold', () => {
  it('shows its new expiry when it is extended', async () => {
    let holdId = '';
    const set = await rowsOf((book) => {
      recharge(book, 10);
      holdId = placeHold(book, 5);
      extend(book, holdId, 2 * HOUR_MS);
    });
    expect(set.holds.find(holdKey('a', holdId))).toMatchObject({
      status: 'pending',
      expires_at: new Date(START_MS + 2 * HOUR_MS).toISOString(),
      revisions: [1, 2],
    });
    expect(set.transactions.length).toBe(1);
  });

  it('that expired stays canceled when it is confirmed late; the late one has its labels', async () => {
    let holdId = '';
    const set = await rowsOf((book) => {
      recharge(book, 10);
      holdId = placeHold(book, 5, { request: { sourceType: 'tts', bizId: 'v-1' } });
      book.nowMs += HOUR_MS;
      book.watermarkMs = book.nowMs;
      sweep(book);
      book.nowMs += MINUTE_MS;
      confirm(book, holdId, 4);
    });
    const late = `late ${holdId}`;
    const expired = set.holds.find(holdKey('a', holdId));
    expect(expired).toMatchObject({
      status: 'canceled',
      reason: 'expired',
      late_of: null,
      late_hold_id: late,
      revisions: [1, 2, 3, 4],
    });
    expect(set.holds.find(holdKey('a', late))).toMatchObject({
      status: 'confirmed',
      actual_amount: 4,
      late_of: holdId,
      late_hold_id: null,
      settled_revision: 3,
      revisions: [3, 4],
    });
    expect(lastTransaction(set)).toMatchObject({
      type: 'consume',
      delta: -4,
      hold_id: late,
      task_no: expired?.task_no,
      source_type: 'tts',
      source_id: 'v-1',
    });
  });

  it('that was canceled before it came leaves a tombstone', async () => {
    const holdId = uuidAt(START_MS);
    const set = await rowsOf((book) => {
      recharge(book, 10, inAnHour);
      book.nowMs += 2 * HOUR_MS;
      cancel(book, holdId, 'caller', { requestHash: 'too early' });
    });
    expect(set.holds.changed()).toEqual([]);
    expect(set.tombstones).toEqual([
      { user_id: 'a', hold_id: holdId, request_hash: requestDigest('too early'), revision: 1 },
    ]);
  });
});

describe('memberships', () => {
  it('has every period, and when those that had not ended were revoked', async () => {
    const day = (days: number) => new Date(START_MS + days * DAY_MS).toISOString();
    const set = await rowsOf((book) => {
      grantMembership(book, 1, { orderNo: 'o-1', context: { requestHash: 'grant' } });
      book.nowMs += 2 * DAY_MS;
      grantMembership(book, 1, { orderNo: 'o-2' });
      grantMembership(book, 1, { orderNo: 'o-3', type: 'year' });
      book.nowMs += DAY_MS / 2;
      revokeMembership(book);
      grantMembership(book, 1, { orderNo: 'o-4' });
    });
    expect(set.memberships.find(membershipKey('a', 'o-1'))).toEqual({
      user_id: 'a',
      order_no: 'o-1',
      membership_type: 'month',
      start_date: day(0),
      end_date: day(1),
      revoked_at: null,
      request_hash: requestDigest('grant'),
      revision: 0,
    });
    expect(
      set.memberships
        .changed()
        .map((row) => [row.order_no, row.start_date, row.end_date, row.revoked_at]),
    ).toEqual([
      ['o-1', day(0), day(1), null],
      ['o-2', day(2), day(3), day(2.5)],
      ['o-3', day(3), day(4), day(2.5)],
      ['o-4', day(2.5), day(3.5), null],
    ]);
    expect(set.transactions).toEqual([]);
  });
});
