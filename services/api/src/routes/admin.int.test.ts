import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTestTables, type TestTables } from '../testing/read-tables.ts';
import { bearer, buildTestApp } from '../testing/test-app.ts';

const PATH = '/api/v1/admin/projections';

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

test('is for admins', async () => {
  expect((await app.inject(PATH)).statusCode).toBe(401);
  const headers = await bearer('u1', ['user', 'finance']);
  expect((await app.inject({ url: PATH, headers })).statusCode).toBe(403);
});

test('tells how far the tables are, and what differs, at most 100 of it', async () => {
  const headers = await bearer('root', ['admin']);
  const data = async () => {
    const response = await app.inject({ url: PATH, headers });
    expect(response.statusCode).toBe(200);
    return response.json<{ data: Record<string, unknown> }>().data;
  };
  const never = {
    drifted_accounts: 0,
    accounts_checked: 0,
    drift: [],
    skipped_accounts: 0,
    skipped: [],
  };
  expect(await data()).toEqual({
    projector_active: false,
    position: null,
    last_event: null,
    updated_at: null,
    reconcile: { ...never, last_round_at: null, last_full_round_at: null },
  });

  const at = '2026-01-02T03:04:05.006Z';
  await tables.database.query(
    `insert into read.projection_checkpoints values
       ('read', 9007199254740993, 7, 'account-u1', 3, 'id', '${at}');
     insert into read.reconcile_progress values ('read', 'u1', 150, '${at}', null);
     insert into read.reconcile_skipped values ('u9', 'too_many_events', 'it has more', '${at}');
     insert into read.reconcile_drift
       select 'u' || n, 0, 'user_points', '{"user_id": "u1"}', 'balance', 'different', '5', '6', 3, 7, '${at}', '${at}'
       from generate_series(100, 220) n`,
  );
  const told = await data();
  expect(told).toMatchObject({
    position: '9007199254740993',
    last_event: { stream: 'account-u1', revision: 3, position: '7' },
    updated_at: at,
    reconcile: { drifted_accounts: 121, accounts_checked: 150, last_round_at: at },
  });
  expect(told['reconcile']).toMatchObject({
    skipped_accounts: 1,
    skipped: [
      { account_id: 'u9', reason: 'too_many_events', message: 'it has more', skipped_at: at },
    ],
  });
  const { drift } = told['reconcile'] as { drift: unknown[] };
  expect(drift).toHaveLength(100);
  expect(drift[0]).toEqual({
    account_id: 'u100',
    revision: 3,
    position: '7',
    kind: 'different',
    table: 'user_points',
    key: { user_id: 'u1' },
    column: 'balance',
    log_value: '5',
    row_value: '6',
    found_at: at,
    checked_at: at,
  });
});

test('/readyz shows it, and is no less ready for it', async () => {
  await tables.db.connection().execute(async (session) => {
    const ready = async () => {
      const response = await app.inject('/readyz');
      return [response.statusCode, response.json<{ parts: object }>().parts];
    };
    const reason = 'the read tables of 121 accounts are not what the log says';
    await sql`select pg_advisory_lock(7064878, 1)`.execute(session);
    const drifted = { projector: { ok: true }, reconcile: { ok: false, reason } };
    expect(await ready()).toMatchObject([200, drifted]);
    await session.deleteFrom('reconcile_drift').execute();
    expect(await ready()).toMatchObject([200, { reconcile: { ok: true } }]);
    await sql`select pg_advisory_unlock_all()`.execute(session);
  });
});
