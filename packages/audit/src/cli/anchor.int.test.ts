import { spawn } from 'node:child_process';
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
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runVerb as run } from '../testing/run-verb.ts';
import { sealed } from '../testing/sealed.ts';
import { anchorCommand } from './anchor.ts';
import { checkProofCommand } from './check-proof.ts';
import { newKeyCommand } from './new-key.ts';
import { CannotRunError } from './outcome.ts';
import { proveCommand } from './prove.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'anchor-cli-'));
const path = (name: string) => join(folder, name);
// Anchors are about the whole log, so the store is one of this test alone.
let server: Awaited<ReturnType<typeof startDevEventStore>>;
let log: EventLog;

beforeAll(async () => {
  server = await startDevEventStore({ dataDir: null });
  log = connectEventStoreDb({ url: server.url });
  vi.stubEnv('EVENTSTORE_URL', server.url);
});

afterAll(async () => {
  vi.unstubAllEnvs();
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

async function exportOf(account: string): Promise<string> {
  let text = '';
  for await (const event of log.readStream(`account-${account}`, { fromRevision: 0 })) {
    const { createdMs: _, ...fields } = event;
    text += `${canonicalJson({ ...fields, position: String(event.position) })}\n`;
  }
  return text;
}

it('a key, anchors of a log that goes on, a proof, and its check', async () => {
  const [key, publicKey, file] = [path('key.pem'), path('key.pub.pem'), path('anchors.ndjson')];
  const made = await run(newKeyCommand(), '--out', key, '--json');
  expect(made).toMatch(/^0 \{"report":"new-key","key_id":"[0-9a-f]{64}",/);
  expect(statSync(key).mode & 0o777).toBe(0o600);
  await expect(run(newKeyCommand(), '--out', key)).rejects.toThrow(
    new CannotRunError(`${key} exists; a key is never written over`),
  );
  await run(newKeyCommand(), '--out', path('other.pem'));

  await Promise.all([open('u1'), open('u2')]);
  const outcomes = await stayUntil(2, ['--key', key, '--file', file], () => open('u3'));
  expect(outcomes).toEqual(['anchored 4 in 2', 'anchored 6 in 3']);
  const [early] = readFileSync(file, 'utf8').split('\n', 1);
  const { position } = JSON.parse(early ?? '') as { position: string };

  const anchor = (by: string) => run(anchorCommand(), '--file', file, '--key', by);
  expect(await anchor(key)).toMatch(/^0 position \d+: anchored already, nothing new up to \d+\n$/);
  const signed = readFileSync(file, 'utf8');
  await expect(anchor(path('other.pem'))).rejects.toThrow(
    /anchors.ndjson was begun with the key [0-9a-f]{64}, the one that was given is [0-9a-f]{64}\./,
  );
  writeFileSync(file, signed.replace('"events":4', '"events":5'));
  expect(await anchor(key)).toMatch(
    /^1 nothing was signed: .*\nwrong_signature: the anchor of .* at position \d+ was not signed/,
  );
  writeFileSync(file, signed);
  await expect(anchor(publicKey)).rejects.toThrow(/key.pub.pem holds a public key/);

  const written = readFileSync(file, 'utf8');
  writeFileSync(file, written.slice(0, -9));
  await expect(run(proveCommand(), 'u1', '--anchor', file, '--out', path('x'))).rejects.toThrow(
    /line 2 is the last one and has no end/,
  );
  expect(await anchor(key)).toMatch(/^0 position \d+: was signed and in the stream already; /);
  expect(readFileSync(file, 'utf8')).toBe(written);

  const [proof, prove] = [path('proof.json'), ['--anchor', file, '--out', path('proof.json')]];
  expect(await run(proveCommand(), 'u9', ...prove)).toMatch(/^1 u9 has no events up to position/);
  expect(await run(proveCommand(), 'u3', '--at', position, ...prove)).toMatch(
    /^1 u3 has no events/,
  );
  expect(await run(proveCommand(), 'u1', '--at', position, ...prove)).toMatch(
    /^0 .*: account-u1 ends in revision 1 at the anchor of/,
  );
  await expect(run(proveCommand(), 'u1', '--at', '7', ...prove)).rejects.toThrow(
    /has no anchor at position 7; its newest is at \d+$/,
  );

  const proved = readFileSync(proof, 'utf8');
  await expect(run(proveCommand(), 'u1', ...prove)).rejects.toThrow(
    new CannotRunError(`${proof} exists: take another name for --out, or --force to write over it`),
  );
  expect(readFileSync(proof, 'utf8')).toBe(proved);
  expect(await run(proveCommand(), 'u9', '--force', ...prove)).toMatch(/^1 u9 has no events/);
  expect(readFileSync(proof, 'utf8')).toBe(proved);
  expect(await run(proveCommand(), 'u2', '--force', ...prove)).toMatch(/^0 .*: account-u2 ends/);
  expect(JSON.parse(readFileSync(proof, 'utf8'))).toMatchObject({
    head: { stream: 'account-u2' },
  });
  expect(await run(proveCommand(), 'u1', '--at', position, '--force', ...prove)).toMatch(/^0 /);
  expect(readFileSync(proof, 'utf8')).toBe(proved);

  const events = await exportOf('u1');
  writeFileSync(path('u1.ndjson.gz'), gzipSync(events));
  writeFileSync(path('changed.ndjson'), events.replace('"points":10', '"points":90'));
  const check = (by: string, ...more: readonly string[]) =>
    run(checkProofCommand(), proof, '--key', by, ...more);
  expect(await check(publicKey, '--events', path('u1.ndjson.gz'))).toMatch(
    /^0 holds: .* account-u1 ended in revision 1 with hash .*\nholds: .* exactly these events \(2\)\n$/,
  );
  const checked = async (...more: readonly string[]): Promise<unknown> =>
    JSON.parse((await check(publicKey, '--json', ...more)).slice(2));
  expect(await checked()).toMatchObject({ holds: true, events_file: null, events_checked: null });
  for (const [name, holds, events_checked] of [
    ['u1.ndjson.gz', true, 2],
    ['changed.ndjson', false, 0],
  ] as const)
    expect(await checked('--events', path(name))).toMatchObject({
      holds,
      events_file: path(name),
      events_checked,
    });
  expect(await check(publicKey, '--events', path('changed.ndjson'))).toMatch(
    /^1 does not hold: .* line 1 was changed: its content hashes to/,
  );
  writeFileSync(path('cut.gz'), gzipSync(events).subarray(0, -12));
  expect(await check(publicKey, '--events', path('cut.gz'))).toMatch(
    /^1 does not hold: .*cut.gz: line \d cannot be unpacked/,
  );
  expect(await check(path('other.pub.pem'), '--json')).toMatch(/^1 \{.*"holds":false/);
  await expect(check(publicKey, '--events', path('none'))).rejects.toThrow(
    /cannot be read: ENOENT/,
  );
  await expect(check(key)).rejects.toThrow(/holds a private key, which is the signer's alone/);

  await open('u4');
  expect(await run(anchorCommand(), '--file', file, '--key', key, '--no-stream')).toMatch(/^0 /);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(await run(anchorCommand(), '--file', file, '--key', key, '--json')).toMatch(
    /^0 .*"not_in_stream":\{"anchors":1,/,
  );
  expect(stderr.mock.calls.join('')).toMatch(
    /warning: the stream auditAnchor-ledger lacks 1 of the anchors of .*anchors.ndjson, from/,
  );
  stderr.mockRestore();
});

/** The job as a process, which SIGTERM ends well after so many anchors; `between` after each but the last. */
async function stayUntil(
  count: number,
  args: readonly string[],
  between: () => Promise<void>,
): Promise<string[]> {
  const job = spawn(
    process.execPath,
    ['--import', 'tsx', MAIN, 'anchor', ...args, '--every', '1s', '--json'],
    { env: process.env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(job, 'exit');
  const outcomes: string[] = [];
  for await (const line of createInterface({ input: job.stdout })) {
    const { outcome, anchor } = JSON.parse(line) as {
      outcome: string;
      anchor?: { events: number; streams: number };
    };
    if (anchor === undefined) continue;
    outcomes.push(`${outcome} ${anchor.events} in ${anchor.streams}`);
    if (outcomes.length === count) job.kill('SIGTERM');
    else await between();
  }
  expect(await ended).toEqual([0, null]);
  return outcomes;
}
