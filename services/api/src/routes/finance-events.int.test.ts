import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { adjust, charged, hold, recharge } from '@points/domain/testing/book';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFinanceWorld, type FinanceWorld, untilSo } from '../testing/finance-world.ts';
import { bearer, buildTestApp } from '../testing/test-app.ts';

let world: FinanceWorld;
let lines: string[];

beforeAll(async () => {
  world = await createFinanceWorld();
  const { writer } = world;
  await writer.raw('pricingConfig-ledger', 'ConfigLoaded', {});
  for (const id of ['ann', 'bob']) {
    const book = writer.book(id);
    recharge(book, 100);
    hold(book, 30, { terms: charged(30, { description: '=1+1, "图"' }) });
    await writer.flush();
  }
  adjust(writer.book('ann'), -200, { forced: true });
  await writer.flush();
  lines = (await world.get('events')).body.split('\n').slice(0, -1);
});

afterAll(() => world.close());

interface Line {
  stream: string;
  type: string;
  position: string;
  metadata: { occurred_at: string };
}

const parsed = (text: string): Line[] =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('who may', () => {
  test.each([
    ['nobody', null, 401],
    ['a user', ['user'], 403],
    ['finance', ['finance'], 200],
    ['an admin', ['admin'], 200],
  ])('%s: %s → %i', async (_, roles, status) => {
    const headers = roles === null ? {} : await bearer('somebody', roles);
    const answer = await world.app.inject({ url: '/api/v1/finance/events', headers });
    expect(answer.statusCode).toBe(status);
  });

  test('nobody may write', async () => {
    const headers = await bearer('somebody', ['admin']);
    const url = '/api/v1/finance/events';
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD'] as const)
      expect((await world.app.inject({ method, url, headers })).statusCode).toBe(405);
  });
});

