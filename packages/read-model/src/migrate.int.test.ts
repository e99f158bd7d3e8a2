import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openDatabase, openSession } from './database.ts';
import { migrate, migrateApp, MigrationError } from './migrate.ts';
import { createTestDatabase } from './testing/test-database.ts';
import type { TestDatabase } from './testing/test-database.ts';

const TABLES = [
  'ai_models',
  'membership_prices',
  'memberships',
  'point_batches',
  'point_commands',
  'point_holds',
  'point_sources',
  'point_tombstones',
  'point_transactions',
  'points_packages',
  'projection_checkpoints',
  'reconcile_drift',
  'reconcile_progress',
  'reconcile_skipped',
  'schema_migrations',
  'user_points',
];

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
});
afterEach(() => database.drop());

async function withDatabase(use: (db: ReturnType<typeof openDatabase>) => Promise<void>) {
  const db = openDatabase({ url: database.url, applicationName: 'test', poolSize: 8 });
  try {
    await use(db);
  } finally {
    await db.destroy();
  }
}

async function tablesOf(schema: string): Promise<unknown[]> {
  const rows = await database.query(
    'select tablename from pg_tables where schemaname = $1 order by 1',
    [schema],
  );
  return rows.map((row) => row['tablename']);
}

describe('migrate', () => {
  it('makes the tables in any schema, and only there', async () => {
    await withDatabase(async (db) => {
      await migrate(db, 'read');
      await migrate(db, 'Another name');
    });
    expect(await tablesOf('read')).toEqual(TABLES);
    expect(await tablesOf('Another name')).toEqual(TABLES);
    expect(await tablesOf('public')).toEqual([]);
  });

  it('does nothing the second time and keeps the rows', async () => {
    await withDatabase(async (db) => {
      await migrate(db, 'read');
      await db
        .insertInto('projection_checkpoints')
        .values({ name: 'kept', position: 7n, updated_at: '2026-01-01T00:00:00.000Z' })
        .execute();
      await migrate(db, 'read');
      const row = await db.selectFrom('projection_checkpoints').selectAll().executeTakeFirst();
      expect(row?.position).toBe(7n);
    });
  });

  it('is done once when many processes start together', async () => {
    await withDatabase(async (db) => {
      await Promise.all(Array.from({ length: 8 }, () => migrate(db, 'read')));
    });
    expect(
      await database.query('select count(*)::int as done from read.schema_migrations'),
    ).toEqual([{ done: 6 }]);
  });

  it('is done once by sessions that have looked for the schema while there was none', async () => {
    const open = () => openSession({ url: database.url, applicationName: 'test' });
    const sessions = await Promise.all([open(), open(), open()]);
    const [first, second, gate] = sessions;
    for (const { db } of [first, second]) await migrate(db, 'read');
    const lock = sql`hashtext('points-ledger migrate')`;
    await sql`select pg_advisory_lock(${lock})`.execute(gate.db);
    const both = Promise.all([migrateApp(first.db), migrateApp(second.db)]);
    const waiting = () =>
      database.query(
        `select 1 from pg_locks join pg_database on pg_database.oid = pg_locks.database
         where datname = current_database() and locktype = 'advisory' and not granted`,
      );
    await expect.poll(waiting).toHaveLength(2);
    await sql`select pg_advisory_unlock(${lock})`.execute(gate.db);
    await both;
    expect(await database.query('select count(*)::int as done from app.schema_migrations')).toEqual(
      [{ done: 1 }],
    );
    await Promise.all(sessions.map((session) => session.close()));
  });

  it('refuses a database that a newer version has used, and changes nothing', async () => {
    await withDatabase(async (db) => {
      await migrate(db, 'read');
      await sql`insert into read.schema_migrations (name) values ('0099-from-the-future')`.execute(
        db,
      );
      const refusal = migrate(db, 'read');
      await expect(refusal).rejects.toThrow(MigrationError);
      await expect(refusal).rejects.toThrow(
        /Schema "read" has migration "0099-from-the-future".*newer/,
      );
    });
  });

  it('leaves nothing behind when it fails', async () => {
    await database.query('create schema read');
    await database.query('create table read.user_points (user_id text)');
    await withDatabase(async (db) => {
      await expect(migrate(db, 'read')).rejects.toThrow('already exists');
    });
    expect(await tablesOf('read')).toEqual(['user_points']);
  });

  it('makes room for application state apart from the read tables', async () => {
    await withDatabase((db) => migrateApp(db));
    expect(await tablesOf('app')).toEqual(['relay_marks', 'schema_migrations']);
  });
});
