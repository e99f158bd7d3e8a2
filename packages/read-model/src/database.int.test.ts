import { once } from 'node:events';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openDatabase, openSession } from './database.ts';
import type { ConnectOptions } from './database.ts';
import { migrate } from './migrate.ts';
import { startFrozenLink } from './testing/frozen-link.ts';
import { createTestDatabase } from './testing/test-database.ts';
import type { TestDatabase } from './testing/test-database.ts';

const LARGEST_POSITION = 9_223_372_036_854_775_807n;

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
});
afterAll(() => database.drop());

function open(options: Partial<ConnectOptions> = {}) {
  return openDatabase({ url: database.url, applicationName: 'test', poolSize: 1, ...options });
}

async function backend(db: ReturnType<typeof openDatabase>): Promise<number | undefined> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  return rows[0]?.pid;
}

describe('openDatabase', () => {
  it('reads points as numbers and positions as bigint', async () => {
    const db = open();
    const { rows } = await sql`
      select 9007199254740991::bigint as balance, null::bigint as debt, count(*) as rows,
             ${LARGEST_POSITION}::bigint as id, 5::bigint as position, 'a:0' as batch_id,
             6::bigint as event_position, 12.5::float8 as duration`.execute(db);
    await db.destroy();
    expect(rows).toEqual([
      {
        balance: Number.MAX_SAFE_INTEGER,
        debt: null,
        rows: 1,
        id: LARGEST_POSITION,
        position: 5n,
        batch_id: 'a:0',
        event_position: 6n,
        duration: 12.5,
      },
    ]);
  });

  it('refuses points beyond the safe integers rather than rounding them', async () => {
    const db = open();
    const query = sql`select 9007199254740993::bigint as balance`.execute(db);
    await expect(query).rejects.toThrow('9007199254740993 is not a safe integer');
    await db.destroy();
  });

  it('looks names up in the schema it is told, then in app, beside start options of the URL', async () => {
    const db = open({ schema: 'read_next', url: `${database.url}?options=-c%20work_mem%3D5MB` });
    const { rows } = await sql`
      select current_setting('search_path') as path, current_setting('work_mem') as memory,
             current_setting('application_name') as name`.execute(db);
    await db.destroy();
    expect(rows).toEqual([{ path: 'read_next,app', memory: '5MB', name: 'test' }]);
  });

  it('keeps a connection whose statement the server has ended', async () => {
    const db = open({ statementTimeoutMs: 20 });
    const before = await backend(db);
    await expect(sql`select pg_sleep(60)`.execute(db)).rejects.toThrow('statement timeout');
    expect(await backend(db)).toBe(before);
    await db.destroy();
  });

  it('never reuses a connection that stopped answering in a transaction', async () => {
    const link = await startFrozenLink(database.url);
    const db = open({ url: link.url, statementTimeoutMs: 20 });
    const before = await backend(db);
    const transaction = db.transaction().execute(async (tx) => {
      await sql`select 1`.execute(tx);
      link.freeze();
      await sql`select 2`.execute(tx);
    });
    await expect(transaction).rejects.toThrow('Query read timeout');
    link.thaw();
    expect(await backend(db)).not.toBe(before);
    await db.destroy();
    await link.close();
  });

  it('outlives the end of an idle connection', async () => {
    const db = open();
    const pid = await backend(db);
    await database.query('select pg_terminate_backend($1, 10000)', [pid]);
    await expect.poll(() => backend(db).catch(() => pid)).not.toBe(pid);
    await db.destroy();
  });
});

describe('openSession', () => {
  it('keeps one connection, and says when it has ended', async () => {
    const session = await openSession({ url: database.url, applicationName: 'test' });
    const pid = await backend(session.db);
    await session.db.transaction().execute((tx) => sql`select 1`.execute(tx));
    expect(await backend(session.db)).toBe(pid);
    expect(session.ended.aborted).toBe(false);
    const ended = once(session.ended, 'abort');
    await database.query('select pg_terminate_backend($1)', [pid]);
    await ended;
    await expect(backend(session.db)).rejects.toThrow('not queryable');
    await session.close();
  });

  it('lets the server notice soon that a machine has vanished with a lock', async () => {
    const session = await openSession({ url: database.url, applicationName: 'test' });
    const { rows } = await sql`
      select current_setting('tcp_keepalives_idle') as idle, current_setting('search_path') as path`.execute(
      session.db,
    );
    await session.close();
    expect(rows).toEqual([{ idle: '10', path: 'read,app' }]);
  });

  it('closes by force when the server does not answer', async () => {
    const link = await startFrozenLink(database.url);
    const session = await openSession({ url: link.url, applicationName: 'test' });
    link.freeze();
    await session.close();
    expect(session.ended.aborted).toBe(true);
    await link.close();
  });

  it('fails when nobody listens', async () => {
    const link = await startFrozenLink(database.url);
    await link.close();
    await expect(openSession({ url: link.url, applicationName: 'test' })).rejects.toThrow(
      'ECONNREFUSED',
    );
  });
});

