import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { bearer, buildTestApp } from '../testing/test-app.ts';
import {
  createTestTables,
  insertAccount,
  insertBatch,
  insertTransaction,
  type TestTables,
} from '../testing/read-tables.ts';

let tables: TestTables;
let app: FastifyInstance;

beforeAll(async () => {
  tables = await createTestTables(inject('postgresUrl'));
  app = buildTestApp({ db: tables.db });
});

afterAll(async () => {
  await app.close();
  await tables.close();
});

async function get<Data>(user: string, path: string): Promise<Data> {
  const response = await app.inject({
    url: `/user/points/consumption/${path}`,
    headers: await bearer(user),
  });
  expect(response.json()).toMatchObject({ code: 200, message: 'success' });
  expect(Object.keys(response.json())).toEqual(['code', 'message', 'data']);
  return response.json<{ data: Data }>().data;
}

/** The last moment of a day in Shanghai. */
function endOf(day: string): Date {
  return new Date(`${day}T15:59:59.999Z`);
}

describe('balance', () => {
  test('is exactly as documented, with held, available and expiring points besides', async () => {
    const user_id = 'documented';
    await insertAccount(tables.db, { user_id, balance: 1500, held: 200 });
    await insertBatch(tables.db, {
      user_id,
      remaining: 1000,
      expires_at: endOf('2025-12-31'),
      held: 200,
    });
    await insertBatch(tables.db, { user_id, remaining: 300, expires_at: endOf('2025-12-31') });
    await insertBatch(tables.db, { user_id, remaining: 100, expires_at: endOf('2026-03-01') });
    await insertBatch(tables.db, { user_id, remaining: 100, expires_at: null });
    expect(await get(user_id, 'balance')).toStrictEqual({
      currentPoints: 1500,
      pointsExpiresAt: '2025-12-31T23:59:59',
      willExpireSoon: false,
      daysUntilExpire: 70,
      heldPoints: 200,
      availablePoints: 1300,
      expiringPoints: 1300,
    });
  });

  test('is 0 for an account that has no events', async () => {
    expect(await get('nobody', 'balance')).toStrictEqual({
      currentPoints: 0,
      pointsExpiresAt: null,
      willExpireSoon: false,
      daysUntilExpire: null,
      heldPoints: 0,
      availablePoints: 0,
      expiringPoints: 0,
    });
  });

  test('counts what is due as expired though it was not swept, but not what a hold has pinned', async () => {
    const user_id = 'due';
    await insertAccount(tables.db, { user_id, balance: 40, held: 6 });
    await insertBatch(tables.db, {
      user_id,
      remaining: 10,
      held: 6,
      expires_at: new Date('2025-10-22T02:30:00.000Z'),
    });
    await insertBatch(tables.db, { user_id, remaining: 5, expires_at: endOf('2025-10-20') });
    await insertBatch(tables.db, { user_id, remaining: 25, expires_at: endOf('2025-10-29') });
    expect(await get(user_id, 'balance')).toMatchObject({
      currentPoints: 31,
      heldPoints: 6,
      availablePoints: 25,
      expiringPoints: 25,
      pointsExpiresAt: '2025-10-29T23:59:59',
    });
  });

  test('points on hold in a batch that is due are all there is', async () => {
    const user_id = 'pinned';
    await insertAccount(tables.db, { user_id, balance: 10, held: 6 });
    await insertBatch(tables.db, {
      user_id,
      remaining: 10,
      held: 6,
      expires_at: endOf('2025-10-21'),
    });
    expect(await get(user_id, 'balance')).toMatchObject({
      currentPoints: 6,
      heldPoints: 6,
      availablePoints: 0,
      pointsExpiresAt: null,
      expiringPoints: 0,
    });
  });

  test('ignores batches of which nothing is left', async () => {
    const user_id = 'spent';
    await insertAccount(tables.db, { user_id, balance: 5 });
    await insertBatch(tables.db, {
      user_id,
      points: 10,
      remaining: 0,
      expires_at: endOf('2025-10-25'),
    });
    await insertBatch(tables.db, { user_id, remaining: 5, expires_at: endOf('2025-11-25') });
    expect(await get(user_id, 'balance')).toMatchObject({
      pointsExpiresAt: '2025-11-25T23:59:59',
      expiringPoints: 5,
    });
  });

  test('may be negative', async () => {
    const totals = { total_recharged: 10, total_consumed: 13, debt: 3 };
    await insertAccount(tables.db, { user_id: 'debtor', balance: -3, ...totals });
    expect(await get('debtor', 'balance')).toMatchObject({
      currentPoints: -3,
      availablePoints: -3,
    });
  });

  test.each([
    ['2025-10-22', 0, true],
    ['2025-10-29', 7, true],
    ['2025-10-30', 8, false],
  ])(
    'of points until the end of %s, %i days away, expires soon: %s',
    async (day, daysUntilExpire, willExpireSoon) => {
      const user_id = `until-${day}`;
      await insertAccount(tables.db, { user_id, balance: 5 });
      await insertBatch(tables.db, { user_id, remaining: 5, expires_at: endOf(day) });
      expect(await get(user_id, 'balance')).toMatchObject({ daysUntilExpire, willExpireSoon });
    },
  );
});

