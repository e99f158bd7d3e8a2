import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { readConfig } from '@points/runtime/config';
import { createLog } from '@points/runtime/log';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  inject,
  test,
  vi,
} from 'vitest';
import { apiSettings } from './config.ts';
import { type Api, startApi } from './start.ts';
import {
  applyPosition,
  createTestTables,
  insertAccount,
  type TestTables,
} from './testing/read-tables.ts';

let lines: string[];

let tables: TestTables;
let api: Api;

function environment(changes: Record<string, string> = {}): Record<string, string> {
  return {
    PORT: '0',
    DATABASE_URL: tables.database.url,
    // Nobody listens there.
    NATS_URL: 'nats://127.0.0.1:1',
    NATS_USER: 'api',
    NATS_PASS: 'secret',
    AUTH_MODE: 'dev',
    JWT_SECRET: 'a secret of at least thirty-two bytes',
    ...changes,
  };
}

function start(changes: Record<string, string> = {}): Promise<Api> {
  const log = createLog('api', 'warn', { write: (line) => void lines.push(line) });
  return startApi(readConfig(apiSettings, environment(changes)), { log });
}

beforeAll(async () => {
  tables = await createTestTables(inject('postgresUrl'));
  await insertAccount(tables.db, { user_id: 'test_user', balance: 100 });
});

beforeEach(async () => {
  lines = [];
  api = await start();
});

afterEach(async () => {
  await api.stop();
  await tables.db.deleteFrom('projection_checkpoints').execute();
});

afterAll(async () => {
  await tables.close();
});

/** For what can only be asked, not awaited. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  await vi.waitFor(async () => expect(await condition()).toBe(true), {
    timeout: 10_000,
    interval: 10,
  });
}

function url(path: string): string {
  return `http://127.0.0.1:${api.port}${path}`;
}

async function login(): Promise<{ authorization: string }> {
  const response = await fetch(url('/api/v1/auth/login'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'test_user', password: 'test123456' }),
  });
  const body: unknown = await response.json();
  expect(body).toMatchObject({ data: { access_token: expect.any(String) } });
  return {
    authorization: `Bearer ${(body as { data: { access_token: string } }).data.access_token}`,
  };
}

test('a user logs in and sees the balance, though NATS is away', async () => {
  const response = await fetch(url('/user/points/consumption/balance'), { headers: await login() });
  expect(await response.json()).toMatchObject({ code: 200, data: { currentPoints: 100 } });
  const readiness = await fetch(url('/readyz'));
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toMatchObject({
    parts: { ledger: { ok: false }, postgres: { ok: true } },
  });
});

describe('a read waits for a position', () => {
  const metrics = async () => (await fetch(url('/metrics'))).text();

  async function read(): Promise<{ answer: Promise<Response> }> {
    const headers = { ...(await login()), 'x-ledger-position': '5' };
    const answer = fetch(url('/user/points/consumption/balance'), { headers });
    await until(async () => (await metrics()).includes('position_waiters{service="api"} 1\n'));
    return { answer };
  }

  beforeEach(async () => {
    await applyPosition(tables.db, 1n);
    const listening =
      "select 1 from pg_stat_activity where datname = current_database() and query = 'listen points_position' and state = 'idle'";
    await until(async () => (await tables.database.query(listening)).length === 1);
  });

  test('that the projector announces', async () => {
    const { answer } = await read();
    await applyPosition(tables.db, 5n);
    expect((await answer).headers.get('x-ledger-position')).toBe('5');
    expect(await metrics()).toContain('position_waits_in_vain{service="api"} 0\n');
  });

  test('that was announced while nobody could hear it', async () => {
    const { answer } = await read();
    await tables.db.updateTable('projection_checkpoints').set({ position: 5n }).execute();
    await tables.database.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'points-api positions'",
    );
    expect((await answer).headers.get('x-ledger-position')).toBe('5');
    expect(await metrics()).toContain('position_waits_in_vain{service="api"} 0\n');
  });
});

test('a taken port is one clear sentence', async () => {
  const sentence = `Port ${api.port} of 127.0.0.1 is taken by another program: stop it, or set PORT to a free one.`;
  await expect(start({ PORT: String(api.port) })).rejects.toThrow(sentence);
});

test('an address that is not of this machine is one clear sentence', async () => {
  await expect(start({ HOST: '203.0.113.1' })).rejects.toThrow(
    /^Cannot listen on port 0 of 203\.0\.113\.1: /,
  );
});

describe('stop', () => {
  const cuts = () => lines.filter((line) => line.includes('requests under way were cut'));

  test('finishes what is under way, then nobody listens any more', async () => {
    const headers = await login();
    const { answer } = await tables.db.transaction().execute(async (transaction) => {
      await transaction.schema.alterTable('user_points').addColumn('lock', 'text').execute();
      const response = fetch(url('/user/points/consumption/balance'), { headers });
      const waiting =
        "select 1 from pg_stat_activity where datname = current_database() and application_name = 'points-api' and wait_event_type = 'Lock'";
      await until(async () => (await tables.database.query(waiting)).length === 1);
      const stopped = api.stop();
      return { answer: { response, stopped } };
    });
    expect((await answer.response).status).toBe(200);
    await answer.stopped;
    expect(cuts()).toEqual([]);
    await expect(fetch(url('/healthz'))).rejects.toThrow('fetch failed');
  });

  test('does not wait for connections on which nothing happens', async () => {
    const idle = connect(api.port, '127.0.0.1');
    idle.on('error', () => undefined);
    await once(idle, 'connect');
    const ended = once(idle, 'close');
    await api.stop();
    await ended;
    expect(cuts()).toEqual([]);
  });

  test('does not wait for a PostgreSQL that does not answer', async () => {
    const silent = createServer((socket: Socket) => void socket.on('error', () => undefined));
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve);
    });
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('not listening on a port');
    const other = await start({
      DATABASE_URL: `postgres://user:pass@127.0.0.1:${address.port}/points`,
    });
    const read = fetch(`http://127.0.0.1:${other.port}/user/ai/models`).then(
      (response) => response.status,
      () => 'cut',
    );
    await once(silent, 'connection');
    await other.stop();
    expect(await read).toBe('cut');
    expect(cuts()).toHaveLength(1);
    silent.close();
  });
});

describe('what is not HTTP', () => {
  async function send(text: string): Promise<string> {
    const socket = connect(api.port, '127.0.0.1');
    socket.setEncoding('utf8');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk));
    socket.write(text);
    await once(socket, 'close');
    return answer;
  }

  test.each([
    ['nonsense', 'hello\r\n\r\n', 400, 'bad_request'],
    [
      'too many headers',
      `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
  ])('%s has an answer of the usual shape', async (_, text, status, code) => {
    const answer = await send(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const body: unknown = JSON.parse(answer.split('\r\n\r\n')[1] ?? '');
    expect(body).toMatchObject({ code: status, data: { error: code } });
  });
});
