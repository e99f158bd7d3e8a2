import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { createTestDatabase } from './testing/test-database.ts';
import type { TestDatabase } from './testing/test-database.ts';

const AT = '2026-01-01T00:00:00.000Z';
const LATER = '2026-01-01T00:01:00.000Z';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
  const db = openDatabase({ url: database.url, applicationName: 'test', poolSize: 1 });
  await migrate(db, 'read');
  await db
    .insertInto('user_points')
    .values({
      id: 1n,
      user_id: 'u',
      balance: 88,
      held: 5,
      debt: 0,
      total_recharged: 100,
      total_rewarded: 0,
      total_adjusted: 0,
      total_consumed: 10,
      total_refunded: 0,
      total_expired: 2,
      ledger_version: 3,
      updated_at: AT,
    })
    .execute();
  await db
    .insertInto('point_transactions')
    .values([
      {
        ...TRANSACTION,
        id: 1n,
        event_id: '1',
        type: 'recharge',
        order_no: 'o-1',
        ...between(0, 100),
      },
      {
        ...TRANSACTION,
        ...between(100, 90),
        id: 2n,
        event_id: '2',
        type: 'consume',
        task_no: 'TASK202601010000000001',
        source_type: 'tts',
        source_id: 'v-1',
        batch_id: 7n,
        duration: 12.3,
        description: '配音合成',
      },
    ])
    .execute();
  const hold = {
    user_id: 'u',
    amount: 15,
    biz_type: 'video',
    biz_id: 'v-1',
    task_no: 'T',
    price: '{}',
    charge_mode: 'charged' as const,
    owner: 'ai-demo',
    allocations: '[]',
    expires_at: LATER,
    revision: 1,
    created_at: AT,
  };
  const settled = { settled_at: LATER };
  await db
    .insertInto('point_holds')
    .values([
      { ...hold, record_id: 1, hold_id: 'h-1', status: 'pending' },
      { ...hold, ...settled, record_id: 2, hold_id: 'h-2', status: 'confirmed', actual_amount: 10 },
      { ...hold, ...settled, record_id: 3, hold_id: 'h-3', status: 'canceled', reason: 'caller' },
    ])
    .execute();
  await db.destroy();
});
afterAll(() => database.drop());

const TRANSACTION = { user_id: 'u', batch_allocations: '[]', description: '', occurred_at: AT };

function between(balance_before: number, balance_after: number) {
  return { balance_before, balance_after, delta: balance_after - balance_before };
}

const rowsOf = (view: string) => database.query(`select * from read.${view} order by id`);
const at = new Date(AT);

/** Numbers of 64 bits are text to pg. */
describe('what reports of older systems read', () => {
  it('mjk_user_points', async () => {
    expect(await rowsOf('mjk_user_points')).toEqual([
      {
        id: '1',
        user_id: 'u',
        balance: '88',
        total_recharged: '100',
        total_consumed: '10',
        total_expired: '2',
      },
    ]);
  });

  it('mjk_point_transactions: amounts without a sign', async () => {
    const unknown = { source_type: null, source_id: null, batch_id: null, duration: null };
    expect(await rowsOf('mjk_point_transactions')).toEqual([
      {
        ...unknown,
        id: '1',
        user_id: 'u',
        type: 'recharge',
        amount: '100',
        balance_before: '0',
        balance_after: '100',
        description: '',
        created_at: at,
      },
      {
        id: '2',
        user_id: 'u',
        type: 'consume',
        amount: '10',
        balance_before: '100',
        balance_after: '90',
        source_type: 'tts',
        source_id: 'v-1',
        batch_id: '7',
        duration: 12.3,
        description: '配音合成',
        created_at: at,
      },
    ]);
  });

  it('muey_point_record: holds, with what was charged once that is known', async () => {
    const record = { user_id: 'u', biz_type: 'video', biz_id: 'v-1', create_time: at };
    const update_time = new Date(LATER);
    expect(await rowsOf('muey_point_record')).toEqual([
      { ...record, id: '1', points: '15', status: 'pending', update_time: at },
      { ...record, id: '2', points: '10', status: 'confirmed', update_time },
      { ...record, id: '3', points: '15', status: 'canceled', update_time },
    ]);
  });

  it('credit_transactions: signed, with the order', async () => {
    const row = { user_id: 'u', created_at: at };
    expect(await rowsOf('credit_transactions')).toEqual([
      {
        ...row,
        id: '1',
        transaction_type: 'recharge',
        credits: '100',
        balance_after: '100',
        description: '',
        order_id: 'o-1',
      },
      {
        ...row,
        id: '2',
        transaction_type: 'consume',
        credits: '-10',
        balance_after: '90',
        description: '配音合成',
        order_id: null,
      },
    ]);
  });

  it('points_consumption_log: signed, with the task', async () => {
    expect((await rowsOf('points_consumption_log'))[1]).toEqual({
      id: '2',
      user_id: 'u',
      task_no: 'TASK202601010000000001',
      change_type: 'consume',
      change_amount: '-10',
      balance_before: '100',
      balance_after: '90',
      description: '配音合成',
      duration: 12.3,
      create_time: at,
    });
  });
});
