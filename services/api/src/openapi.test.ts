import { expect, test } from 'vitest';
import { z } from 'zod';
import { buildTestApp } from './testing/test-app.ts';

const document = z.object({
  openapi: z.literal('3.1.0'),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        summary: z.string().min(1),
        parameters: z
          .array(z.object({ name: z.string(), in: z.string(), required: z.boolean().optional() }))
          .default([]),
        security: z.array(z.unknown()).optional(),
        responses: z.record(
          z.string(),
          z.object({ content: z.record(z.string(), z.object({ schema: z.object() })) }),
        ),
      }),
    ),
  ),
});

async function readDocument() {
  const app = buildTestApp();
  const response = await app.inject('/openapi.json');
  await app.close();
  return document.parse(response.json());
}

test('lists every route, each with the schema of its answers', async () => {
  const { paths } = await readDocument();
  const listed = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { responses }]) => `${method} ${path} ${Object.keys(responses).join(' ')}`,
    ),
  );
  expect(listed.toSorted()).toEqual([
    'get /api/v1/admin/projections 200 401 403 500 503',
    'get /api/v1/finance/accounts/{userId}/balance 200 400 401 403 429 500 503 504',
    'get /api/v1/finance/events 200 400 401 403 429 500 503',
    'get /api/v1/finance/reconcile 200 401 403 500 503',
    'get /api/v1/finance/statements/{userId} 200 400 401 403 429 500 503',
    'get /api/v1/finance/statements/{userId}.csv 200 400 401 403 429 500 503',
    'get /api/v1/finance/trial-balance 200 400 401 403 429 500 503 504',
    'get /api/v1/finance/verify 200 401 403 429 500 503 504',
    'get /healthz 200',
    'get /metrics 200',
    'get /readyz 200 503',
    'get /user/ai/models 200 400 500 503',
    'get /user/ai/models/group-by-provider 200 400 500 503',
    'get /user/ai/models/group-by-type 200 400 500 503',
    'get /user/ai/models/stats 200 400 500 503',
    'get /user/points/consumption/balance 200 400 401 403 500 503',
    'get /user/points/consumption/logs 200 400 401 403 500 503',
    'get /user/points/consumption/stats 200 400 401 403 500 503',
    'post /api/v1/auth/login 200 400 401 413 415 500',
  ]);
});

test('lists no route that is not there', async () => {
  const app = buildTestApp({ devLogin: false });
  const { paths } = document.parse((await app.inject('/openapi.json')).json());
  expect(Object.keys(paths)).not.toContain('/api/v1/auth/login');
  await app.close();
});

test('names the parameters, none of them required', async () => {
  const { paths } = await readDocument();
  const parameters = paths['/user/points/consumption/logs']?.['get']?.parameters ?? [];
  expect(
    parameters.map(
      ({ name, in: place, required }) => `${place} ${name}${required ? ' required' : ''}`,
    ),
  ).toEqual([
    'query page',
    'query size',
    'query changeType',
    'query startTime',
    'query endTime',
    'query keyword',
    'header x-ledger-position',
  ]);
});

test('says which routes need a token', async () => {
  const { paths } = await readDocument();
  expect(paths['/user/points/consumption/balance']?.['get']?.security).toEqual([{ bearer: [] }]);
  expect(paths['/user/ai/models']?.['get']?.security).toBeUndefined();
});

test('the page to try it is there', async () => {
  const app = buildTestApp();
  const page = await app.inject('/docs/');
  expect(page.statusCode).toBe(200);
  expect(page.headers['content-type']).toMatch(/^text\/html/);
  expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  expect((await app.inject('/docs')).statusCode).toBeLessThan(400);
  expect((await app.inject('/docs/json')).json()).toEqual(
    (await app.inject('/openapi.json')).json(),
  );
  expect((await app.inject('/docs/static/nothing.js')).statusCode).toBe(404);
  await app.close();
});
