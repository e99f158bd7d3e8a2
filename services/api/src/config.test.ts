import { readConfig } from '@points/runtime/config';
import { describe, expect, test } from 'vitest';
import { apiSettings } from './config.ts';

const complete = {
  DATABASE_URL: 'postgres://user:pass@127.0.0.1:5432/points',
  NATS_URL: 'nats://127.0.0.1:4222',
  NATS_USER: 'api',
  NATS_PASS: 'secret',
  JWT_SECRET: 'x'.repeat(32),
};

test('needs a database, NATS and a way to check tokens, and no more', () => {
  expect(readConfig(apiSettings, complete)).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 3000,
    AUTH_MODE: 'jwt',
    CORS_ORIGINS: [],
    DATABASE_POOL_SIZE: 10,
  });
});

test('a key set is enough to check tokens', () => {
  const { JWT_SECRET: _, ...rest } = complete;
  const settings = readConfig(apiSettings, { ...rest, JWKS_URL: 'https://login.example.com/keys' });
  expect(settings.JWKS_URL).toBe('https://login.example.com/keys');
});

test.each([
  ['https://a.example.com', ['https://a.example.com']],
  [
    'https://a.example.com, http://localhost:5173',
    ['https://a.example.com', 'http://localhost:5173'],
  ],
  ['*', ['*']],
])('CORS_ORIGINS=%s', (text, origins) => {
  expect(readConfig(apiSettings, { ...complete, CORS_ORIGINS: text }).CORS_ORIGINS).toEqual(
    origins,
  );
});

describe('one sentence says what is wrong', () => {
  test.each([
    [
      { AUTH_MODE: 'dev', NODE_ENV: 'production' },
      /AUTH_MODE=dev .* refused when NODE_ENV=production/,
    ],
    [{ AUTH_MODE: 'none' }, /^AUTH_MODE is "none": must be dev .* or jwt/],
    [{ AUTH_MODE: 'dev', JWT_SECRET: '' }, /AUTH_MODE=dev needs JWT_SECRET/],
    [{ JWT_SECRET: 'x'.repeat(31) }, /^JWT_SECRET is wrong: must be at least 32 bytes long/],
    [{ JWT_SECRET: '' }, /Set JWT_SECRET .* or JWKS_URL/],
    [{ JWKS_URL: 'https://login.example.com/keys' }, /Set only one of JWT_SECRET and JWKS_URL/],
    [
      { JWT_SECRET: '', JWKS_URL: 'file:///keys' },
      /^JWKS_URL is wrong: must be a URL that starts with https/,
    ],
    [{ PORT: '70000' }, /^PORT is "70000": must be a whole number from 0 to 65535/],
    [
      { DATABASE_URL: 'mysql://x' },
      /^DATABASE_URL is wrong: must be a URL that starts with postgres/,
    ],
    [{ DATABASE_URL: '' }, /^DATABASE_URL is not set/],
    [{ NATS_USER: '' }, /^NATS_USER is not set/],
    [{ CORS_ORIGINS: 'example.com' }, /^CORS_ORIGINS is "example.com": must be origins/],
    [{ CORS_ORIGINS: 'https://a.example.com/path' }, /^CORS_ORIGINS is/],
  ])('%j', (wrong, sentence) => {
    expect(() => readConfig(apiSettings, { ...complete, ...wrong })).toThrow(sentence);
  });
});

test('32 bytes are counted in UTF-8', () => {
  expect(() => readConfig(apiSettings, { ...complete, JWT_SECRET: '密'.repeat(11) })).not.toThrow();
});