test('the lines are those of an export, in the order of the log, up to the position of the header', async () => {
  const answer = await world.get('events');
  expect(answer.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
  expect(answer.headers['x-ledger-position']).toBe(String(await world.endOfLog()));
  expect(parsed(answer.body).map(({ stream, type }) => `${stream} ${type}`)).toEqual([
    'pricingConfig-ledger ConfigLoaded',
    'account-ann PointsRecharged',
    'account-ann PointsHeld',
    'account-bob PointsRecharged',
    'account-bob PointsHeld',
    'account-ann PointsAdjusted',
  ]);
  expect(lines[1]).toMatch(
    /^\{"data":\{"available_after":100,"balance_after":100,.*\},"id":"[0-9a-f-]{36}","metadata":\{.*\},"position":"\d+","revision":0,"stream":"account-ann","type":"PointsRecharged"\}$/,
  );
});

describe('filters', () => {
  const count = async (query: string) => parsed((await world.get(`events?${query}`)).body).length;

  test.each([
    ['', 6],
    ['user_id=&type=&from=&to=&from_position=&to_position=&format=', 6],
    ['colour=blue', 6],
    ['user_id=ann', 3],
    ['user_id=nobody', 0],
    ['type=PointsHeld', 2],
    ['user_id=ann&type=PointsHeld', 1],
    ['to=2025-12-31', 0],
    ['from=2026-01-01', 6],
    ['from=2027-01-01', 0],
    ['user_id=bob&from=2027-01-01', 0],
  ])('%s', async (query, wanted) => {
    expect(await count(query)).toBe(wanted);
  });

  test('of times include the millisecond named', async () => {
    const at = parsed(`${lines[2]}\n`)[0]?.metadata.occurred_at ?? '';
    const query = (edge: string, ms: number) =>
      `user_id=ann&type=PointsHeld&${edge}=${new Date(Date.parse(at) + ms).toISOString()}`;
    expect([await count(query('from', 0)), await count(query('from', 1))]).toEqual([1, 0]);
    expect([await count(query('to', 0)), await count(query('to', -1))]).toEqual([1, 0]);
  });

  test('of one instant give the events of that instant, its zone in any spelling', async () => {
    const at = parsed(`${lines[2]}\n`)[0]?.metadata.occurred_at ?? '';
    const there = new Date(Date.parse(at) + 8 * 3_600_000).toISOString().replace('Z', '');
    for (const time of [at, `${there}+08:00`, `${there}%2B08:00`])
      expect(await count(`user_id=ann&type=PointsHeld&from=${time}&to=${time}`), time).toBe(1);
  });

  test.each(['2026-01-01T08:00', '2026-01-01T08:00:00', '2026-01-01 08:00Z', '2026-02-30'])(
    'a time without its zone, or that is none, is refused: %s',
    async (time) => {
      for (const field of ['from', 'to']) {
        const answer = await world.get(`events?${field}=${encodeURIComponent(time)}`);
        expect(answer.json()).toMatchObject({ code: 1001018, data: { field } });
      }
    },
  );

  test('a wrong value is a 400 that names it, in Chinese or English', async () => {
    const queries = {
      user_id: 'a%20b',
      type: 'PointsStolen',
      from: 'yesterday',
      to: '2026-02-30',
      from_position: '-1',
      to_position: '1e3',
      format: 'xml',
    };
    for (const [field, value] of Object.entries(queries)) {
      const answer = await world.get(`events?${field}=${value}`, { 'accept-language': 'en' });
      expect(answer.json()).toMatchObject({ code: 1001018, data: { field } });
      expect(answer.json<{ msg: string }>().msg).toContain(`${field} must be`);
    }
    const twice = await world.get('events?type=PointsHeld&type=PointsHeld');
    expect(twice.json()).toMatchObject({
      data: { field: 'type' },
      msg: '参数错误：type 只能出现一次',
    });
    const backwards = await world.get('events?from=2026-01-02&to=2026-01-01');
    expect(backwards.json()).toMatchObject({ data: { field: 'from' } });
  });

  test.each(['from_position', 'to_position'])(
    'a %s beyond the end of the log is a 400',
    async (field) => {
      const answer = await world.get(`events?${field}=${(await world.endOfLog()) + 1n}`);
      expect(answer.json()).toMatchObject({ code: 1001018, data: { field } });
    },
  );
});

describe('going on', () => {
  test.each(['', '&user_id=ann'])('from any line gives exactly the rest %s', async (filter) => {
    const all = (await world.get(`events?${filter}`)).body;
    let seen = '';
    for (const { position } of parsed(all)) {
      seen += `${all.slice(seen.length).split('\n')[0]}\n`;
      const rest = await world.get(`events?from_position=${position}${filter}`);
      expect(seen + rest.body).toBe(all);
    }
  });

  test('the same positions give the same bytes', async () => {
    const to = parsed(`${lines[3]}\n`)[0]?.position;
    const answer = await world.get(`events?to_position=${to}`);
    expect(answer.headers['x-ledger-position']).toBe(to);
    expect(answer.body).toBe(`${lines.slice(0, 4).join('\n')}\n`);
  });
});

test('CSV has a byte order mark, one line for each event, and nothing that a spreadsheet computes', async () => {
  const answer = await world.get('events?format=csv&user_id=ann');
  expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8');
  expect(answer.headers['content-disposition']).toMatch(/^attachment; filename="events-\d+\.csv"$/);
  const rows = answer.body.split('\r\n');
  expect(rows).toHaveLength(5);
  expect(rows[0]).toBe(
    '\uFEFFposition,stream,revision,occurred_at,type,command,command_id,actor_type,actor_id,balance_before,balance_after,event_id,hash,data',
  );
  expect(rows[1]).toMatch(/^\d+,account-ann,0,2026-01-01T[\d:.]+Z,PointsRecharged,test,/);
  expect(rows[2]).toContain(String.raw`""description"":""=1+1, \""图\""""`);
  expect(rows[3]).toContain(',100,-100,');
});

test('without a log it is a 503 that names the setting', async () => {
  const app = buildTestApp();
  const headers = { ...(await bearer('auditor', ['finance'])), 'accept-language': 'en' };
  const answer = await app.inject({ url: '/api/v1/finance/events', headers });
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toMatchObject({
    message: expect.stringContaining('EVENTSTORE_URL'),
    data: { part: 'event_store' },
  });
  await app.close();
});

describe('a long answer', () => {
  /** More than what the buffers of two sockets take. */
  const EVENTS = 4_000;
  const PAGES = 8;
  let large: FinanceWorld;
  let port: number;

  beforeAll(async () => {
    large = await createFinanceWorld({
      financeBounds: { stallTimeoutMs: 600_000, retryPausesMs: [1, 1] },
    });
    const data = { text: 'x'.repeat(8_000) };
    for (let stream = 0; stream < EVENTS / 50; stream += 1) {
      await large.log.append(
        `account-${stream}`,
        Array.from({ length: 50 }, () => ({
          id: crypto.randomUUID(),
          type: 'PointsHeld',
          data,
          metadata: {},
        })),
        'no_stream',
      );
    }
    const address = await large.app.listen({ host: '127.0.0.1', port: 0 });
    port = Number(new URL(address).port);
  });

  afterAll(() => large.close());

  /** An answer of which nothing is read beyond the head. */
  async function begin(query = ''): Promise<IncomingMessage> {
    large.reads.pages = 0;
    const headers = await bearer('auditor', ['finance']);
    const sent = request({ port, path: `/api/v1/finance/events${query}`, headers, agent: false });
    sent.on('error', () => undefined);
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return answer;
  }

  async function bytesOf(answer: IncomingMessage): Promise<number> {
    let bytes = 0;
    for await (const chunk of answer) bytes += (chunk as Buffer).length;
    return bytes;
  }

  test('is read no faster than it is taken, and is whole in the end', async () => {
    const answer = await begin();
    const other = await large.get('events?from_position=1&to_position=1');
    expect(other.statusCode).toBe(200);
    const pagesWhenStopped = large.reads.pages;
    await large.get('events');
    // Meanwhile another has read all of the log; this one has not gone on.
    expect(large.reads.pages).toBeLessThanOrEqual(pagesWhenStopped + PAGES + 8);
    expect(await bytesOf(answer)).toBeGreaterThan(EVENTS * 8_000);
    expect(answer.complete).toBe(true);
  });

  test('stops to be read when its client leaves', async () => {
    // The store counts the writer's open append.
    const idleCalls = large.store.openCalls;
    const closed = closeOfNext(large);
    const answer = await begin();
    answer.destroy();
    await closed;
    await untilSo(() => large.store.openCalls <= idleCalls);
    expect(large.reads.pages).toBeLessThan(PAGES);
  });

  test('is cut when the store goes away, so that it never looks complete', async () => {
    const answer = await begin();
    await large.store.stop();
    await expect(bytesOf(answer)).rejects.toThrow('aborted');
    expect(answer.complete).toBe(false);
    const next = await large.get('events');
    expect(next.json()).toMatchObject({ code: 503, data: { part: 'event_store' } });
    await large.store.start();
    expect((await large.get('events?to_position=1')).statusCode).toBe(200);
  });

  test('is one of four; the next waits', async () => {
    const answers = await Promise.all([begin(), begin(), begin(), begin()]);
    const fifth = await large.get('events');
    expect(fifth.statusCode).toBe(429);
    expect(fifth.headers['retry-after']).toBe('30');
    expect(fifth.json()).toMatchObject({ data: { error: 'too_many_requests', limit: 4 } });
    const closed = answers.map(({ socket }) => once(socket, 'close'));
    for (const answer of answers) answer.destroy();
    await Promise.all(closed);
    await untilSo(() => large.store.openCalls === 0);
    expect((await large.get('events?to_position=1')).statusCode).toBe(200);
  });

  test('is cut when its client takes nothing for too long', async () => {
    const impatient = await createFinanceWorld({
      eventLog: large.log,
      financeBounds: { stallTimeoutMs: 20 },
    });
    const address = await impatient.app.listen({ host: '127.0.0.1', port: 0 });
    port = Number(new URL(address).port);
    const closed = closeOfNext(impatient);
    const answer = await begin();
    await closed;
    await expect(bytesOf(answer)).rejects.toThrow('aborted');
    await impatient.close();
  });

  /** The server's end of the next connection is closed. */
  async function closeOfNext({ app }: FinanceWorld): Promise<void> {
    const [socket] = (await once(app.server, 'connection')) as [Socket];
    await new Promise((resolve) => socket.once('close', resolve));
  }
});
