import { createMetrics } from '@points/runtime/metrics';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createPositionWait } from './position-wait.ts';
import {
  createTestTables,
  insertAccount,
  insertCatalog,
  insertTransaction,
  type TestTables,
} from './testing/read-tables.ts';
import { bearer, buildTestApp } from './testing/test-app.ts';

let tables: TestTables;
let app: FastifyInstance;

beforeAll(async () => {
  tables = await createTestTables(inject('postgresUrl'));
  await insertCatalog(tables.db);
  await insertAccount(tables.db, { user_id: 'test_user', balance: 1500 });
  await insertTransaction(tables.db, { user_id: 'test_user', description: 'AI图片生成消费' });
  const readPosition = () => Promise.resolve(0n);
  const positions = createPositionWait({
    metrics: createMetrics('api'),
    readPosition,
    timeoutMs: 1,
  });
  app = buildTestApp({ db: tables.db, positions });
});

afterAll(async () => {
  await app.close();
  await tables.close();
});

const logsKeys = ['page', 'size', 'changeType', 'startTime', 'endTime', 'keyword'];
const modelsKeys = ['taskType', 'provider', 'enabledOnly'];
const routes = [
  { path: '/user/points/consumption/balance', known: [] },
  { path: '/user/points/consumption/logs', known: logsKeys },
  { path: '/user/points/consumption/stats', known: [] },
  { path: '/user/ai/models', known: modelsKeys },
  { path: '/user/ai/models/group-by-type', known: modelsKeys },
  { path: '/user/ai/models/group-by-provider', known: modelsKeys },
  { path: '/user/ai/models/stats', known: [] },
];

/** Text that PostgreSQL cannot store, and what is next to it. */
const oddValues = ['\u0000', 'a\u0000b', '\u001f', '\ud800', '\uffff', '\u{10ffff}', '{', '1e309'];
const goodValues = [
  '1',
  '100',
  'consume',
  '2025-10-22',
  '9998-12-31',
  '1970-01-01',
  '图',
  '%',
  '\\',
  'video',
  'true',
];
const values = fc.oneof(
  fc.constantFrom(...goodValues, ...oddValues),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.integer().map(String),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);
/** Escaped, as a program sends them, or any visible bytes, also broken escapes. */
const requests = fc.oneof(
  ...routes.map(({ path, known }) => {
    const keys = fc.constantFrom(...known, '__proto__', 'x');
    const escaped = fc
      .array(fc.tuple(keys, values), { maxLength: 4 })
      .map((pairs) => new URLSearchParams(pairs).toString());
    const raw = fc.stringMatching(/^[!-"$-~]{0,60}$/);
    const query = fc.oneof({ weight: 4, arbitrary: escaped }, { weight: 1, arbitrary: raw });
    return { weight: 1 + known.length, arbitrary: query.map((text) => ({ path, query: text })) };
  }),
);

test('no query string gives a 5xx, and a 400 names the parameter', async () => {
  const headers = await bearer('test_user');
  await fc.assert(
    fc.asyncProperty(requests, async ({ path, query }) => {
      const response = await app.inject({ url: `${path}?${query}`, headers });
      expect([200, 400]).toContain(response.statusCode);
      const { data } = response.json<{ data: { field?: string } }>();
      if (response.statusCode === 400) expect(query).toContain(data.field);
    }),
    { numRuns: 400 },
  );
});

test.each([
  '/user/points/consumption/logs?keyword=a%00b',
  '/user/ai/models?provider=a%00b',
  '/user/ai/models/group-by-type?provider=a%00b',
])('text that PostgreSQL cannot hold is a 400: %s', async (url) => {
  const response = await app.inject({ url, headers: await bearer('test_user') });
  expect(response.statusCode).toBe(400);
});

test('no position gives a 5xx', async () => {
  const positions = fc.oneof(
    fc.stringMatching(/^[!-~]{0,30}$/),
    fc.bigInt({ min: 0n }).map(String),
  );
  await fc.assert(
    fc.asyncProperty(positions, async (position) => {
      const response = await app.inject({
        url: '/user/ai/models',
        headers: { 'x-ledger-position': position },
      });
      expect([200, 400]).toContain(response.statusCode);
    }),
    { numRuns: 100 },
  );
});
