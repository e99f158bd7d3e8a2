import { createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import { startFrozenLink } from '@points/read-model/testing/frozen-link';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { type PositionListener, listenForPositions } from './position-listener.ts';
import { createPositionWait, type PositionWait } from './position-wait.ts';
import { selectAppliedPosition } from './queries/position.ts';
import {
  applyPosition,
  createTestTables,
  insertAccount,
  type TestTables,
} from './testing/read-tables.ts';
import { bearer, buildTestApp } from './testing/test-app.ts';

const BALANCE = '/user/points/consumption/balance';
/** Long enough that a test which waits for it in vain fails by its own timeout. */
const FOR_EVER_MS = 600_000;

let tables: TestTables;
let listening: () => Promise<void>;
/** The next time that the tables are asked how far they are, and have answered. */
let looked: () => Promise<void>;
let positions: PositionWait;
let listener: PositionListener;
let app: FastifyInstance;

/** The parts as `start` connects them, the listener by way of `url`. */
async function connect(url: string, timeoutMs: number): Promise<void> {
  let tell = () => undefined as void;
  looked = () => new Promise((resolve) => (tell = resolve));
  const readPosition = async () => {
    const position = (await selectAppliedPosition(tables.db)) ?? 0n;
    tell();
    return position;
  };
  positions = createPositionWait({ metrics: createMetrics('api'), readPosition, timeoutMs });
  let times = 0;
  let heard = () => undefined as void;
  listening = () => new Promise((resolve) => (heard = resolve));
  const first = listening();
  const onListening = () => {
    times += 1;
    positions.forget();
    heard();
  };
  listener = listenForPositions({
    url,
    log: createLog('api', 'silent'),
    onPosition: positions.announce,
    onListening,
  });
  await first;
  expect(times).toBe(1);
  app = buildTestApp({ db: tables.db, positions });
}

beforeAll(async () => {
  tables = await createTestTables(inject('postgresUrl'));
});

afterEach(async () => {
  await app.close();
  await listener.stop();
  await tables.db.deleteFrom('projection_checkpoints').execute();
  await tables.db.deleteFrom('user_points').execute();
});

afterAll(async () => {
  await tables.close();
});

async function read(position: string, url = BALANCE) {
  const headers = { ...(await bearer('test_user')), 'x-ledger-position': position };
  const response = await app.inject({ url, headers });
  return {
    status: response.statusCode,
    applied: response.headers['x-ledger-position'],
    points: response.json<{ data: { currentPoints: number } }>().data.currentPoints,
  };
}

describe('a read that names a position', () => {
  test('waits until it is applied, and sees what was applied with it', async () => {
    await connect(tables.database.url, FOR_EVER_MS);
    await applyPosition(tables.db, 100n);
    const waiting = looked();
    const answer = read('200');
    await waiting;
    await applyPosition(tables.db, 150n);
    await insertAccount(tables.db, { user_id: 'test_user', balance: 93 });
    await applyPosition(tables.db, 250n);
    expect(await answer).toEqual({ status: 200, applied: '250', points: 93 });
  });

  test('is answered at once when the position is applied', async () => {
    await connect(tables.database.url, FOR_EVER_MS);
    await applyPosition(tables.db, 9_007_199_254_740_993n);
    expect(await read('9007199254740993')).toMatchObject({
      status: 200,
      applied: '9007199254740993',
    });
  });

  test('is answered after the timeout with what is applied by then', async () => {
    await connect(tables.database.url, 50);
    await applyPosition(tables.db, 100n);
    expect(await read('200')).toEqual({ status: 200, applied: '100', points: 0 });
  });

  test('of 0 is always applied, also before the first event', async () => {
    await connect(tables.database.url, FOR_EVER_MS);
    expect(await read('0')).toMatchObject({ status: 200, applied: '0' });
  });

  test('can be any read, of models too', async () => {
    await connect(tables.database.url, FOR_EVER_MS);
    await applyPosition(tables.db, 7n);
    const reads = [
      '/user/ai/models',
      '/user/ai/models/stats',
      '/user/points/consumption/logs',
      '/user/points/consumption/stats',
    ];
    for (const url of reads)
      expect(await read('7', url)).toMatchObject({ status: 200, applied: '7' });
  });

  test('without the header answers without it', async () => {
    await connect(tables.database.url, FOR_EVER_MS);
    const response = await app.inject({ url: BALANCE, headers: await bearer('test_user') });
    expect(response.headers['x-ledger-position']).toBeUndefined();
  });
});

test('hears announcements again after its connection was lost', async () => {
  const link = await startFrozenLink(tables.database.url);
  await connect(link.url, FOR_EVER_MS);
  link.cut();
  const again = listening();
  link.thaw();
  await again;
  const waiting = looked();
  const answer = read('10');
  await waiting;
  await applyPosition(tables.db, 10n);
  expect(await answer).toMatchObject({ status: 200, applied: '10' });
  await listener.stop();
  await link.close();
});

test('finds when it is back what was announced while it was away', async () => {
  const link = await startFrozenLink(tables.database.url);
  await connect(link.url, FOR_EVER_MS);
  link.cut();
  const waiting = looked();
  const answer = read('10');
  await waiting;
  await applyPosition(tables.db, 10n);
  link.thaw();
  expect(await answer).toMatchObject({ status: 200, applied: '10' });
  await listener.stop();
  await link.close();
});

test('stops while it cannot connect', async () => {
  const link = await startFrozenLink(tables.database.url);
  await connect(link.url, FOR_EVER_MS);
  link.cut();
  await listener.stop();
  await link.close();
});
