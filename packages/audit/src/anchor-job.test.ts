import { createHash, verify } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  rmdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { AUDIT_ANCHOR_STREAM } from '@points/contracts/streams';
import { canonicalJson } from '@points/event-store/canonical-json';
import { OutcomeUnknownError, type EventLog } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { AnchorFileError, readAnchorFile } from './anchor-file.ts';
import { createAnchorJob } from './anchor-job.ts';
import { checkAnchorSignature } from './anchor.ts';
import { makeLog } from './testing/make-log.ts';
import { OTHER_KEY, TEST_KEY, TEST_PUBLIC_KEY } from './testing/anchor-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'anchor-job-'));
const file = join(folder, 'anchors.ndjson');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(file, { force: true }));

interface Fact {
  readonly stream: string;
  readonly type: string;
  readonly data: Record<string, string | number>;
  readonly metadata: Record<string, string>;
}

/** As the ledger would have written them; sealed only when they are appended. */
const FACTS: readonly Fact[] = Array.from(
  makeLog({ accounts: 4, events: 60, seed: 5 }),
  ({ stream, type, data, metadata }) => ({
    stream,
    type,
    data: data as Fact['data'],
    metadata: unsealed(metadata),
  }),
);

function unsealed(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const { hash: _hash, prev_hash: _prevHash, ...own } = metadata;
  return own;
}
const EARLY = 40;

/** A log with these facts, every hash and id computed for them: what somebody with the whole store in hand can make. */
async function logOf(facts: readonly Fact[]) {
  const log = createInMemoryEventLog({ now: () => 0 });
  await appendTo(log, facts);
  return log;
}

async function appendTo(log: EventLog, facts: readonly Fact[]): Promise<void> {
  for (const { stream, ...draft } of facts) {
    const last = await log.readLast(stream);
    const hash = last?.metadata['hash'] ?? GENESIS_HASH;
    const revision = (last?.revision ?? -1) + 1;
    const events = chainEvents(stream, revision, hash, [draft]);
    await log.append(stream, events, last?.revision ?? 'no_stream');
  }
}

async function anchors(): Promise<readonly LedgerAnchor[]> {
  const read = await readAnchorFile(file);
  return read.outcome === 'read' ? read.anchors : [];
}

async function jobOn(log: EventLog, { stream = true, privateKey = TEST_KEY } = {}) {
  return createAnchorJob({
    log,
    privateKey,
    file,
    anchors: await anchors(),
    stream,
    clock: { now: () => Date.UTC(2026, 10, 20) },
    signal: AbortSignal.any([]),
    retryPausesMs: [],
  });
}

async function round(log: EventLog, options?: Parameters<typeof jobOn>[1]) {
  return (await jobOn(log, options)).next();
}

async function inStream(log: EventLog): Promise<unknown[]> {
  const anchored: unknown[] = [];
  for await (const { data } of log.readStream(AUDIT_ANCHOR_STREAM, { fromRevision: 0 }))
    anchored.push(data);
  return anchored;
}

async function found(log: EventLog, options?: Parameters<typeof jobOn>[1]): Promise<string[]> {
  const { result } = await round(log, options);
  if (result.outcome !== 'does_not_hold') throw new Error(`outcome ${result.outcome}`);
  return result.findings.map(({ kind, message }) => `${kind}: ${message}`);
}