describe('stats', () => {
  test('are exactly as documented', async () => {
    const user_id = 'stats';
    const totals = { total_recharged: 2000, total_consumed: 500 };
    await insertAccount(tables.db, { user_id, balance: 1500, ...totals });
    await insertBatch(tables.db, { user_id, remaining: 1500, expires_at: endOf('2025-12-31') });
    expect(await get(user_id, 'stats')).toStrictEqual({
      currentPoints: 1500,
      totalRechargePoints: 2000,
      totalConsumePoints: 500,
      totalRefundPoints: 0,
      pointsExpiresAt: '2025-12-31T23:59:59',
      totalExpiredPoints: 0,
      totalRewardPoints: 0,
    });
  });

  test('add up to the current points, also while something is due', async () => {
    const user_id = 'sums';
    const totals = {
      total_recharged: 100,
      total_rewarded: 7,
      total_consumed: 30,
      total_refunded: 5,
      total_expired: 2,
    };
    await insertAccount(tables.db, { user_id, balance: 80, ...totals });
    await insertBatch(tables.db, {
      user_id,
      remaining: 80,
      held: 0,
      expires_at: endOf('2025-10-21'),
    });
    const stats = await get<Record<string, number>>(user_id, 'stats');
    expect(stats).toMatchObject({
      currentPoints: 0,
      totalExpiredPoints: 82,
      totalRewardPoints: 7,
      totalRefundPoints: 5,
    });
  });

  test('are 0 for an account that has no events', async () => {
    const stats = await get<Record<string, number | null>>('nobody', 'stats');
    expect(new Set(Object.values(stats))).toEqual(new Set([0, null]));
  });
});

interface Logs {
  records: { id: number; changeType: string; description: string }[];
  total: number;
  page: number;
  size: number;
  totalPages: number;
}