describe('the tables', () => {
  const account = {
    user_id: 'a',
    id: 1,
    balance: 5,
    held: 2,
    debt: 0,
    total_recharged: 6,
    total_rewarded: 4,
    total_adjusted: 1,
    total_consumed: 4,
    total_refunded: 3,
    total_expired: 5,
    ledger_version: 0,
    updated_at: '2026-01-01T00:00:00.000Z',
  };
  const batch = {
    user_id: 'a',
    batch_id: 'b',
    id: 1,
    kind: 'paid',
    points: 5,
    remaining: 4,
    held: 3,
    created_at: '2026-01-01T00:00:00.000Z',
  };
  const transaction = {
    user_id: 'a',
    id: 1,
    type: 'consume',
    delta: -1,
    balance_before: 5,
    balance_after: 4,
    batch_allocations: '[]',
    description: '',
    event_id: 'e',
    occurred_at: '2026-01-01T00:00:00.000Z',
  };
  const hold = {
    user_id: 'a',
    hold_id: 'h',
    record_id: 1,
    amount: 1,
    status: 'pending',
    task_no: '',
    price: '{}',
    charge_mode: 'charged',
    owner: 'o',
    allocations: '[]',
    revision: 1,
    expires_at: '2026-01-01T00:00:00.000Z',
    created_at: '2026-01-01T00:00:00.000Z',
  };
  const settled = { settled_at: '2026-01-01T00:00:00.000Z' };

  beforeAll(async () => {
    const db = open();
    await migrate(db, 'read');
    await db.destroy();
  });

  const insert = (table: string, row: object) =>
    database.query(
      `insert into read.${table} (${Object.keys(row).join()}) values (${Object.keys(row)
        .map((_, place) => `$${place + 1}`)
        .join()})`,
      Object.values(row),
    );

  it.each([
    ['user_points', account],
    ['point_batches', batch],
    ['point_transactions', transaction],
    ['point_holds', hold],
    ['point_holds', { ...hold, hold_id: 'c', status: 'confirmed', actual_amount: 0, ...settled }],
    ['point_holds', { ...hold, hold_id: 'x', status: 'canceled', reason: 'caller', ...settled }],
  ])('%s takes what the rules allow: %j', async (table, row) => {
    await expect(insert(table, row)).resolves.toEqual([]);
  });

  it('user_points generates available', async () => {
    expect(await database.query('select available::int from read.user_points')).toEqual([
      { available: 3 },
    ]);
  });

  it.each([
    ['user_points', { ...account, user_id: 'z', id: 9, balance: 6 }],
    ['user_points', { ...account, user_id: 'z', id: 9, held: -1 }],
    ['user_points', { ...account, user_id: 'z', id: 9, debt: -1 }],
    ['point_batches', { ...batch, batch_id: 'z', remaining: 2 }],
    ['point_batches', { ...batch, batch_id: 'z', remaining: 6 }],
    ['point_batches', { ...batch, batch_id: 'z', held: -1 }],
    ['point_transactions', { ...transaction, id: 9, event_id: 'z', delta: 0, balance_before: 4 }],
    ['point_transactions', { ...transaction, id: 9, event_id: 'z', delta: 1 }],
    ['point_transactions', { ...transaction, id: 9 }],
    ['point_holds', { ...hold, hold_id: 'z', status: 'open' }],
    ['point_holds', { ...hold, hold_id: 'z', ...settled }],
    ['point_holds', { ...hold, hold_id: 'z', status: 'confirmed', ...settled }],
    ['point_holds', { ...hold, hold_id: 'z', status: 'canceled', ...settled }],
  ])('%s refuses what would break an identity: %j', async (table, row) => {
    await expect(insert(table, row)).rejects.toThrow(/violates (check|unique) constraint/);
  });
});
