import { describe, expect, it } from 'vitest';
import {
  type EventLog,
  type JsonObject,
  type StoredEvent,
  StoreUnavailableError,
} from './event-log.ts';
import { GENESIS_HASH, chainEvents } from './hash-chain.ts';
import { type InMemoryEventLog, createInMemoryEventLog } from './in-memory.ts';
import { SNAPSHOT_EVERY_EVENTS, SNAPSHOT_WRITES_MAX } from './lane-snapshots.ts';
import { LaneError } from './lanes.ts';
import { SNAPSHOT_TYPE, readSnapshot } from './snapshot-event.ts';
import {
  SNAPSHOT_PREFIX,
  TALLIES,
  countReads,
  eventsOf,
  startReplica,
  writeTally,
} from './testing/tally.ts';

const STREAM = 'tally-a';
const CACHE = `${SNAPSHOT_PREFIX}a`;

function sumTo(count: number): number {
  return (count * (count + 1)) / 2;
}

/** Every snapshot ever written, also those that the store has hidden. */
async function allSnapshots(log: EventLog): Promise<readonly StoredEvent[]> {
  const page = { afterPosition: null, streamPrefixes: [SNAPSHOT_PREFIX], maxCount: 1e6 };
  return (await log.readAll(page)).events;
}

/** Each says what the events up to it say, and nothing that is not in the log. */
async function expectTrueSnapshots(log: EventLog, stream = STREAM): Promise<number> {
  const events = await eventsOf(log, stream);
  const snapshots = await allSnapshots(log);
  for (const event of snapshots) {
    const { at, state } = readSnapshot(event, '1');
    const upTo = events.slice(0, Number(at['revision']) + 1);
    expect(at).toEqual({
      revision: upTo.length - 1,
      hash: upTo.at(-1)?.metadata['hash'],
    });
    expect(state).toEqual(upTo.reduce(TALLIES.fold, TALLIES.initial()));
  }
  return snapshots.length;
}

async function writeCache(log: EventLog, data: JsonObject, type = SNAPSHOT_TYPE): Promise<void> {
  const last = await log.readLast(CACHE);
  const revision = last?.revision ?? -1;
  const events = chainEvents(CACHE, revision + 1, last?.metadata['hash'] ?? GENESIS_HASH, [
    { type, data, metadata: {} },
  ]);
  await log.append(CACHE, events, revision < 0 ? 'no_stream' : revision);
}

/** A log with 1,400 events in the stream, and what a true snapshot at its revision 999 says. */
async function longStream(): Promise<{ log: InMemoryEventLog; truth: JsonObject }> {
  const log = createInMemoryEventLog();
  await writeTally(log, STREAM, 1_400);
  const hash = (await eventsOf(log, STREAM))[999]?.metadata['hash'] ?? '';
  const truth = {
    version: '1',
    at: { revision: 999, hash },
    state: { sum: sumTo(1_000), count: 1_000 },
  };
  return { log, truth };
}

