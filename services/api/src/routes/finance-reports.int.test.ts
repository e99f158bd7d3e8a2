import { randomUUID } from 'node:crypto';
import { confirm, hold, recharge } from '@points/domain/testing/book';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createFinanceWorld, type FinanceWorld } from '../testing/finance-world.ts';
import { createTestTables, type TestTables } from '../testing/read-tables.ts';
import { bearer } from '../testing/test-app.ts';

let tables: TestTables;
let world: FinanceWorld;

beforeAll(async () => {
  tables = await createTestTables(inject('postgresUrl'));
  world = await createFinanceWorld({ db: tables.db });
  for (const id of ['ann', 'bob-1_x']) {
    const book = world.writer.book(id);
    recharge(book, 100);
    const holdId = randomUuidV7(book.nowMs);
    hold(book, 30, { holdId });
    confirm(book, holdId, 20);
    await world.writer.flush();
  }
});

function randomUuidV7(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${randomUUID().slice(-12)}`;
}

afterAll(async () => {
  await world.close();
  await tables.close();
});

const PATHS = [
  'trial-balance',
  'verify',
  'reconcile',
  'accounts/ann/balance',
  'statements/ann',
  'statements/ann.csv',
];

test.each(PATHS)('%s is for finance and admins only', async (path) => {
  const url = `/api/v1/finance/${path}`;
  const status = async (headers: Record<string, string>) =>
    (await world.app.inject({ url, headers })).statusCode;
  expect(await status({})).toBe(401);
  expect(await status(await bearer('ann', ['user']))).toBe(403);
  expect(await status(await bearer('auditor', ['finance']))).toBe(200);
  expect(await status(await bearer('root', ['admin']))).toBe(200);
});

test.each([
  ['trial-balance?by=week', 'by'],
  ['trial-balance?as_of=never', 'as_of'],
  ['trial-balance?from=never', 'from'],
  ['trial-balance?from=2026-01-02&as_of=2026-01-01', 'from'],
  ['trial-balance?to_position=99999999', 'to_position'],
  ['accounts/a%20b/balance', 'userId'],
  ['accounts/ann/balance?as_of=2026-13-01', 'as_of'],
  ['statements/a%20b.csv', 'userId'],
  ['statements/ann?format=pdf', 'format'],
  ['statements/ann.csv?from=x', 'from'],
  ['statements/ann?from=2026-01-02&to=2026-01-01', 'from'],
])('%s is a 400 that names %s', async (path, field) => {
  const answer = await world.get(path);
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ code: 1001018, data: { field } });
});

describe('trial balance', () => {
  test('sums to zero, at the position of the header', async () => {
    const answer = await world.get('trial-balance?by=day');
    const position = String(await world.endOfLog());
    expect(answer.headers['x-ledger-position']).toBe(position);
    expect(answer.json()).toMatchObject({
      code: 200,
      data: {
        report: 'trial_balance',
        position,
        accounts: 2,
        balance: 160,
        held: 0,
        totals: { paid: 200, consumed: 40 },
        sums_to_zero: true,
        days: [{ day: '2026-01-01', balance: 160 }],
      },
    });
    const before = await world.get('trial-balance?as_of=2025-12-31&by=&to_position=');
    expect(before.json()).toMatchObject({ data: { accounts: 0, balance: 0 } });
  });

  test('of a period has its opening and its closing', async () => {
    const all = await world.get('trial-balance?from=2026-01-01');
    expect(all.json()).toMatchObject({
      data: {
        sums_to_zero: true,
        period: { opening: { balance: 0 }, closing: { balance: 160 }, adds_up: true },
      },
    });
    const later = await world.get('trial-balance?from=2026-01-02');
    expect(later.json()).toMatchObject({
      data: { period: { events: 0, opening: { balance: 160 }, closing: { balance: 160 } } },
    });
  });

  test('those who ask for the same share one', async () => {
    world.reads.pages = 0;
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => world.get('trial-balance')));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(world.reads.pages).toBeLessThan(5);
  });

  test('of different ones only two are made at a time', async () => {
    let reading = 0;
    const [twoRead, sayTwoRead] = gate();
    const [go, sayGo] = gate();
    const busy = await createFinanceWorld({
      eventLog: {
        ...world.log,
        async readAll(options) {
          reading += 1;
          if (reading === 2) sayTwoRead();
          await go;
          return world.log.readAll(options);
        },
      },
    });
    const two = ['none', 'day'].map((by) => busy.get(`trial-balance?by=${by}`));
    await twoRead;
    const third = await busy.get('trial-balance?by=source');
    expect([third.statusCode, third.headers['retry-after']]).toEqual([429, '30']);
    sayGo();
    expect((await Promise.all(two)).map(({ statusCode }) => statusCode)).toEqual([200, 200]);
    await busy.close();
  });

  test('that takes too long is given up', async () => {
    const hasty = await createFinanceWorld({
      eventLog: world.log,
      financeBounds: { ledgerDeadlineMs: 0 },
    });
    const answer = await hasty.get('trial-balance');
    expect(answer.statusCode).toBe(504);
    expect(answer.json()).toMatchObject({ data: { error: 'deadline_exceeded' } });
    await hasty.close();
  });
});

describe('balance', () => {
  test('of an account, and of one that never had an event', async () => {
    const now = (await world.get('accounts/bob-1_x/balance')).json();
    expect(now).toMatchObject({
      code: 200,
      data: { account_id: 'bob-1_x', balance: 80, held: 0, available: 80, debt: 0, revision: 2 },
    });
    const before = await world.get('accounts/ann/balance?as_of=2025-12-31');
    expect(before.json()).toMatchObject({ data: { balance: 0, revision: -1 } });
    const nobody = await world.get('accounts/nobody/balance');
    expect(nobody.json()).toMatchObject({ data: { balance: 0, revision: -1 } });
  });
});

describe('statement', () => {
  test('as JSON in the usual envelope', async () => {
    const answer = await world.get('statements/ann');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.json()).toMatchObject({
      code: 200,
      message: 'success',
      data: { closing: { balance: 80, adds_up: true } },
    });
  });

  test('as CSV and as a page, in Chinese or English', async () => {
    const csv = await world.get('statements/ann.csv');
    expect(csv.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(csv.headers['content-disposition']).toBe('attachment; filename="statement-ann.csv"');
    expect(csv.body.startsWith('\uFEFFtime,type,')).toBe(true);
    expect((await world.get('statements/ann?format=csv')).body).toBe(csv.body);
    const page = await world.get('statements/ann?format=html', { 'accept-language': 'en' });
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    expect(page.body).toContain('<html lang="en"');
  });
});

test('of a history that cannot be right no report is made: 500 that names the event', async () => {
  await world.writer.raw('account-broken', 'PointsHeld', { nonsense: 1 });
  for (const path of ['accounts/broken/balance', 'statements/broken.csv']) {
    const answer = await world.get(path, { 'accept-language': 'en' });
    expect(answer.statusCode).toBe(500);
    expect(answer.headers['content-disposition']).toBeUndefined();
    expect(answer.json()).toMatchObject({
      data: { finding: { stream: 'account-broken', revision: 0 } },
    });
    expect(answer.json<{ msg: string }>().msg).toContain('event 0 of account-broken');
  }
});

test('reconcile says what the projector last compared', async () => {
  const answer = await world.get('reconcile');
  expect(answer.json()).toMatchObject({
    code: 200,
    data: { reconcile: { drifted_accounts: 0, last_full_round_at: null, drift: [] } },
  });
});

describe('verify', () => {
  test('without an anchor says so, and claims nothing', async () => {
    const answer = await world.get('verify');
    expect(answer.json()).toMatchObject({
      data: { verified_here: false, anchors_in_all: 0, anchors: [], events_after: 7 },
    });
  });

  test('shows the newest anchors, how far the log has gone on, and how to verify', async () => {
    const position = String(await world.endOfLog());
    const anchor = {
      position,
      events: 7,
      streams: 3,
      root: 'a'.repeat(64),
      order: 'b'.repeat(64),
      key_id: 'c'.repeat(64),
      signed_at: '2026-01-02T00:00:00.000Z',
      signature: 'd'.repeat(128),
    };
    const event = (data: typeof anchor) => ({
      id: randomUUID(),
      type: 'LedgerAnchored',
      data,
      metadata: { schema: 'LedgerAnchored.v1' },
    });
    const anchors = Array.from({ length: 12 }, (_, index) =>
      event({ ...anchor, events: index + 1 }),
    );
    await world.log.append('auditAnchor-ledger', anchors, 'no_stream');
    await world.writer.raw('account-late', 'PointsHeld', {});
    const { data } = (await world.get('verify')).json<{ data: { anchors: unknown[] } }>();
    expect(data).toMatchObject({
      verified_here: false,
      commands: expect.arrayContaining([expect.stringContaining('audit -- verify')]),
      anchors_in_all: 12,
      unreadable: [],
      events_after: 1,
      events_after_is_minimum: false,
    });
    expect(data.anchors).toHaveLength(10);
    expect(data.anchors[0]).toEqual({
      position,
      events: 12,
      streams: 3,
      root: anchor.root,
      signed_at: anchor.signed_at,
      key_id: anchor.key_id,
    });
  });
});

test('a store that is away is a 503 that names it', async () => {
  await world.store.stop();
  for (const path of PATHS.filter((each) => each !== 'reconcile')) {
    const answer = await world.get(path);
    expect(answer.json()).toMatchObject({ code: 503, data: { part: 'event_store' } });
  }
  await world.store.start();
});

function gate(): [opened: Promise<void>, open: () => void] {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return [opened, open];
}
