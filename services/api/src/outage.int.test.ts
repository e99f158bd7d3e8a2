import { openDatabase } from '@points/read-model/database';
import type { ReadTables } from '@points/read-model/tables';
import { type FrozenLink, startFrozenLink } from '@points/read-model/testing/frozen-link';
import { createTestDatabase } from '@points/read-model/testing/test-database';
import { createMetrics } from '@points/runtime/metrics';
import type { FastifyInstance } from 'fastify';
import { type Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { selectAppliedPosition } from './queries/position.ts';
import { createPositionWait } from './position-wait.ts';
import {
  applyPosition,
  createTestTables,
  insertAccount,
  type TestTables,
} from './testing/read-tables.ts';
import { bearer, buildTestApp } from './testing/test-app.ts';

const STATEMENT_TIMEOUT_MS = 100;

let tables: TestTables;
let link: FrozenLink;
let db: Kysely<ReadTables>;
let app: FastifyInstance;

beforeEach(async () => {
  tables = await createTestTables(inject('postgresUrl'));
  await insertAccount(tables.db, { user_id: 'test_user', balance: 100 });
  await applyPosition(tables.db, 1n);
  link = await startFrozenLink(tables.database.url);
  app = appOn(link.url);
});

afterEach(async () => {
  await app.close();
  await db.destroy();
  await link.close();
  await tables.close();
});

function appOn(url: string, statementTimeoutMs = STATEMENT_TIMEOUT_MS): FastifyInstance {
  db = openDatabase({
    url,
    applicationName: 'points-api test',
    poolSize: 2,
    statementTimeoutMs,
  });
  const readPosition = async () => (await selectAppliedPosition(db)) ?? 0n;
  return buildTestApp({
    db,
    positions: createPositionWait({ metrics: createMetrics('api'), readPosition, timeoutMs: 100 }),
  });
}

async function get(path: string, headers: Record<string, string> = {}) {
  return app.inject({
    url: path,
    headers: { ...(await bearer('test_user')), 'accept-language': 'en', ...headers },
  });
}

const reads = ['balance', 'logs', 'stats'].map((name) => `/user/points/consumption/${name}`);
const text = 'A part of the system is not available; try again later (postgres)';
const unavailable = {
  code: 503,
  message: text,
  msg: text,
  detail: text,
  data: { error: 'service_unavailable', part: 'postgres' },
};

describe('while PostgreSQL', () => {
  test('is away every read is a 503 that names it, and works again by itself', async () => {
    expect((await get('/user/points/consumption/balance')).statusCode).toBe(200);
    link.cut();
    for (const url of [...reads, '/user/ai/models', '/user/ai/models/stats']) {
      const response = await get(url);
      expect(response.statusCode).toBe(503);
      expect(response.headers['retry-after']).toBe('1');
      expect(response.json()).toEqual(unavailable);
    }
    expect((await get('/user/ai/models', { 'x-ledger-position': '2' })).json()).toEqual(
      unavailable,
    );
    link.thaw();
    expect((await get('/user/points/consumption/balance')).json()).toMatchObject({
      data: { currentPoints: 100 },
    });
  });

  test('is lost in the middle of a read the read is a 503, and the process lives', async () => {
    await app.close();
    await db.destroy();
    app = appOn(link.url, 60_000);
    await tables.db.transaction().execute(async (transaction) => {
      await transaction.schema.alterTable('user_points').addColumn('lock', 'text').execute();
      const answer = get('/user/points/consumption/balance');
      await vi.waitFor(
        async () => {
          const waiting =
            "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
          expect(await tables.database.query(waiting)).toHaveLength(1);
        },
        { timeout: 10_000, interval: 20 },
      );
      link.cut();
      expect((await answer).json()).toEqual(unavailable);
    });
    link.thaw();
    expect((await get('/user/points/consumption/balance')).statusCode).toBe(200);
  });

  test('does not answer the read is a 503, and works again by itself', async () => {
    expect((await get('/user/points/consumption/balance')).statusCode).toBe(200);
    link.freeze();
    expect((await get('/user/points/consumption/balance')).json()).toEqual(unavailable);
    link.thaw();
    expect((await get('/user/points/consumption/balance')).statusCode).toBe(200);
  });

  test('cancels a statement that takes too long the read is a 503', async () => {
    const blocker = tables.db.transaction().execute(async (transaction) => {
      await transaction.schema.alterTable('user_points').renameTo('away').execute();
      const response = await get('/user/points/consumption/balance');
      expect(response.json()).toEqual(unavailable);
      throw new Error('undo');
    });
    await expect(blocker).rejects.toThrow('undo');
    expect((await get('/user/points/consumption/balance')).statusCode).toBe(200);
  });

  test('has no read tables yet the read is a 503', async () => {
    const empty = await createTestDatabase(inject('postgresUrl'));
    await app.close();
    await db.destroy();
    app = appOn(empty.url);
    expect((await get('/user/points/consumption/balance')).json()).toEqual(unavailable);
    expect((await get('/user/ai/models', { 'x-ledger-position': '2' })).json()).toEqual(
      unavailable,
    );
    expect((await get('/readyz')).json()).toMatchObject({
      parts: { postgres: { ok: true }, projector: { ok: false, reason: 'is not running' } },
    });
    await db.destroy();
    await empty.drop();
  });
});

describe('/readyz', () => {
  const parts = async () => {
    const response = await get('/readyz');
    return {
      status: response.statusCode,
      ...response.json<{ parts: Record<string, unknown> }>().parts,
    };
  };

  /** What the projector holds while it is at work. */
  const beActive = 'select pg_advisory_lock(7064878, 1)';

  test('is 200 while a projector is active, and not after', async () => {
    await tables.db.connection().execute(async (session) => {
      expect(await parts()).toMatchObject({
        status: 503,
        projector: { ok: false, reason: 'is not running' },
      });
      await session.executeQuery(sqlOf(beActive));
      expect(await parts()).toEqual({
        status: 200,
        ledger: { ok: true },
        event_store: { ok: true },
        postgres: { ok: true },
        projector: { ok: true },
        reconcile: { ok: true },
      });
      await session.deleteFrom('projection_checkpoints').execute();
      expect(await parts()).toMatchObject({
        status: 503,
        projector: { reason: 'has not applied anything yet' },
      });
      await session.executeQuery(sqlOf('select pg_advisory_unlock_all()'));
    });
  });

  test('is 503 before the read tables have come as far as they must', async () => {
    const impatient = buildTestApp({ db: tables.db, readyAtPosition: 10n ** 15n });
    await tables.db.connection().execute(async (session) => {
      await session.executeQuery(sqlOf(beActive));
      await session.executeQuery(
        sqlOf(`insert into projection_checkpoints (name, position, updated_at) values ('read', 7, now())
               on conflict (name) do update set position = excluded.position`),
      );
      const response = await impatient.inject('/readyz');
      expect(response.statusCode).toBe(503);
      expect(response.json()).toMatchObject({
        parts: {
          projector: { reason: 'has applied the log up to 7, not yet up to 1000000000000000' },
        },
      });
      await session.executeQuery(sqlOf('select pg_advisory_unlock_all()'));
    });
    await impatient.close();
  });

  test('is not fooled by a lock in another database', async () => {
    const other = await createTestTables(inject('postgresUrl'));
    await other.db.connection().execute(async (session) => {
      await session.executeQuery(sqlOf(beActive));
      expect(await parts()).toMatchObject({ projector: { reason: 'is not running' } });
    });
    await other.close();
  });

  test.each([
    ['away', () => link.cut()],
    ['frozen', () => link.freeze()],
  ])('names postgres while it is %s', async (_, trouble) => {
    await get('/user/points/consumption/balance');
    trouble();
    expect(await parts()).toMatchObject({
      status: 503,
      ledger: { ok: true },
      postgres: { ok: false, reason: expect.stringMatching(/\w/) },
      projector: { ok: false, reason: 'not known: postgres does not answer' },
    });
    link.thaw();
  });

  test('names the read tables while the projector has not made them', async () => {
    await tables.db.connection().execute(async (session) => {
      await session.executeQuery(sqlOf(beActive));
      await session.schema.dropTable('projection_checkpoints').execute();
      expect(await parts()).toMatchObject({
        postgres: { ok: true },
        projector: { ok: false, reason: 'has not made the read tables yet' },
      });
    });
  });
});

function sqlOf(text: string) {
  return sql.raw(text).compile(tables.db);
}