describe('snapshots', () => {
  it('let a cold stream of many events be opened with few', async () => {
    const log = createInMemoryEventLog();
    const writer = startReplica(log);
    for (let n = 1; n <= 5_000; n += 100)
      await writer.add(STREAM, ...Array.from({ length: 100 }, (_, i) => n + i));
    const counted = countReads(log);
    const cold = startReplica(counted);
    expect(await cold.ask(STREAM)).toEqual({ sum: sumTo(5_000), count: 5_000 });
    expect(cold.notices[0]).toEqual({ stream: STREAM, outcome: 'used' });
    expect(counted.eventsRead()).toBeLessThanOrEqual(1 + 1_000);
    expect(await cold.add(STREAM, 1)).toEqual({ sum: sumTo(5_000) + 1, count: 5_001 });
    expect(await expectTrueSnapshots(log)).toBeGreaterThanOrEqual(9);
    expect(await eventsOf(log, CACHE)).toHaveLength(1);
  });

  it('are taken of a long stream that was read from its start', async () => {
    const log = createInMemoryEventLog();
    await writeTally(log, STREAM, 1_400);
    const replica = startReplica(log);
    expect(await replica.ask(STREAM)).toEqual({ sum: sumTo(1_400), count: 1_400 });
    await replica.heard('written');
    expect(replica.notices.map(({ outcome }) => outcome)).toEqual(['absent', 'written']);
    expect(await expectTrueSnapshots(log)).toBe(1);
  });

  it('are neither looked for nor taken of a short stream', async () => {
    const log = countReads(createInMemoryEventLog());
    await writeTally(log, STREAM, 99);
    await startReplica(log).ask(STREAM);
    await startReplica(log).ask('tally-none');
    expect([STREAM, CACHE, 'tally-none', `${SNAPSHOT_PREFIX}none`].map(log.reads)).toEqual([
      1, 0, 1, 0,
    ]);
  });

  it('of the same events are used as they are', async () => {
    const { log, truth } = await longStream();
    await writeCache(log, truth);
    const replica = startReplica(log);
    expect(await replica.ask(STREAM)).toEqual({ sum: sumTo(1_400), count: 1_400 });
    expect(replica.notices).toEqual([{ stream: STREAM, outcome: 'used' }]);
  });

  /** Each spoils the cache of a long stream; where it could be believed, it holds a lie. */
  const SPOILT: readonly [
    string,
    (log: InMemoryEventLog, truth: JsonObject) => Promise<unknown>,
  ][] = [
    ['there is none', async () => undefined],
    ['another type of event', (log, truth) => writeCache(log, truth, 'SomethingElse')],
    ['no fields', (log) => writeCache(log, {})],
    ['fields of other types', (log) => writeCache(log, { version: '1', at: [], state: 7 })],
    ['another version', (log, truth) => writeCache(log, { ...truth, version: '0' })],
    [
      'a revision that is none',
      (log, truth) => writeCache(log, { ...truth, at: { revision: -1, hash: GENESIS_HASH } }),
    ],
    [
      'the hash of another event',
      (log, truth) =>
        writeCache(log, { ...truth, at: { revision: 999, hash: 'f'.repeat(64) }, state: LIE }),
    ],
    [
      'the hash of another event, at the end of the log',
      (log, truth) =>
        writeCache(log, { ...truth, at: { revision: 1_399, hash: 'f'.repeat(64) }, state: LIE }),
    ],
    [
      'an event beyond the end of the log',
      (log, truth) =>
        writeCache(log, { ...truth, at: { revision: 5_000, hash: 'f'.repeat(64) }, state: LIE }),
    ],
    ['a state that is none', (log, truth) => writeCache(log, { ...truth, state: { sum: 'x' } })],
    [
      'content that was changed later',
      async (log, truth) => {
        const [event] = chainEvents(CACHE, 0, GENESIS_HASH, [
          { type: SNAPSHOT_TYPE, data: truth, metadata: {} },
        ]);
        if (event === undefined) throw new Error('no event');
        await log.append(CACHE, [{ ...event, data: { ...truth, state: LIE } }], 'no_stream');
      },
    ],
  ];
  const LIE = { sum: 1e6, count: 1 };

  it.each(SPOILT)('change no answer and are replaced: %s', async (what, spoil) => {
    const { log, truth } = await longStream();
    await spoil(log, truth);
    const replica = startReplica(log);
    expect(await replica.ask(STREAM)).toEqual({ sum: sumTo(1_400), count: 1_400 });
    expect(await replica.add(STREAM, 1)).toEqual({ sum: sumTo(1_400) + 1, count: 1_401 });
    await replica.heard('written');
    expect(replica.notices.map(({ outcome }) => outcome)).toEqual([
      what === 'there is none' ? 'absent' : 'ignored',
      'written',
    ]);
    const next = startReplica(log);
    expect(await next.ask(STREAM)).toEqual({ sum: sumTo(1_400) + 1, count: 1_401 });
    expect(next.notices[0]?.outcome).toBe('used');
  });

  it('change no answer when they cannot be read at all', async () => {
    const { log } = await longStream();
    const replica = startReplica({
      ...log,
      readLast: () => Promise.reject(new StoreUnavailableError('stream is deleted')),
    });
    expect(await replica.ask(STREAM)).toEqual({ sum: sumTo(1_400), count: 1_400 });
    await replica.heard('not_written');
    expect(replica.notices.map(({ outcome }) => outcome)).toEqual(['ignored', 'not_written']);
  });

  it('change no answer when the fold cannot go on from one', async () => {
    const { log, truth } = await longStream();
    await writeCache(log, truth);
    const replica = startReplica(log, {
      ...TALLIES,
      fold(tally, event) {
        if (tally.count !== event.revision) throw new Error('gap');
        return TALLIES.fold(tally, event);
      },
    });
    await writeCache(log, { ...truth, state: LIE });
    expect(await replica.ask(STREAM)).toEqual({ sum: sumTo(1_400), count: 1_400 });
    expect(replica.notices[0]?.outcome).toBe('ignored');
  });

  it.each([
    'not_appended',
    'unknown_not_written',
    'unknown_written',
    'unknown_written_late',
  ] as const)('are never of what was decided but is not durable: %s', async (fault) => {
    const log = createInMemoryEventLog();
    const [replica, other] = [startReplica(log), startReplica(log)];
    const many = Array.from({ length: 200 }, (_, i) => i);
    await replica.add(STREAM, ...many);
    await replica.add(STREAM, ...many);
    // The append that makes a snapshot due is the one that goes wrong.
    log.faults.failNextAppend(fault);
    await expect(replica.add(STREAM, ...many)).rejects.toThrow(LaneError);
    if (fault === 'unknown_written_late') {
      await other.add(STREAM, 1, 2, 3);
      log.faults.deliverLateAppends();
    }
    await expect.poll(() => replica.lanes.frozen()).toBe(0);
    await replica.add(STREAM, ...many);
    await replica.add(STREAM, ...many);
    await replica.heard('written');
    expect(await expectTrueSnapshots(log)).toBeGreaterThan(0);
  });

  it('of one stream may be taken by several processes at once', async () => {
    const log = createInMemoryEventLog();
    const replicas = [startReplica(log), startReplica(log), startReplica(log)];
    let added = 0;
    await Promise.all(
      replicas.map(async (replica) => {
        for (let round = 0; round < 80; round += 1) {
          const sent = await replica.add(STREAM, ...Array.from({ length: 20 }, () => 1)).then(
            () => 20,
            () => 0, // contention
          );
          added += sent;
        }
      }),
    );
    expect(added).toBeGreaterThan(2_000);
    expect(await expectTrueSnapshots(log)).toBeGreaterThanOrEqual(3);
    const notices = replicas.flatMap((replica) => replica.notices);
    expect(notices.filter(({ outcome }) => outcome === 'not_written')).toEqual([]);
    const counted = countReads(log);
    const cold = startReplica(counted);
    expect(await cold.ask(STREAM)).toEqual({ sum: added, count: added });
    expect(cold.notices[0]?.outcome).toBe('used');
    expect(counted.eventsRead()).toBeLessThanOrEqual(1 + 1_000);
  });

  it('are written a few at a time, one per stream, and hold nothing up', async () => {
    const log = createInMemoryEventLog();
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun: string[] = [];
    const replica = startReplica({
      ...log,
      async append(stream, events, expected) {
        if (stream.startsWith(SNAPSHOT_PREFIX)) {
          begun.push(stream);
          await gate;
        }
        return log.append(stream, events, expected);
      },
    });
    const many = Array.from({ length: 250 }, () => 1);
    for (let round = 1; round <= 10; round += 1) await replica.add(STREAM, ...many);
    await expect.poll(() => begun).toEqual([CACHE]);
    for (let round = 1; round <= 5; round += 1) {
      const sums = await Promise.all(
        Array.from({ length: 10 }, (_, i) => replica.add(`tally-${i}`, ...many)),
      );
      expect(sums.map(({ sum }) => sum)).toEqual(Array.from({ length: 10 }, () => 250 * round));
    }
    await expect.poll(() => begun).toHaveLength(SNAPSHOT_WRITES_MAX);
    expect(new Set(begun).size).toBe(SNAPSHOT_WRITES_MAX);
    release();
    await replica.heard('written', SNAPSHOT_WRITES_MAX);
    await Promise.all(Array.from({ length: 10 }, (_, i) => replica.add(`tally-${i}`, ...many)));
    await replica.heard('written', 2 * SNAPSHOT_WRITES_MAX);
  });

  it('that could not be written are tried again with the next ones, not before', async () => {
    const log = createInMemoryEventLog();
    let tries = 0;
    const replica = startReplica({
      ...log,
      keepLastOnly() {
        tries += 1;
        return Promise.reject(new Error('no right to do that'));
      },
    });
    const events = SNAPSHOT_EVERY_EVENTS / 5;
    for (let round = 1; round <= 14; round += 1)
      await replica.add(STREAM, ...Array.from({ length: events }, () => 1));
    await replica.heard('not_written', 2);
    expect(tries).toBe(2);
    // Without a store that forgets the old ones, none is written at all.
    expect(await allSnapshots(log)).toEqual([]);
  });

  it.each([
    ['that says so itself', null],
    ['that no append could carry', { text: 'x'.repeat(520 * 1_024) }],
  ])('are not taken of a state %s', async (_what, json) => {
    const log = createInMemoryEventLog();
    await writeTally(log, STREAM, 600);
    const codec = TALLIES.snapshots;
    if (codec === undefined) throw new Error('no codec');
    const replica = startReplica(log, { ...TALLIES, snapshots: { ...codec, encode: () => json } });
    expect(await replica.ask(STREAM)).toEqual({ sum: sumTo(600), count: 600 });
    await replica.heard('too_large');
    expect(await allSnapshots(log)).toEqual([]);
  });

  it('are not begun any more once the lanes are closed', async () => {
    const log = createInMemoryEventLog();
    const replica = startReplica(log);
    const release = log.faults.holdAppends();
    const waiting = replica.add(STREAM, ...Array.from({ length: 250 }, () => 1));
    const more = replica.add(STREAM, ...Array.from({ length: 250 }, () => 1));
    const last = replica.add(STREAM, 1);
    const closed = replica.lanes.close(5_000);
    release();
    await Promise.all([waiting, more, last, closed]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await allSnapshots(log)).toEqual([]);
  });
});
