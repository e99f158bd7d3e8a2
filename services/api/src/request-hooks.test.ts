import { createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import { expect, test } from 'vitest';
import { bearer, buildTestApp } from './testing/test-app.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test('each request has an id, its own when it brings a harmless one', async () => {
  const app = buildTestApp();
  const idOf = async (headers: Record<string, string>, url = '/healthz') =>
    (await app.inject({ url, headers })).headers['x-request-id'];
  expect(await idOf({})).toMatch(UUID);
  expect(await idOf({ 'x-request-id': 'order-42.retry_1' })).toBe('order-42.retry_1');
  expect(await idOf({ 'x-request-id': 'a b' })).toMatch(UUID);
  expect(await idOf({ 'x-request-id': 'x'.repeat(65) })).toMatch(UUID);
  expect(await idOf({}, '/nothing')).toMatch(UUID);
  await app.close();
});

test('answers are not cached, sniffed or framed', async () => {
  const app = buildTestApp();
  for (const url of ['/user/ai/models', '/nothing', '/user/points/consumption/balance']) {
    const { headers } = await app.inject(url);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
  }
  await app.close();
});

test('one line per request is logged, without query and token', async () => {
  const lines: string[] = [];
  const log = createLog('api', 'info', { write: (line) => void lines.push(line) });
  const app = buildTestApp({ log });
  const headers = { ...(await bearer('test_user')), 'x-request-id': 'id-1' };
  await app.inject({ url: '/user/points/consumption/logs?keyword=private&page=x', headers });
  await app.close();
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    msg: 'request',
    requestId: 'id-1',
    method: 'GET',
    path: '/user/points/consumption/logs',
    status: 400,
    ms: expect.any(Number),
  });
  expect(lines[0]).not.toMatch(/private|Bearer/);
});

test('a 5xx is logged with its error', async () => {
  const lines: string[] = [];
  const log = createLog('api', 'error', { write: (line) => void lines.push(line) });
  const app = buildTestApp({ log });
  app.get('/bug', () => {
    throw new TypeError('the reason');
  });
  await app.inject('/bug');
  await app.close();
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      level: 'error',
      err: expect.objectContaining({ message: 'the reason' }),
    }),
  ]);
});

test('requests are measured by route', async () => {
  const app = buildTestApp({ metrics: createMetrics('api') });
  await app.inject('/user/ai/models?page=1');
  await app.inject('/user/ai/models/');
  await app.inject('/nothing/1');
  await app.inject('/nothing/2');
  const response = await app.inject('/metrics');
  expect(response.headers['content-type']).toMatch(/^text\/plain/);
  const count = (route: string, status: number) =>
    `http_request_seconds_count{service="api",method="GET",route="${route}",status="${status}"}`;
  expect(response.body).toContain(`${count('/user/ai/models', 200)} 2`);
  expect(response.body).toContain(`${count('unknown', 404)} 2`);
  await app.close();
});

test('pages of the allowed origins may call, and read the position', async () => {
  const app = buildTestApp({ corsOrigins: ['https://app.example.com'] });
  const preflight = await app.inject({
    method: 'OPTIONS',
    url: '/user/points/consumption/balance',
    headers: {
      origin: 'https://app.example.com',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    },
  });
  expect(preflight.statusCode).toBe(204);
  expect(preflight.headers).toMatchObject({
    'access-control-allow-origin': 'https://app.example.com',
    'access-control-allow-headers': 'authorization',
  });
  const read = await app.inject({
    url: '/user/ai/models',
    headers: { origin: 'https://app.example.com' },
  });
  expect(read.headers['access-control-allow-origin']).toBe('https://app.example.com');
  expect(read.headers['access-control-expose-headers']).toContain('X-Ledger-Position');
  const refused = await app.inject({
    url: '/user/points/consumption/balance',
    headers: { origin: 'https://app.example.com' },
  });
  expect(refused.statusCode).toBe(401);
  expect(refused.headers['access-control-allow-origin']).toBe('https://app.example.com');
  const other = await app.inject({
    url: '/user/ai/models',
    headers: { origin: 'https://evil.example.com' },
  });
  expect(other.headers['access-control-allow-origin']).toBeUndefined();
  await app.close();
});

test('without allowed origins no page may call', async () => {
  const app = buildTestApp();
  const response = await app.inject({
    url: '/user/ai/models',
    headers: { origin: 'https://app.example.com' },
  });
  expect(response.headers['access-control-allow-origin']).toBeUndefined();
  await app.close();
});