describe('logs', () => {
  const user = 'spender';
  const idsOf = async (query: string) =>
    (await get<Logs>(user, `logs?${query}`)).records.map(({ id }) => id);

  beforeAll(async () => {
    const rows = [
      {
        id: 100n,
        type: 'recharge',
        delta: 1510,
        balance_before: 0,
        balance_after: 1510,
        occurred_at: '2025-10-20T16:00:00Z',
        description: '充值',
      },
      {
        id: 101n,
        type: 'consume',
        task_no: 'TASK202510221234567890',
        description: 'AI图片生成消费',
        occurred_at: '2025-10-22T02:30:00.700Z',
      },
      {
        id: 102n,
        type: 'refund',
        delta: 10,
        balance_before: 1500,
        balance_after: 1510,
        occurred_at: '2025-10-22T02:30:01Z',
        description: '100% Back_slash \\',
      },
      { id: 103n, type: 'admin_adjust', occurred_at: '2025-10-22T15:59:59.999Z' },
      {
        id: 104n,
        type: 'reward',
        delta: 10,
        balance_before: 1500,
        balance_after: 1510,
        occurred_at: '2025-10-22T16:00:00Z',
      },
      {
        id: 105n,
        type: 'expire',
        occurred_at: '2025-10-23T00:00:00Z',
        duration: 12.3,
        description: '【配音合成】\n第二行',
      },
    ] as const;
    for (const row of rows) await insertTransaction(tables.db, { user_id: user, ...row });
    await insertTransaction(tables.db, {
      user_id: 'somebody-else',
      id: 200n,
      description: 'AI图片生成消费',
    });
    for (let number = 0; number < 25; number += 1) {
      await insertTransaction(tables.db, { user_id: 'busy', id: BigInt(1_000 + number) });
    }
  });

  test('are exactly as documented, with the duration besides', async () => {
    expect(await get(user, 'logs?page=1&size=10&changeType=consume')).toStrictEqual({
      records: [
        {
          id: 101,
          taskNo: 'TASK202510221234567890',
          changeType: 'consume',
          changeTypeName: '消费',
          changeAmount: -10,
          balanceBefore: 1510,
          balanceAfter: 1500,
          description: 'AI图片生成消费',
          createTime: '2025-10-22T10:30:00',
          duration: null,
        },
      ],
      total: 1,
      page: 1,
      size: 10,
      totalPages: 1,
    });
  });

  test('come newest first, of every type, each with its name', async () => {
    const { records } = await get<Logs>(user, 'logs');
    expect(records).toMatchObject([
      {
        id: 105,
        changeType: 'expire',
        changeTypeName: '过期',
        duration: 12.3,
        description: '【配音合成】\n第二行',
      },
      { id: 104, changeType: 'reward', changeTypeName: '奖励' },
      { id: 103, changeType: 'admin_adjust', changeTypeName: '管理员调整', taskNo: null },
      { id: 102, changeType: 'refund', changeTypeName: '退款', changeAmount: 10 },
      { id: 101, changeType: 'consume', changeTypeName: '消费', changeAmount: -10 },
      {
        id: 100,
        changeType: 'recharge',
        changeTypeName: '充值',
        createTime: '2025-10-21T00:00:00',
      },
    ]);
  });

  test.each([
    ['changeType=REFUND', [102]],
    ['changeType=', [105, 104, 103, 102, 101, 100]],
    ['changeType=expire', [105]],
    ['startTime=2025-10-22', [105, 104, 103, 102, 101]],
    ['endTime=2025-10-22', [103, 102, 101, 100]],
    ['startTime=2025-10-22&endTime=2025-10-22', [103, 102, 101]],
    ['endTime=2025-10-22T10:30:00', [101, 100]],
    ['startTime=2025-10-22T10:30:01', [105, 104, 103, 102]],
    ['startTime=2025-10-23T00:00:00Z', [105]],
    ['startTime=2030-01-01', []],
    ['keyword=图片', [101]],
    ['keyword=1234567890', [101]],
    ['keyword=ai', [101]],
    ['keyword=%25', [102]],
    ['keyword=_', [102]],
    ['keyword=%5C', [102]],
    ["keyword=';drop table point_transactions;--", []],
    ['keyword=充值&changeType=consume', []],
    ['keyword=充值&changeType=recharge', [100]],
    ['size=2', [105, 104]],
    ['size=2&page=2', [103, 102]],
    ['size=4&page=2', [101, 100]],
    ['size=4&page=3', []],
  ])('?%s', async (query, ids) => {
    expect(await idsOf(query)).toEqual(ids);
  });

  test.each([
    ['', { total: 25, page: 1, size: 10, totalPages: 3 }, 10],
    ['page=3', { total: 25, page: 3, size: 10, totalPages: 3 }, 5],
    ['page=1000000&size=100', { total: 25, page: 1_000_000, size: 100, totalPages: 1 }, 0],
    ['size=100', { total: 25, page: 1, size: 100, totalPages: 1 }, 25],
    ['changeType=refund', { total: 0, page: 1, size: 10, totalPages: 0 }, 0],
  ])('pages of ?%s', async (query, numbers, length) => {
    const { records, ...page } = await get<Logs>('busy', `logs?${query}`);
    expect(page).toStrictEqual(numbers);
    expect(records).toHaveLength(length);
  });

  test('of an account without events are an empty page', async () => {
    expect(await get('nobody', 'logs')).toStrictEqual({
      records: [],
      total: 0,
      page: 1,
      size: 10,
      totalPages: 0,
    });
  });
});
