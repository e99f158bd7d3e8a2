import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
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
  app = buildTestApp({ db: tables.db });
});

afterAll(async () => {
  await app.close();
  await tables.close();
});

const paths = fc.constantFrom(
  ...['balance', 'logs', 'stats'].map((name) => `/user/points/consumption/${name}`),
  ...['', '/group-by-type', '/group-by-provider', '/stats'].map((name) => `/user/ai/models${name}`),
);
const keys = fc.constantFrom(
  ...[
    'page',
    'size',
    'changeType',
    'startTime',
    'endTime',
    'keyword',
    'taskType',
    'provider',
    'enabledOnly',
    '__proto__',
    'x',
  ],
);
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
/** As a program sends them: escaped. */
const escapedQueries = fc
  .array(fc.tuple(keys, values), { maxLength: 4 })
  .map((pairs) => new URLSearchParams(pairs).toString());
/** As nobody should: any visible bytes, also broken escapes. */
const rawQueries = fc.stringMatching(/^[!-"$-~]{0,60}$/);

test('no query string gives a 5xx, and a 400 names the parameter', async () => {
  const headers = await bearer('test_user');
  await fc.assert(
    fc.asyncProperty(paths, fc.oneof(escapedQueries, rawQueries), async (path, query) => {
      const response = await app.inject({ url: `${path}?${query}`, headers });
      expect([200, 400]).toContain(response.statusCode);
      const { data } = response.json<{ data: { field?: string } }>();
      if (response.statusCode === 400) expect(query).toContain(data.field);
    }),
    { numRuns: 500 },
  );
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
    { numRuns: 20 },
  );
});
