import type { Insertable, Kysely } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { batchOrigins, recallPlaces } from './recall.ts';
import type { RecallQuery } from './recall.ts';
import type { PointHoldsTable, ReadTables } from './tables.ts';
import { createTestDatabase } from './testing/test-database.ts';
import type { TestDatabase } from './testing/test-database.ts';

const AT = '2026-01-01T00:00:00.000Z';

let database: TestDatabase;
let db: Kysely<ReadTables>;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
  db = openDatabase({ url: database.url, applicationName: 'test', poolSize: 2 });
  await migrate(db, 'read');
  // Account `b` has the same ids, at other places.
  await insertAccount('a', 0);
  await insertAccount('b', 100);
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

async function insertAccount(user_id: string, from: number): Promise<void> {
  const zero = { balance: 0, held: 0, debt: 0, total_recharged: 0, total_rewarded: 0 };
  const more = { total_adjusted: 0, total_consumed: 0, total_refunded: 0, total_expired: 0 };
  const id = BigInt(from);
  await db
    .insertInto('user_points')
    .values({ user_id, id, ...zero, ...more, ledger_version: from + 50, updated_at: AT })
    .execute();
  await db
    .insertInto('point_commands')
    .values({ account_id: user_id, command_id: 'c-1', request_hash: 'hash c', revision: from + 2 })
    .execute();
  await insertHold(user_id, {
    hold_id: 'h-1',
    record_id: 9_007_199_254_740_991,
    revision: from + 3,
    revisions: JSON.stringify([from + 3, from + 5]),
  });
  const expired = { status: 'canceled' as const, reason: 'expired', settled_at: AT };
  await insertHold(user_id, {
    ...expired,
    hold_id: 'h-2',
    record_id: 2,
    revision: from + 6,
    revisions: JSON.stringify([from + 6, from + 7, from + 8, from + 9]),
    late_hold_id: 'h-3',
  });
  await insertHold(user_id, {
    status: 'confirmed',
    settled_at: AT,
    actual_amount: 10,
    hold_id: 'h-3',
    record_id: 3,
    revision: from + 8,
    revisions: JSON.stringify([from + 8, from + 9]),
  });
  await db
    .insertInto('point_transactions')
    .values({
      id: id + 1n,
      user_id,
      type: 'consume',
      delta: -10,
      balance_before: 10,
      balance_after: 0,
      batch_allocations: '[]',
      description: '',
      hold_id: 'h-3',
      event_id: `event of ${user_id}`,
      occurred_at: AT,
    })
    .execute();
  await db
    .insertInto('point_tombstones')
    .values({ user_id, hold_id: 'h-4', request_hash: 'hash t', revision: from + 10 })
    .execute();
  await db
    .insertInto('point_sources')
    .values({
      user_id,
      source_ref: 's-1',
      source: 'order',
      request_hash: 'hash s',
      revision: from,
      reversed_revision: from + 12,
      revisions: JSON.stringify([from, from + 11, from + 12]),
    })
    .execute();
  await db
    .insertInto('memberships')
    .values({
      user_id,
      order_no: 'o-1',
      membership_type: 'monthly',
      start_date: AT,
      end_date: '2026-02-01T00:00:00.000Z',
      request_hash: 'hash o',
      revision: from + 13,
    })
    .execute();
  await db
    .insertInto('point_batches')
    .values([
      { ...BATCH, id, user_id, batch_id: 'batch 1', expires_at: AT, source_ref: 's-1' },
      { ...BATCH, id: id + 1n, user_id, batch_id: 'batch 2', origin_batch_id: 'batch 1' },
    ])
    .execute();
}

const BATCH = { kind: 'grace', points: 5, remaining: 0, held: 0, created_at: AT } as const;

async function insertHold(
  user_id: string,
  hold: Partial<Insertable<PointHoldsTable>> &
    Pick<Insertable<PointHoldsTable>, 'hold_id' | 'record_id' | 'revision'>,
): Promise<void> {
  const values = {
    user_id,
    amount: 10,
    status: 'pending' as const,
    task_no: 'T',
    price: '{}',
    charge_mode: 'charged' as const,
    owner: 'ai-demo',
    allocations: '[]',
    expires_at: AT,
    created_at: AT,
    ...hold,
  };
  await db.insertInto('point_holds').values(values).execute();
}

