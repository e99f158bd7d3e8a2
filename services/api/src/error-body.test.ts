import { errorBody } from '@points/contracts/http';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bearer, buildTestApp } from './testing/test-app.ts';

let app: FastifyInstance;

beforeEach(() => {
  app = buildTestApp();
});

afterEach(async () => {
  await app.close();
});

const json = { 'content-type': 'application/json' };

describe('every error has the same body', () => {
  test.each<[string, InjectOptions, number, string]>([
    ['an unknown address', { url: '/nothing' }, 404, 'not_found'],
    [
      'an unknown address with a body',
      { method: 'POST', url: '/nothing', headers: json, payload: '{' },
      404,
      'not_found',
    ],
    ['an unknown address below one of ours', { url: '/user/ai/models/1' }, 404, 'not_found'],
    ['an address of another case', { url: '/USER/AI/MODELS' }, 404, 'not_found'],
    ['another method', { method: 'DELETE', url: '/user/ai/models' }, 405, 'method_not_allowed'],
    [
      'another method with a body',
      { method: 'POST', url: '/user/ai/models?x=1', headers: json, payload: '{' },
      405,
      'method_not_allowed',
    ],
    [
      'a preflight that nobody has allowed',
      { method: 'OPTIONS', url: '/user/ai/models' },
      405,
      'method_not_allowed',
    ],
    ['an address that cannot be decoded', { url: '/user/%zz' }, 400, 'bad_request'],
    [
      'JSON that is none',
      { method: 'POST', url: '/api/v1/auth/login', headers: json, payload: '{"username":' },
      400,
      'bad_request',
    ],
    [
      'an empty body',
      { method: 'POST', url: '/api/v1/auth/login', headers: json, payload: '' },
      400,
      'bad_request',
    ],
    [
      'a key that would be a prototype',
      { method: 'POST', url: '/api/v1/auth/login', headers: json, payload: '{"__proto__":{}}' },
      400,
      'bad_request',
    ],
    [
      'a body of another type',
      {
        method: 'POST',
        url: '/api/v1/auth/login',
        headers: { 'content-type': 'text/xml' },
        payload: '<a/>',
      },
      415,
      'unsupported_media_type',
    ],
    [
      'a body that is too large',
      { method: 'POST', url: '/api/v1/auth/login', headers: json, payload: 'x'.repeat(65_537) },
      413,
      'payload_too_large',
    ],
    ['a wrong parameter', { url: '/user/ai/models?taskType=x' }, 400, 'invalid_argument'],
    [
      'a wrong header',
      { url: '/user/ai/models', headers: { 'x-ledger-position': 'x' } },
      400,
      'invalid_argument',
    ],
    ['no token', { url: '/user/points/consumption/stats' }, 401, 'unauthorized'],
  ])('%s', async (_, request, status, code) => {
    const response = await app.inject(request);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    const body = errorBody.parse(response.json());
    expect(body.data).toMatchObject({ error: code });
    expect(new Set([body.message, body.msg, body.detail]).size).toBe(1);
  });
});

test('405 lists the methods that there are', async () => {
  const response = await app.inject({ method: 'PUT', url: '/user/ai/models' });
  expect(response.headers['allow']).toBe('GET, HEAD');
});

describe('names what is wrong, in the language of the caller', () => {
  test.each([
    [
      '/user/ai/models?enabledOnly=maybe',
      {},
      '参数错误：enabledOnly 应为 true 或 false',
      'enabledOnly',
    ],
    [
      '/user/ai/models?enabledOnly=maybe',
      { 'accept-language': 'en' },
      'An argument is invalid: enabledOnly must be true or false',
      'enabledOnly',
    ],
    ['/user/ai/models?provider=a&provider=b', {}, '参数错误：provider 只能出现一次', 'provider'],
    [
      '/user/ai/models',
      { 'x-ledger-position': '-1' },
      '参数错误：X-Ledger-Position 应为十进制日志位置',
      'X-Ledger-Position',
    ],
    [
      '/user/ai/models',
      { 'x-ledger-position': '' },
      '参数错误：X-Ledger-Position 应为十进制日志位置',
      'X-Ledger-Position',
    ],
  ])('%s %j', async (url, headers, message, field) => {
    const response = await app.inject({ url, headers });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toEqual({
      code: 1001018,
      message,
      msg: message,
      detail: message,
      data: { error: 'invalid_argument', field, reason: expect.any(String) },
    });
  });

  test('a time span that ends before it starts', async () => {
    const url = '/user/points/consumption/logs?startTime=2025-10-23&endTime=2025-10-22';
    const response = await app.inject({ url, headers: await bearer('test_user') });
    expect(response.json()).toMatchObject({ code: 1001018, data: { field: 'startTime' } });
  });
});

test('a bug is a 500 that tells nothing of the inside', async () => {
  const broken = buildTestApp();
  broken.get('/bug', () => {
    throw new TypeError('secret of the inside');
  });
  const response = await broken.inject({ url: '/bug', headers: { 'accept-language': 'en' } });
  expect(response.statusCode).toBe(500);
  const text = 'Something went wrong on our side';
  expect(response.json()).toEqual({
    code: 500,
    message: text,
    msg: text,
    detail: text,
    data: { error: 'internal_error' },
  });
  await broken.close();
});

test('something that is no error can be thrown too', async () => {
  const broken = buildTestApp();
  broken.get('/bug', () => {
    // oxlint-disable-next-line typescript/only-throw-error -- what a library may do
    throw 'text';
  });
  expect((await broken.inject('/bug')).json()).toMatchObject({ code: 500 });
  await broken.close();
});

test('a trailing slash makes no difference', async () => {
  expect((await app.inject('/user/ai/models/')).statusCode).toBe(200);
});
