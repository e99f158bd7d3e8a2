import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bearer, buildTestApp, clock, NOW, SECRET } from './testing/test-app.ts';

const BALANCE = '/user/points/consumption/balance';
const nowSeconds = NOW.getTime() / 1_000;

let app: FastifyInstance;

beforeEach(() => {
  app = buildTestApp();
});

afterEach(async () => {
  await app.close();
});

function token(claims: Record<string, unknown>, alg = 'HS256', secret = SECRET): Promise<string> {
  return new SignJWT({ sub: 'test_user', exp: nowSeconds + 60, ...claims })
    .setProtectedHeader({ alg })
    .sign(secret);
}

async function statusOf(authorization: string | undefined): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  return (await app.inject({ url: BALANCE, headers })).statusCode;
}

describe('a token lets pass', () => {
  test.each([
    ['of the dev login', async () => (await bearer('test_user')).authorization],
    ['without roles', async () => `Bearer ${await token({})}`],
    ['with one role as text', async () => `Bearer ${await token({ roles: 'user' })}`],
    ['of an admin', async () => `Bearer ${await token({ roles: ['admin'] })}`],
    ['with the scheme in lower case', async () => `bearer ${await token({})}`],
    ['made by a clock 4 s ahead', async () => `Bearer ${await token({ nbf: nowSeconds + 4 })}`],
  ])('%s', async (_, authorization) => {
    expect(await statusOf(await authorization())).toBe(200);
  });
});

describe('401', () => {
  test.each([
    ['no header', async () => undefined],
    ['another scheme', async () => 'Basic dGVzdDp0ZXN0'],
    ['no token', async () => 'Bearer '],
    ['garbage', async () => 'Bearer garbage'],
    [
      'another secret',
      async () => `Bearer ${await token({}, 'HS256', new TextEncoder().encode('y'.repeat(40)))}`,
    ],
    ['another algorithm of the same secret', async () => `Bearer ${await token({}, 'HS512')}`],
    [
      'no signature',
      async () => `Bearer ${new UnsecuredJWT({ sub: 'test_user', exp: nowSeconds + 60 }).encode()}`,
    ],
    ['an expired token', async () => `Bearer ${await token({ exp: nowSeconds - 6 })}`],
    ['a token that never expires', async () => `Bearer ${await token({ exp: undefined })}`],
    ['no subject', async () => `Bearer ${await token({ sub: undefined })}`],
    ['a subject that is no account id', async () => `Bearer ${await token({ sub: 'a/b' })}`],
    [
      'a token that is not valid yet',
      async () => `Bearer ${await token({ nbf: nowSeconds + 60 })}`,
    ],
  ])('%s', async (_, authorization) => {
    const header = await authorization();
    const response = await app.inject({
      url: BALANCE,
      headers: header === undefined ? {} : { authorization: header },
    });
    expect(response.statusCode).toBe(401);
    expect(response.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(response.json()).toMatchObject({
      code: 401,
      message: '未登录或登录已失效',
      data: { error: 'unauthorized' },
    });
  });

  test('comes before a complaint about a parameter', async () => {
    expect((await app.inject('/user/points/consumption/logs?page=0')).statusCode).toBe(401);
  });

  test('is the answer of all three points addresses', async () => {
    const urls = ['balance', 'logs', 'stats'].map((name) => `/user/points/consumption/${name}`);
    const statuses = await Promise.all(urls.map(async (url) => (await app.inject(url)).statusCode));
    expect(statuses).toEqual([401, 401, 401]);
  });
});

test('403 without the role', async () => {
  const response = await app.inject({
    url: BALANCE,
    headers: await bearer('auditor', ['finance']),
  });
  expect(response.statusCode).toBe(403);
  expect(response.json()).toMatchObject({
    code: 403,
    data: { error: 'access_denied', role: 'user' },
  });
});

describe('issuer and audience', () => {
  const tokens = {
    keys: { kind: 'secret' as const, secret: SECRET },
    issuer: 'https://login',
    audience: 'points',
  };

  test.each([
    ['as they should be', { iss: 'https://login', aud: 'points' }, 200],
    ['among several', { iss: 'https://login', aud: ['web', 'points'] }, 200],
    ['another issuer', { iss: 'https://elsewhere', aud: 'points' }, 401],
    ['another audience', { iss: 'https://login', aud: 'web' }, 401],
    ['none', {}, 401],
  ])('%s', async (_, claims, status) => {
    const strict = buildTestApp({ tokens });
    const headers = { authorization: `Bearer ${await token(claims)}` };
    expect((await strict.inject({ url: BALANCE, headers })).statusCode).toBe(status);
    await strict.close();
  });
});

test('no Authorization header of any shape gives a 5xx', async () => {
  const visible = fc.stringMatching(/^[ -~]{0,80}$/);
  const jwtLike = fc
    .tuple(fc.base64String(), fc.base64String(), fc.base64String())
    .map((parts) => parts.join('.'));
  const texts = fc.oneof(
    visible,
    fc.oneof(visible, jwtLike).map((text) => `Bearer ${text}`),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (authorization) => {
      expect(await statusOf(authorization)).toBe(401);
    }),
  );
});