describe('the job that anchors', () => {
  it('signs the log into stream and file, and again only when there is something new', async () => {
    const log = await logOf(FACTS.slice(0, EARLY));
    const job = await jobOn(log);
    const first = await job.next();
    expect(first.result).toMatchObject({ outcome: 'anchored', anchor: { events: EARLY } });
    expect((await job.next()).result.outcome).toBe('nothing_new');
    await appendTo(log, FACTS.slice(EARLY));
    expect((await job.next()).result).toMatchObject({
      outcome: 'anchored',
      anchor: { events: FACTS.length },
    });
    // Another job begins from the start, and finds that all of it still holds.
    expect((await round(log)).result.outcome).toBe('nothing_new');
    const signed = await anchors();
    expect(signed).toHaveLength(2);
    expect(await inStream(log)).toEqual(signed);
    for (const anchor of signed) expect(checkAnchorSignature(anchor, TEST_PUBLIC_KEY)).toBeNull();
  });

  it('writes only to the file when told so', async () => {
    const log = await logOf(FACTS);
    await round(log, { stream: false });
    expect(await anchors()).toHaveLength(1);
    expect(await inStream(log)).toEqual([]);
  });

  it('tells which anchors of the file the stream has not', async () => {
    const log = await logOf(FACTS.slice(0, EARLY));
    expect((await round(log)).notInStream).toBeNull();
    await appendTo(log, FACTS.slice(EARLY));
    expect((await round(log, { stream: false })).notInStream).toBeNull();
    const [first, last] = await anchors();
    const byStream = { anchors: 1, first_position: last?.position, last_position: last?.position };
    expect((await round(log)).notInStream).toEqual(byStream);
    // A store whose stream of anchors was emptied.
    const emptied = await round({
      ...log,
      readStream: (stream, options) =>
        log.readStream(stream === AUDIT_ANCHOR_STREAM ? 'gone' : stream, options),
    });
    expect(emptied).toMatchObject({
      result: { outcome: 'nothing_new' },
      notInStream: { anchors: 2, first_position: first?.position, last_position: last?.position },
    });
  });

  it('has nothing to say of an empty ledger', async () => {
    expect((await round(createInMemoryEventLog())).result).toEqual({ outcome: 'empty', pin: null });
  });

  const lastOf = (stream: string) => FACTS.findLastIndex((fact) => fact.stream === stream);
  const account = FACTS.find(({ stream }) => stream.startsWith('account-'))?.stream ?? '';
  const swapAt = FACTS.findIndex(
    ({ stream }, index) => index > 0 && stream !== FACTS[index - 1]?.stream,
  );

  it.each<[string, readonly Fact[], RegExp]>([
    [
      'a rewritten event, every hash after it computed anew',
      FACTS.with(lastOf(account), {
        ...(FACTS[lastOf(account)] as Fact),
        data: { ...(FACTS[lastOf(account)] as Fact).data, description: 'another' },
      }),
      /^anchor_differs: the log up to position \d+ is not what was anchored at 2026-11-20T00:00:00.000Z: other ends of the streams \(root\), so an event before them is another one$/,
    ],
    [
      'an account removed',
      FACTS.filter(({ stream }) => stream !== account),
      /^anchor_differs: .* (events instead of|was cut off)/,
    ],
    ['its end cut', FACTS.slice(0, -1), /^anchor_differs: the log was cut off before position/],
    [
      'events of two streams swapped',
      FACTS.with(swapAt, FACTS[swapAt - 1] as Fact).with(swapAt - 1, FACTS[swapAt] as Fact),
      /: other positions of the events \(order\)$/,
    ],
  ])('signs no log with %s', async (_, facts, finding) => {
    await round(await logOf(FACTS));
    // What whoever rewrites the store makes of the stream of anchors helps nobody: the file has them.
    const rewritten = await logOf(facts);
    expect(await found(rewritten)).toEqual([expect.stringMatching(finding)]);
    expect(await found(rewritten, { stream: false })).toHaveLength(1);
    expect(await inStream(rewritten)).toEqual([]);
    expect(await anchors()).toHaveLength(1);
  });

  it('signs no log with an event that is not sealed', async () => {
    const log = await logOf(FACTS);
    const stream = 'account-raw';
    const [event] = chainEvents(stream, 0, GENESIS_HASH, [FACTS[0] as Fact]);
    if (event === undefined) throw new Error('no event');
    await log.append(stream, [{ ...event, data: { changed: true } }], 'no_stream');
    expect(await found(log)).toEqual([
      expect.stringMatching(/^wrong_hash: event 0 of account-raw/),
    ]);
    expect(await anchors()).toEqual([]);
  });

  it('signs nothing beside an anchor that is forged, or of another key', async () => {
    const log = await logOf(FACTS);
    await round(log);
    const [anchor] = await anchors();
    const forged = canonicalJson({ ...anchor, events: FACTS.length + 1 });
    writeFileSync(file, `${forged}\n`);
    expect(await found(log)).toEqual([
      expect.stringMatching(/^wrong_signature: the anchor of .* at position \d+ was not signed/),
    ]);
    writeFileSync(file, `${canonicalJson({ ...anchor })}\n`);
    expect(await found(log, { privateKey: OTHER_KEY })).toEqual([
      expect.stringMatching(/^wrong_signature: .* names [0-9a-f]{64} as its key/),
    ]);
  });

  it('signs nothing beside a stream of anchors that does not hold itself', async () => {
    const log = await logOf(FACTS);
    const notes = { stream: AUDIT_ANCHOR_STREAM, type: 'Noted', data: {}, metadata: {} };
    await appendTo(log, [notes]);
    expect(await found(log)).toEqual([
      expect.stringMatching(/^unreadable_event: .* no such event/),
    ]);
    const [event] = chainEvents(AUDIT_ANCHOR_STREAM, 1, GENESIS_HASH, [notes]);
    if (event === undefined) throw new Error('no event');
    await log.append(AUDIT_ANCHOR_STREAM, [event], 0);
    expect(await found(log)).toContainEqual(expect.stringMatching(/^broken_chain: event 1 of/));
    // Who wants anchors all the same keeps them in the file alone.
    expect((await round(log, { stream: false })).result.outcome).toBe('anchored');
  });

  it('adds to the file what only the stream has, when a job ended between the two', async () => {
    const log = await logOf(FACTS.slice(0, EARLY));
    await round(log);
    const { length } = readFileSync(file);
    await appendTo(log, FACTS.slice(EARLY));
    await round(log);
    const both = await anchors();
    truncateSync(file, length);
    // Another key's anchors in the stream are none of its business.
    await createAnchorJob({
      log,
      privateKey: OTHER_KEY,
      file: join(folder, 'other.ndjson'),
      anchors: [],
      stream: true,
      clock: { now: () => 0 },
      signal: AbortSignal.any([]),
    }).next();
    const again = await round(log);
    expect(again).toMatchObject({ result: { outcome: 'nothing_new' }, recovered: [both[1]] });
    expect(await anchors()).toEqual(both);
    expect(await inStream(log)).toHaveLength(3);
    // A lost file comes back as well.
    rmSync(file);
    expect((await round(log)).recovered).toEqual(both);
    expect(await anchors()).toEqual(both);
  });

  it('believes no anchor in the stream that is not true of the log', async () => {
    const log = await logOf(FACTS);
    await round(log);
    rmSync(file);
    const other = await logOf(FACTS.slice(0, -1));
    for await (const { type, data, metadata } of log.readStream(AUDIT_ANCHOR_STREAM, {
      fromRevision: 0,
    })) {
      await appendTo(other, [
        {
          stream: AUDIT_ANCHOR_STREAM,
          type,
          data: data as Fact['data'],
          metadata: unsealed(metadata),
        },
      ]);
    }
    expect(await found(other)).toEqual([expect.stringMatching(/^anchor_differs: the log was cut/)]);
    expect(await anchors()).toEqual([]);
  });

  it('repeats the same append while it is unknown whether it was written', async () => {
    const log = await logOf(FACTS);
    log.faults.failNextAppend('unknown_written');
    const job = await jobOn(log);
    await expect(job.next()).rejects.toThrow(OutcomeUnknownError);
    expect(await anchors()).toEqual([]);
    expect((await job.next()).result.outcome).toBe('anchored');
    expect(await inStream(log)).toEqual(await anchors());
  });

  it('appends to the stream once, however often the file cannot be written', async () => {
    const log = await logOf(FACTS);
    const job = await jobOn(log);
    mkdirSync(file);
    await expect(job.next()).rejects.toThrow(AnchorFileError);
    await expect(job.next()).rejects.toThrow(AnchorFileError);
    rmdirSync(file);
    expect((await job.next()).result.outcome).toBe('anchored');
    expect(await anchors()).toHaveLength(1);
    expect(await inStream(log)).toEqual(await anchors());
  });

  it('looks again when another job has written to the stream', async () => {
    const log = await logOf(FACTS);
    const other = await jobOn(log, { privateKey: OTHER_KEY, stream: true });
    let raced = false;
    const outcome = await round({
      ...log,
      async append(...args) {
        if (!raced) {
          raced = true;
          await other.next();
          rmSync(file);
        }
        return log.append(...args);
      },
    });
    expect(outcome.result.outcome).toBe('anchored');
    expect(await inStream(log)).toHaveLength(2);
  });

  it('forgets nothing that it found, and notices an end that is cut while it stays', async () => {
    const log = await logOf(FACTS);
    let present: EventLog = log;
    const job = await jobOn({
      ...log,
      readLastPosition: () => present.readLastPosition(),
      readAll: (options) => present.readAll(options),
    });
    await job.next();
    present = await logOf(FACTS.slice(0, EARLY));
    const { result } = await job.next();
    expect(result).toMatchObject({
      outcome: 'does_not_hold',
      findings: [{ kind: 'missing_events' }],
    });
    present = log;
    expect((await job.next()).result.outcome).toBe('does_not_hold');
  });
});

describe('an anchor, by somebody who has the public key and this paragraph', () => {
  it('is verified', async () => {
    const log = await logOf(FACTS);
    await round(log);
    const { signature, ...signed } = JSON.parse(readFileSync(file, 'utf8')) as Record<
      string,
      string
    >;
    const text = JSON.stringify(signed, Object.keys(signed).toSorted());
    const bytes = Buffer.from(signature ?? '', 'hex');
    expect(verify(null, Buffer.from(text), TEST_PUBLIC_KEY, bytes)).toBe(true);
    const lines = createHash('sha256');
    const { events } = await log.readAll({
      afterPosition: null,
      streamPrefixes: ['account-', 'aiModel-', 'priceList-', 'pricingConfig-'],
      maxCount: 1_000,
    });
    for (const { position, revision, stream, type } of events)
      lines.update(`${JSON.stringify({ position: String(position), revision, stream, type })}\n`);
    expect(lines.digest('hex')).toBe(signed['order']);
  });
});