const ask = (query: Omit<RecallQuery, 'accountId'>, accountId = 'a') =>
  recallPlaces(db, { accountId, ...query });

const NOTHING = {
  appliedRevision: 50,
  command: null,
  hold: null,
  lateHold: null,
  source: null,
  order: null,
};

const H1 = { kind: 'hold', hold_id: 'h-1', record_id: 9_007_199_254_740_991, status: 'pending' };
const H2 = { kind: 'hold', hold_id: 'h-2', record_id: 2, status: 'canceled' };
const H3 = { kind: 'hold', hold_id: 'h-3', record_id: 3, status: 'confirmed' };

describe('recallPlaces', () => {
  it('finds all that is asked for, of this account', async () => {
    const everything = {
      commandId: 'c-1',
      hold: { holdId: 'h-1' },
      sourceRef: 's-1',
      orderNo: 'o-1',
    };
    expect(await ask(everything)).toEqual({
      appliedRevision: 50,
      command: { request_hash: 'hash c', revision: 2 },
      hold: { ...H1, revisions: [3, 5] },
      lateHold: null,
      source: {
        source_ref: 's-1',
        request_hash: 'hash s',
        revision: 0,
        reversed_revision: 12,
        revisions: [0, 11, 12],
      },
      order: { request_hash: 'hash o', revision: 13 },
    });
    expect(await ask(everything, 'b')).toMatchObject({
      appliedRevision: 150,
      command: { revision: 102 },
      hold: { revisions: [103, 105] },
      source: { revision: 100 },
      order: { revision: 113 },
    });
  });

  it('finds nothing that is not asked for or not there', async () => {
    expect(await ask({})).toEqual(NOTHING);
    const unknown = { commandId: 'c', hold: { holdId: 'h' }, sourceRef: 's', orderNo: 'o' };
    expect(await ask(unknown)).toEqual(NOTHING);
    expect(await ask({ ...unknown, hold: { recordId: 4 } }, 'nobody')).toEqual({
      ...NOTHING,
      appliedRevision: -1,
    });
  });

  it.each([
    ['hold id', { holdId: 'h-2' }],
    ['record id', { recordId: 2 }],
  ])('finds a hold by %s, and the one confirmed in its place', async (_, hold) => {
    expect(await ask({ hold })).toEqual({
      ...NOTHING,
      hold: { ...H2, revisions: [6, 7, 8, 9] },
      lateHold: { ...H3, revisions: [8, 9] },
    });
    expect(await ask({ hold }, 'b')).toMatchObject({
      hold: { revisions: [106, 107, 108, 109] },
      lateHold: { revisions: [108, 109] },
    });
  });

  it('finds a hold by its charge', async () => {
    const hold = { transactionId: 'event of a' };
    expect(await ask({ hold })).toEqual({ ...NOTHING, hold: { ...H3, revisions: [8, 9] } });
    expect(await ask({ hold: { transactionId: 'event of b' } })).toEqual(NOTHING);
  });

  it('finds a tombstone', async () => {
    expect(await ask({ hold: { holdId: 'h-4' } })).toEqual({
      ...NOTHING,
      hold: {
        kind: 'tombstone',
        hold_id: 'h-4',
        record_id: null,
        request_hash: 'hash t',
        revision: 10,
      },
    });
  });
});

describe('batchOrigins', () => {
  it('says what batches are, used up or not', async () => {
    const origins = await batchOrigins(db, 'a', ['batch 2', 'batch 1', 'batch 9']);
    expect(origins.sort((one, other) => (one.batch_id < other.batch_id ? -1 : 1))).toEqual([
      {
        batch_id: 'batch 1',
        kind: 'grace',
        points: 5,
        created_at: new Date(AT),
        expires_at: new Date(AT),
        source_ref: 's-1',
        origin_batch_id: null,
      },
      {
        batch_id: 'batch 2',
        kind: 'grace',
        points: 5,
        created_at: new Date(AT),
        expires_at: null,
        source_ref: null,
        origin_batch_id: 'batch 1',
      },
    ]);
    expect(await batchOrigins(db, 'a', [])).toEqual([]);
    expect(await batchOrigins(db, 'c', ['batch 1'])).toEqual([]);
  });
});
