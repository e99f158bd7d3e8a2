import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { openBook, recharge } from '@points/domain/testing/book';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { EventLog } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { startDevEventStore } from '@points/dev-event-store/server';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealed } from '../testing/sealed.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'anchor-cli-'));
const path = (name: string) => join(folder, name);
// Anchors are about the whole log, so the store is one of this test alone.
let server: Awaited<ReturnType<typeof startDevEventStore>>;
let log: EventLog;

beforeAll(async () => {
  server = await startDevEventStore({ dataDir: null });
  log = connectEventStoreDb({ url: server.url });
});

afterAll(async () => {
  await log.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

async function open(account: string): Promise<void> {
  const book = openBook();
  recharge(book, 10);
  recharge(book, 5);
  const events = sealed(account, book.events).map(({ id, type, data, metadata }) => ({
    id,
    type,
    data,
    metadata,
  }));
  await log.append(`account-${account}`, events, 'no_stream');
}

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function audit(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', MAIN, ...args],
      { env: { ...process.env, EVENTSTORE_URL: server.url } },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

async function exportOf(account: string): Promise<string> {
  let text = '';
  for await (const event of log.readStream(`account-${account}`, { fromRevision: 0 })) {
    const { createdMs: _, ...fields } = event;
    text += `${canonicalJson({ ...fields, position: String(event.position) })}\n`;
  }
  return text;
}

// A process takes a second of a processor to begin: few of them, as many at once as can be.
it('npm run audit: a key, anchors of a log that goes on, a proof, and its check', async () => {
  const [key, publicKey, file] = [path('key.pem'), path('key.pub.pem'), path('anchors.ndjson')];
  const [made] = await Promise.all([
    audit('new-key', '--out', key, '--json'),
    open('u1'),
    open('u2'),
  ]);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(made.stdout)).toMatchObject({ private_key: key, public_key: publicKey });
  expect(statSync(key).mode & 0o777).toBe(0o600);

  const anchor = ['anchor', '--file', file, '--key'];
  const job = spawn(
    process.execPath,
    ['--import', 'tsx', MAIN, ...anchor, key, '--every', '1s', '--json'],
    { env: { ...process.env, EVENTSTORE_URL: server.url }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(job, 'exit');
  const outcomes: string[] = [];
  for await (const line of createInterface({ input: job.stdout })) {
    const { outcome, anchor: signed } = JSON.parse(line) as {
      outcome: string;
      anchor?: { events: number; streams: number };
    };
    if (signed === undefined) continue;
    outcomes.push(`${outcome} ${signed.events} in ${signed.streams}`);
    if (outcomes.length === 2) job.kill('SIGTERM');
    else await open('u3');
  }
  expect(await ended).toEqual([0, null]);
  expect(outcomes).toEqual(['anchored 4 in 2', 'anchored 6 in 3']);
  const [early] = readFileSync(file, 'utf8')
    .split('\n', 1)
    .map((line) => JSON.parse(line) as { position: string });

  const proof = path('proof.json');
  const [proved, misused] = await Promise.all([
    audit('prove', 'u1', '--anchor', file, '--at', early?.position ?? '', '--out', proof),
    audit(...anchor, publicKey),
  ]);
  expect(proved).toMatchObject({ code: 0, stderr: '' });
  expect(misused).toMatchObject({ code: 2, stdout: '' });
  expect(misused.stderr).toMatch(/^audit: .*key.pub.pem holds a public key; [^\n]*\n$/);

  const events = await exportOf('u1');
  writeFileSync(path('u1.ndjson.gz'), gzipSync(events));
  writeFileSync(path('u1.ndjson'), events.replace('"points":10', '"points":90'));
  const check = ['check-proof', proof, '--key', publicKey];
  const [holds, changed] = await Promise.all([
    audit(...check, '--events', path('u1.ndjson.gz')),
    audit(...check, '--events', path('u1.ndjson'), '--json'),
  ]);
  expect(holds).toMatchObject({ code: 0, stderr: '' });
  expect(holds.stdout).toMatch(
    /account-u1 ended in revision 1 with hash .*\nholds: .* exactly these/,
  );
  expect(changed.code).toBe(1);
  expect(JSON.parse(changed.stdout)).toMatchObject({
    holds: false,
    problem: expect.stringMatching(/line 1 was changed: its content hashes to/),
  });
});