describe('dev login', () => {
  const login = (payload: unknown, accept = 'zh') =>
    app.inject({
      method: 'POST',
      url: '/api/v1/auth/login',
      headers: { 'accept-language': accept, 'content-type': 'application/json' },
      payload: JSON.stringify(payload),
    });

  test.each([
    ['test_user', 'test123456', ['user'], 200],
    ['admin', 'admin123456', ['user', 'admin', 'finance'], 200],
    ['finance', 'finance123456', ['finance'], 403],
  ])('%s gets a token that works', async (username, password, roles, status) => {
    const response = await login({ username, password });
    expect(response.json()).toEqual({
      code: 200,
      message: 'success',
      data: {
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        token_type: 'bearer',
        user: { id: username, username, roles },
      },
    });
    const { data } = response.json<{ data: { access_token: string } }>();
    expect(await statusOf(`Bearer ${data.access_token}`)).toBe(status);
  });

  test.each([
    ['a wrong password', { username: 'test_user', password: 'admin123456' }],
    ['an unknown user', { username: 'nobody', password: 'test123456' }],
    ['a name of every object', { username: 'constructor', password: 'test123456' }],
  ])('%s is 401 and does not say which of the two is wrong', async (_, credentials) => {
    const response = await login(credentials, 'en');
    expect(response.statusCode).toBe(401);
    expect(response.json()).toMatchObject({
      code: 401,
      message: 'The username or the password is wrong',
    });
  });

  test.each([
    [{ username: 'test_user' }, 'password'],
    [{ username: 1, password: 'x' }, 'username'],
    [{ username: 'test_user', password: 'x'.repeat(129) }, 'password'],
    ['text', 'body'],
    [null, 'body'],
  ])('%j is a 400 that names %s', async (payload, field) => {
    const response = await login(payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: 1001018,
      data: { error: 'invalid_argument', field },
    });
  });

  test('does not exist outside development', async () => {
    const production = buildTestApp({ devLogin: false });
    const payload = { username: 'admin', password: 'admin123456' };
    const response = await production.inject({
      method: 'POST',
      url: '/api/v1/auth/login',
      payload,
    });
    expect(response.statusCode).toBe(404);
    await production.close();
  });

  test('its tokens last a day', async () => {
    const headers = await bearer('test_user');
    const status = async (hours: number) => {
      const later = buildTestApp({ clock: { now: () => clock.now() + hours * 3_600_000 } });
      const { statusCode } = await later.inject({ url: BALANCE, headers });
      await later.close();
      return statusCode;
    };
    expect([await status(23), await status(25)]).toEqual([200, 401]);
  });
});
