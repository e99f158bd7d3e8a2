import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openBook, recharge } from '@points/domain/testing/book';
import { startServerUnderTest } from '@points/event-store/contract/server-under-test';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { openSession } from '@points/read-model/database';
import { migrate } from '@points/read-model/migrate';
import { createTestDatabase } from '@points/read-model/testing/test-database';
import type { TestDatabase } from '@points/read-model/testing/test-database';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { TablesReplacedError, atOnePosition } from '../compare-accounts.ts';
import { sealed } from '../testing/sealed.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
// Of its own, also in a store that other runs have written to.
const ACCOUNT = `compare-${process.pid}-${Date.now()}`;
const folder = mkdtempSync(join(tmpdir(), 'compare-'));
let server: Awaited<ReturnType<typeof startServerUnderTest>>;
let database: TestDatabase;
let end: bigint | null;

beforeAll(async () => {
  server = await startServerUnderTest();
  database = await createTestDatabase(inject('postgresUrl'));
  const session = await openSession({ url: database.url, applicationName: 'test' });
  await migrate(session.db, 'read');
  await session.close();
  const book = openBook();
  recharge(book, 10);
  const log = connectEventStoreDb({ url: server.url });
  const events = sealed(ACCOUNT, book.events).map(({ id, type, data, metadata }) => ({
    id,
    type,
    data,
    metadata,
  }));
  await log.append(`account-${ACCOUNT}`, events, 'no_stream');
  end = await log.readLastPosition();
  await log.close();
  await database.query(
    `insert into read.projection_checkpoints (name, position, updated_at) values ('read', $1, now())`,
    [String(end)],
  );
});

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await database.drop();
  await server.stop();
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function audit(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const where = { EVENTSTORE_URL: server.url, DATABASE_URL: database.url, DATA_DIR: folder };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', MAIN, ...args],
      { env: { PATH: process.env['PATH'] ?? '', ...where, ...env } },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

it('compare names what is wrong, and ends with 1; what it cannot do it says, and ends with 2', async () => {
  const [table, nowhere] = await Promise.all([
    audit(['compare', '--account', ACCOUNT]),
    audit(['compare'], { DATABASE_URL: 'postgres://127.0.0.1:1/nowhere' }),
  ]);
  expect(table).toMatchObject({ code: 1, stderr: '' });
  expect(table.stdout).toContain(`position ${end}, 1 accounts, 1 events`);
  expect(table.stdout).toMatch(
    new RegExp(`^user_points +${ACCOUNT} +\\(row\\) +there is one +there is none$`, 'm'),
  );
  expect(table.stdout).toContain('\n5 differences, 0 findings in the log.\n');
  expect(nowhere).toMatchObject({ code: 2, stdout: '' });
  expect(nowhere.stderr).toMatch(/^audit: the read tables cannot be read .*DATABASE_URL.*\n$/);
});

it('replay tells where the ledger stands, and leaves no part of a file', async () => {
  const out = join(folder, 'states.ndjson');
  const [json, beyond] = await Promise.all([
    audit(['replay', '--json', '--out', out]),
    audit(['replay', '--to-position', '9999999999999999999']),
  ]);
  const report = JSON.parse(json.stdout) as { state_hash: string; position: string };
  expect(report.state_hash).toBe(hash('sha256', readFileSync(out)));
  expect(BigInt(report.position)).toBeGreaterThanOrEqual(end ?? 0n);
  const line = readFileSync(out, 'utf8')
    .split('\n')
    .find((each) => each.includes(`"${ACCOUNT}"`));
  expect(JSON.parse(line ?? '')).toMatchObject({ revision: 0, balance: 10, held: 0, debt: 0 });
  expect(readdirSync(folder)).toEqual(['states.ndjson']);
  expect(beyond).toMatchObject({ code: 2, stdout: '' });
  expect(beyond.stderr).toMatch(/^audit: --to-position 9999999999999999999: the log ends at \d+/);
});

it('says nothing of tables that a rebuild has put in the place of others', async () => {
  const session = await openSession({ url: database.url, applicationName: 'test' });
  await migrate(session.db, 'read_next');
  const swap = () =>
    database.query('alter schema read rename to read_old; alter schema read_next rename to read');
  await expect(atOnePosition(session.db, swap)).rejects.toThrow(TablesReplacedError);
  await session.close();
});
