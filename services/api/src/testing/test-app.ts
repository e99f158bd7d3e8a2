import type { ReadTables } from '@points/read-model/tables';
import { createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import type { FastifyInstance } from 'fastify';
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import { type AppDeps, buildApp } from '../app.ts';
import { signDevToken } from '../auth.ts';
import { createPositionWait } from '../position-wait.ts';

/** 2025-10-22 10:30 in Shanghai. */
export const NOW = new Date('2025-10-22T02:30:00.000Z');
export const clock = { now: () => NOW.getTime() };
export const SECRET = new TextEncoder().encode('a secret of at least thirty-two bytes');

/** The whole app, on read tables without a row unless `overrides` brings others. */
export function buildTestApp(overrides: Partial<AppDeps> = {}): FastifyInstance {
  const metrics = createMetrics('api');
  return buildApp({
    db: emptyDatabase(),
    positions: createPositionWait({ metrics, readPosition: () => Promise.resolve(0n) }),
    ledgerHealth: () => Promise.resolve({ eventStore: 'up', caughtUp: true }),
    eventLog: null,
    tokens: { keys: { kind: 'secret', secret: SECRET } },
    devLogin: true,
    corsOrigins: [],
    clock,
    log: createLog('api', 'silent'),
    metrics,
    ...overrides,
  });
}

/** The header of a user who is logged in. */
export async function bearer(
  accountId: string,
  roles: readonly string[] = ['user'],
): Promise<{ authorization: string }> {
  return { authorization: `Bearer ${await signDevToken({ accountId, roles }, SECRET, clock)}` };
}

function emptyDatabase(): Kysely<ReadTables> {
  return new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}
