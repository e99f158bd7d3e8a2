import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServerUnderTest } from '@points/event-store/contract/server-under-test';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import {
  charged,
  confirm,
  hold,
  openBook,
  recharge,
  refund,
  uuidAt,
} from '@points/domain/testing/book';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealed } from '../testing/sealed.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
// Of its own, also in a store that other runs have written to.
const ACCOUNT = `report-${process.pid}-${Date.now()}`;
const folder = mkdtempSync(join(tmpdir(), 'reports-'));
const holdId = uuidAt(Date.UTC(2026, 0, 1));
let server: Awaited<ReturnType<typeof startServerUnderTest>>;

beforeAll(async () => {
  server = await startServerUnderTest();
  const book = openedBook();
  hold(book, 6, { holdId, terms: charged(6, { description: '=cmd|calc' }) });
  confirm(book, holdId, 13);
  recharge(book, 5);
  refund(book, holdId, 8);
  const log = connectEventStoreDb({ url: server.url });
  const events = sealed(ACCOUNT, book.events).map(({ id, type, data, metadata }) => ({
    id,
    type,
    data,
    metadata,
  }));
  await log.append(`account-${ACCOUNT}`, events, 'no_stream');
  await log.close();
});

function openedBook() {
  const book = openBook();
  recharge(book, 10, { sourceRef: 'first' });
  return book;
}

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await server.stop();
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function audit(...args: readonly string[]): Promise<Run> {
  return auditIn({ EVENTSTORE_URL: server.url }, ...args);
}

function auditIn(env: Record<string, string>, ...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', MAIN, ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

const json = ({ stdout }: Run) => JSON.parse(stdout) as Record<string, unknown>;

// A process takes a second of a processor to begin: few of them, all at once.
it('npm run audit: what the verbs print, and how they end', async () => {
  const file = join(folder, 'statement.csv');
  const january = ['--from', '2026-01-01', '--to', '2026-01-31'];
  const [balance, statement, story, unknown, trial, period, turned, away] = await Promise.all([
    audit('balance', ACCOUNT, '--as-of', '2025-12-31', '--json'),
    audit('statement', ACCOUNT, ...january, '--lang', 'en', '--out', file),
    audit('explain', holdId, '--json'),
    audit('explain', 'TASK0', '--account', ACCOUNT),
    audit('trial-balance'),
    audit('trial-balance', '--from', '2026-01-01', '--as-of', '2026-01-31', '--json'),
    audit('trial-balance', '--from', '2026-02-01', '--as-of', '2026-01-31'),
    auditIn({ EVENTSTORE_URL: 'http://nowhere' }, 'balance', ACCOUNT),
  ]);
  expect(balance).toMatchObject({ code: 0, stderr: '' });
  expect(json(balance)).toMatchObject({
    balance: 0,
    revision: -1,
    as_of: '2025-12-31T15:59:59.999Z',
  });
  expect(statement).toMatchObject({ code: 0, stdout: '', stderr: '' });
  const csv = readFileSync(file, 'utf8');
  expect(csv).toContain("'=cmd|calc");
  expect(csv).toMatch(/closing.*opening \+ lines = closing/);
  expect(story.code).toBe(0);
  expect(json(story)).toMatchObject({
    subject: { hold_id: holdId },
    outcome: { charged: 13, refunded: 8, net: 5 },
  });
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).toContain(`nothing in account ${ACCOUNT} has the id "TASK0"`);
  expect(trial.code).toBe(0);
  expect(trial.stdout).toContain('It sums to zero.');
  expect(period.code).toBe(0);
  expect(json(period)).toMatchObject({
    from: '2025-12-31T16:00:00.000Z',
    as_of: '2026-01-31T15:59:59.999Z',
    period: { adds_up: true },
    sums_to_zero: true,
  });
  expect(turned).toMatchObject({ code: 2, stdout: '' });
  expect(turned.stderr).toMatch(/^audit: --from is after --as-of: .*\n$/);
  expect(away).toMatchObject({ code: 2, stdout: '' });
  expect(away.stderr).toMatch(/^audit: EVENTSTORE_URL is .*\n$/);

  const [first] = sealed(ACCOUNT, [...openedBook().events]);
  if (first === undefined) throw new Error('no event');
  const log = connectEventStoreDb({ url: server.url });
  const { id, type, data, metadata } = first;
  await log.append(`account-${ACCOUNT}`, [{ id, type, data, metadata }], 4);
  await log.close();
  const broken = await audit('statement', ACCOUNT, '--from', '2026-02-01');
  expect(broken.code).toBe(1);
  expect(broken.stderr).toMatch(/^audit: no report is made .*: event 5 of account-\S+ .*\n$/);
});
