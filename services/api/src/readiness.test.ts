import { describe, expect, test } from 'vitest';
import type { LedgerHealth } from './ledger-link.ts';
import { createReadiness } from './readiness.ts';
import type { Read } from './read-tables.ts';
import { buildTestApp } from './testing/test-app.ts';

const healthy: LedgerHealth = { eventStore: 'up', caughtUp: true };
/** Never asks anything. */
const frozen: Read = () => new Promise(() => undefined);
const refused: Read = () => Promise.reject(new Error('connection refused'));

function partsOf(ledgerHealth: () => Promise<LedgerHealth>, read: Read = refused) {
  return createReadiness({ ledgerHealth, read, timeoutMs: 20 })();
}

describe('names the part that is missing', () => {
  test.each<[string, () => Promise<LedgerHealth>, object]>([
    [
      'all well',
      () => Promise.resolve(healthy),
      { ledger: { ok: true }, event_store: { ok: true } },
    ],
    [
      'no ledger',
      () => Promise.reject(new Error('nobody answers', { cause: new Error('503') })),
      { ledger: { ok: false, reason: 'nobody answers' }, event_store: { ok: false } },
    ],
    [
      'a ledger that does not answer',
      () => new Promise(() => undefined),
      { ledger: { ok: false, reason: 'does not answer in time' }, event_store: { ok: false } },
    ],
    [
      'a ledger that is behind',
      () => Promise.resolve({ ...healthy, caughtUp: false }),
      {
        ledger: { ok: false, reason: 'has not read the log to its end yet' },
        event_store: { ok: true },
      },
    ],
    [
      'no event store',
      () =>
        Promise.resolve({ ...healthy, eventStore: 'down' as const, reason: 'connection refused' }),
      { ledger: { ok: true }, event_store: { ok: false, reason: 'connection refused' } },
    ],
  ])('%s', async (_, ledgerHealth, parts) => {
    expect(await partsOf(ledgerHealth)).toMatchObject(parts);
  });

  test.each([
    ['refused', refused, 'connection refused'],
    ['frozen', frozen, 'does not answer in time'],
  ])('postgres %s', async (_, read, reason) => {
    expect(await partsOf(() => Promise.resolve(healthy), read)).toMatchObject({
      postgres: { ok: false, reason },
      projector: { ok: false, reason: 'not known: postgres does not answer' },
    });
  });
});

test('calls at the same time ask once', async () => {
  let asked = 0;
  const readiness = createReadiness({
    ledgerHealth: async () => ((asked += 1), healthy),
    read: refused,
  });
  const [first, second] = await Promise.all([readiness(), readiness()]);
  expect(first).toBe(second);
  expect(asked).toBe(1);
  await readiness();
  expect(asked).toBe(2);
});

test('/readyz is a 503 with the part in words, and all parts', async () => {
  const app = buildTestApp({ ledgerHealth: () => Promise.reject(new Error('nobody answers')) });
  const response = await app.inject({ url: '/readyz', headers: { 'accept-language': 'en' } });
  expect(response.statusCode).toBe(503);
  const message =
    'A part of the system is not available; try again later (ledger: nobody answers; ' +
    'event_store: not known: the ledger does not answer; projector: is not running)';
  expect(response.json()).toEqual({
    code: 503,
    message,
    msg: message,
    detail: message,
    parts: {
      ledger: { ok: false, reason: 'nobody answers' },
      event_store: { ok: false, reason: 'not known: the ledger does not answer' },
      postgres: { ok: true },
      projector: { ok: false, reason: 'is not running' },
      reconcile: { ok: true },
    },
  });
  await app.close();
});

test('/healthz answers whatever else is missing', async () => {
  const app = buildTestApp({ ledgerHealth: () => Promise.reject(new Error('nobody answers')) });
  expect((await app.inject('/healthz')).json()).toEqual({ code: 200, message: 'ok' });
  await app.close();
});
