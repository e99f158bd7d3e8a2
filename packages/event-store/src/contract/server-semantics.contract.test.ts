import { randomUUID } from 'node:crypto';
import {
  binaryEvent,
  EventStoreDBClient,
  eventTypeFilter,
  excludeSystemEvents,
  jsonEvent,
  streamNameFilter,
} from '@eventstore/db-client';
import type {
  AppendExpectedRevision,
  EventData,
  Position,
  ReadStreamOptions,
} from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startServerUnderTest } from './server-under-test.ts';
import type { ServerUnderTest } from './server-under-test.ts';

/**
 * What the server itself does, seen through the vendor's client and nothing of ours in between. What is expected here
 * was measured on EventStoreDB 23.10.1 and KurrentDB 26.0.3, and is what the adapter and the stand-in rely on.
 */
const external =
  process.env['EVENTSTORE_URL'] !== undefined && process.env['EVENTSTORE_URL'] !== '';

let server: ServerUnderTest;
let client: EventStoreDBClient;

beforeAll(async () => {
  server = await startServerUnderTest();
  client = EventStoreDBClient.connectionString(server.url);
});

afterAll(async () => {
  await client.dispose();
  await server.stop();
});

describe.each(['batch', 'classic'] as const)('append, %s path', (path) => {
  // Credentials of the call, of whatever kind, are what sends the client down the classic path.
  const perCall =
    path === 'classic' ? { credentials: { username: 'admin', password: 'changeit' } } : {};
  const append = (stream: string, events: EventData[], expectedRevision: AppendExpectedRevision) =>
    client.appendToStream(stream, events, { expectedRevision, ...perCall });

  it('new stream, no_stream: written from revision 0', async () => {
    const stream = newStream();
    const result = await append(stream, [event(), event()], 'no_stream');
    expect(result).toMatchObject({ success: true, nextExpectedRevision: 1n });
    const stored = await read(stream);
    expect(stored.map(({ revision }) => revision)).toEqual([0n, 1n]);
    expect(stored[1]?.position).toEqual(result.position);
    expect(commitOf(stored[1])).toBeGreaterThan(commitOf(stored[0]));
  });

  it('exact revision of the last event: written after it', async () => {
    const stream = await newStreamWith(event(), event());
    expect((await append(stream, [event()], 1n)).nextExpectedRevision).toBe(2n);
  });

  it.each<[string, EventData[], AppendExpectedRevision, bigint | 'no_stream']>([
    ['no_stream on a stream with events', [event()], 'no_stream', 0n],
    ['exact revision on a missing stream', [], 3n, 'no_stream'],
    ['stream_exists on a missing stream', [], 'stream_exists', 'no_stream'],
    ['exact revision beyond the end', [event()], 1n, 0n],
    ['exact revision before the end', [event(), event()], 0n, 1n],
  ])('%s: wrong expected version', async (_name, before, expectedRevision, actualVersion) => {
    const stream = await newStreamWith(...before);
    const error = await failure(append(stream, [event()], expectedRevision));
    expect(error).toMatchObject({
      type: 'wrong-expected-version',
      streamName: stream,
      expectedVersion: expectedRevision,
      actualVersion,
      message: '',
    });
    expect(await readOrNothing(stream)).toHaveLength(before.length);
  });

  it('any and stream_exists: written wherever the stream is', async () => {
    const stream = newStream();
    expect((await append(stream, [event()], 'any')).nextExpectedRevision).toBe(0n);
    expect((await append(stream, [event()], 'any')).nextExpectedRevision).toBe(1n);
    expect((await append(stream, [event()], 'stream_exists')).nextExpectedRevision).toBe(2n);
  });

  it('stream_exists on a stream that has metadata only: written', async () => {
    const stream = newStream();
    await client.setStreamMetadata(stream, { maxCount: 10 });
    expect((await append(stream, [event()], 'stream_exists')).nextExpectedRevision).toBe(0n);
  });

  it('two writers, one revision: one is written, the other refused', async () => {
    const stream = newStream();
    const outcomes = await Promise.allSettled(
      [1, 2].map(() => append(stream, [event()], 'no_stream')),
    );
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await read(stream)).toHaveLength(1);
  });

  it.each<AppendExpectedRevision>(['no_stream', 0n])(
    'the same again at %s: success with the original revision and position, nothing stored',
    async (expectedRevision) => {
      const stream = expectedRevision === 'no_stream' ? newStream() : await newStreamWith(event());
      const group = [event(), event()];
      const first = await append(stream, group, expectedRevision);
      await append(stream, [event()], first.nextExpectedRevision);
      expect(await append(stream, group, expectedRevision)).toEqual(first);
      expect(await read(stream)).toHaveLength(Number(first.nextExpectedRevision) + 2);
    },
  );

  it('same ids, same revision, other data: success, and the first data stay', async () => {
    const stream = newStream();
    const id = randomUUID();
    const first = await append(stream, [event({ n: 1 }, id)], 'no_stream');
    expect(await append(stream, [event({ n: 2 }, id)], 'no_stream')).toEqual(first);
    expect((await read(stream)).map(({ data }) => data)).toEqual([{ n: 1 }]);
  });

  it('the first of a group alone: success with its own revision', async () => {
    const stream = newStream();
    const group = [event(), event(), event()];
    await append(stream, group, 'no_stream');
    const [first] = await read(stream);
    const again = await append(stream, group.slice(0, 1), 'no_stream');
    expect(again).toMatchObject({ nextExpectedRevision: 0n, position: first?.position });
  });

  it('same id, next revision: stored again', async () => {
    const stream = newStream();
    const one = event();
    await append(stream, [one], 'no_stream');
    expect((await append(stream, [one], 0n)).nextExpectedRevision).toBe(1n);
    expect((await read(stream)).map(({ id }) => id)).toEqual([one.id, one.id]);
  });

  it('same id twice in one append, and in another stream: stored', async () => {
    const stream = newStream();
    const one = event();
    await append(stream, [one, one], 'no_stream');
    expect(await read(stream)).toHaveLength(2);
    const other = newStream();
    await append(other, [one], 'no_stream');
    expect(await read(other)).toHaveLength(1);
  });

  it.each<AppendExpectedRevision>(['no_stream', 'any', 'stream_exists'])(
    'a known and a new id at %s: wrong expected version',
    async (expectedRevision) => {
      const stream = newStream();
      const known = event();
      await append(stream, [known, event()], 'no_stream');
      const error = await failure(append(stream, [known, event()], expectedRevision));
      expect(error).toMatchObject({ type: 'wrong-expected-version', actualVersion: 1n });
      expect(await read(stream)).toHaveLength(2);
    },
  );

  it('a known group that runs past the end of the stream: wrong expected version', async () => {
    const stream = newStream();
    const known = event();
    await append(stream, [known], 'no_stream');
    const error = await failure(append(stream, [known, event()], 'no_stream'));
    expect(error).toMatchObject({ type: 'wrong-expected-version', actualVersion: 0n });
  });

  it('ids that were stored apart, at the old revision: wrong expected version', async () => {
    const stream = newStream();
    const [one, between, two] = [event(), event(), event()];
    await append(stream, [one], 'no_stream');
    await append(stream, [between], 0n);
    await append(stream, [two], 1n);
    const error = await failure(append(stream, [one, two], 'no_stream'));
    expect(error).toMatchObject({ type: 'wrong-expected-version', actualVersion: 2n });
  });

  it.each<AppendExpectedRevision>(['any', 'stream_exists'])(
    'the same again at %s: success, nothing stored, while the server remembers the ids',
    async (expectedRevision) => {
      const stream = newStream();
      const group = [event(), event()];
      const first = await append(stream, group, 'no_stream');
      await append(stream, [event()], 'any');
      expect(await append(stream, group, expectedRevision)).toEqual(first);
      expect(await read(stream)).toHaveLength(3);
    },
  );

  it('the same again after it was truncated away: success without a position', async () => {
    const stream = newStream();
    await client.setStreamMetadata(stream, { maxCount: 1 });
    const one = event();
    await append(stream, [one], 'no_stream');
    await append(stream, [event()], 0n);
    const again = await append(stream, [one], 'no_stream');
    expect(again).toMatchObject({ success: true, nextExpectedRevision: 0n, position: undefined });
  });

  it('no events: success, nothing stored', async () => {
    const stream = await newStreamWith(event());
    expect((await append(stream, [], 'any')).success).toBe(true);
    expect(await read(stream)).toHaveLength(1);
    expect((await append(newStream(), [], 'no_stream')).success).toBe(true);
  });

  it('empty stream name: refused as unknown', async () => {
    expect(await failure(append('', [event()], 'any'))).toMatchObject({ type: 'unknown' });
  });

  it('3,000 events of 309 bytes in one append: written as a whole', async () => {
    const stream = newStream();
    await append(
      stream,
      Array.from({ length: 3_000 }, () => event({ text: 'x'.repeat(298) })),
      'no_stream',
    );
    const last = await read(stream, { direction: 'backwards', fromRevision: 'end', maxCount: 1 });
    expect(last[0]?.revision).toBe(2_999n);
  });

  // Servers since 25.1 take more.
  it.skipIf(external)(
    'more than 1 MiB in one append: refused with the limit, nothing stored',
    async () => {
      const stream = newStream();
      const tooMuch = Array.from({ length: 3 }, () => event({ text: 'x'.repeat(400_000) }));
      const error = await failure(append(stream, tooMuch, 'no_stream'));
      expect(error).toMatchObject({
        type: 'maximum-append-size-exceeded',
        maxAppendSize: 1_048_576,
      });
      expect(await readOrNothing(stream)).toEqual([]);
    },
  );

  it('a message beyond what gRPC takes: unknown, and the client goes on', async () => {
    const stream = newStream();
    const error = await failure(
      append(stream, [event({ text: 'x'.repeat(18_000_000) })], 'no_stream'),
    );
    expect(error).toMatchObject({ type: 'unknown', code: 8 });
    expect((await append(stream, [event()], 'no_stream')).success).toBe(true);
  });

  it('throwOnAppendFailure off: the batch path tells no revision, the classic one does', async () => {
    const quiet = EventStoreDBClient.connectionString(
      `${server.url}${server.url.includes('?') ? '&' : '?'}throwOnAppendFailure=false`,
    );
    onTestFinished(() => quiet.dispose());
    const stream = await newStreamWith(event(), event(), event());
    const onEvents = await quiet.appendToStream(stream, [event()], {
      expectedRevision: 'no_stream',
      ...perCall,
    });
    expect(onEvents).toMatchObject({
      success: false,
      nextExpectedRevision: path === 'batch' ? 1n : 2n,
    });
    const onNothing = await quiet.appendToStream(newStream(), [event()], {
      expectedRevision: 5n,
      ...perCall,
    });
    expect(onNothing).toMatchObject({
      success: false,
      nextExpectedRevision: path === 'batch' ? expect.anything() : -1n,
    });
  });

  it('tombstoned stream: every append refused as deleted', async () => {
    const stream = await newStreamWith(event());
    await client.tombstoneStream(stream);
    for (const expectedRevision of ['any', 'no_stream', 'stream_exists', 0n] as const) {
      const error = await failure(append(stream, [event()], expectedRevision));
      expect(error).toMatchObject({ type: 'stream-deleted', streamName: stream });
    }
  });

  it.skipIf(external)(
    'restart: exact revisions stay idempotent, any and stream_exists are stored again',
    async () => {
      const stream = newStream();
      const one = event();
      const first = await append(stream, [one], 'no_stream');
      await server.standIn?.restart();
      const exact = await untilConnected(() => append(stream, [one], 'no_stream'));
      expect(exact).toEqual(first);
      expect((await append(stream, [one], 'any')).nextExpectedRevision).toBe(1n);
      expect(await read(stream)).toHaveLength(2);
    },
  );
});

describe('deleting', () => {
  it('soft delete: not found, then written again with the numbering going on and the past hidden', async () => {
    const stream = await newStreamWith(event(), event());
    await client.deleteStream(stream, { expectedRevision: 1n });
    expect(await failure(read(stream))).toMatchObject({
      type: 'stream-not-found',
      streamName: stream,
    });
    const missing = await failure(
      client.appendToStream(stream, [event()], { expectedRevision: 'stream_exists' }),
    );
    expect(missing).toMatchObject({ type: 'wrong-expected-version', actualVersion: 1n });
    const again = await client.appendToStream(stream, [event()], { expectedRevision: 'no_stream' });
    expect(again.nextExpectedRevision).toBe(2n);
    expect((await read(stream)).map(({ revision }) => revision)).toEqual([2n]);
  });

  it('soft delete at another revision, or of a stream that never was: refused', async () => {
    const stream = await newStreamWith(event(), event());
    const error = await failure(client.deleteStream(stream, { expectedRevision: 0n }));
    expect(error).toMatchObject({
      type: 'wrong-expected-version',
      expectedVersion: 0n,
      actualVersion: 1n,
    });
    expect(await failure(client.deleteStream(newStream()))).toMatchObject({
      type: 'wrong-expected-version',
    });
  });

  it('tombstone: reads, metadata and a second tombstone are refused as deleted', async () => {
    const stream = await newStreamWith(event());
    await client.tombstoneStream(stream, { expectedRevision: 0n });
    expect(await failure(read(stream))).toMatchObject({
      type: 'stream-deleted',
      streamName: stream,
    });
    expect(await failure(client.setStreamMetadata(stream, { maxCount: 1 }))).toMatchObject({
      type: 'stream-deleted',
    });
    expect(await failure(client.tombstoneStream(stream))).toMatchObject({ type: 'stream-deleted' });
  });
});

describe('metadata', () => {
  it('is read back, and of its stream only the last event shows', async () => {
    const stream = newStream();
    await client.setStreamMetadata(stream, { maxCount: 3 });
    await client.setStreamMetadata(stream, { maxCount: 4, color: 'red' });
    expect((await client.getStreamMetadata(stream)).metadata).toMatchObject({
      maxCount: 4,
      color: 'red',
    });
    expect((await read(`$$${stream}`)).map(({ revision, type }) => [revision, type])).toEqual([
      [1n, '$metadata'],
    ]);
  });

  it('$maxCount set before the first event: at once in force, with true revisions, while $all shows all', async () => {
    const stream = newStream();
    const from = await lastPosition();
    await client.setStreamMetadata(stream, { maxCount: 1 });
    await client.appendToStream(stream, [event(), event(), event()], {
      expectedRevision: 'no_stream',
    });
    expect((await read(stream)).map(({ revision }) => revision)).toEqual([2n]);
    expect((await readAllOf(stream, from)).map(({ revision }) => revision)).toEqual([0n, 1n, 2n]);
  });

  it('$tb beyond the end: nothing to read and no error, no_stream refused, later events hidden up to it', async () => {
    const stream = await newStreamWith(event(), event());
    await client.setStreamMetadata(stream, { truncateBefore: 4 });
    expect(await read(stream)).toEqual([]);
    const error = await failure(
      client.appendToStream(stream, [event()], { expectedRevision: 'no_stream' }),
    );
    expect(error).toMatchObject({ type: 'wrong-expected-version', actualVersion: 1n });
    await client.appendToStream(stream, [event(), event(), event()], { expectedRevision: 1n });
    expect((await read(stream)).map(({ revision }) => revision)).toEqual([4n]);
  });

  it('$maxAge: events go out of sight when they are older', async () => {
    const stream = await newStreamWith(event());
    await client.setStreamMetadata(stream, { maxAge: 1 });
    await expect.poll(() => read(stream), { timeout: 20_000, interval: 100 }).toEqual([]);
  });
});

describe('reads', () => {
  it('stream: inclusive, both ways, bounded; beyond the end nothing; missing stream not found', async () => {
    const stream = await newStreamWith(...Array.from({ length: 40 }, () => event()));
    const revisions = async (options: ReadStreamOptions) =>
      (await read(stream, options)).map(({ revision }) => Number(revision));
    expect(await revisions({ fromRevision: 38n })).toEqual([38, 39]);
    expect(await revisions({ fromRevision: 3n, maxCount: 34 })).toEqual(range(3, 37));
    expect(await revisions({ direction: 'backwards', fromRevision: 'end' })).toEqual(
      range(0, 40).toReversed(),
    );
    expect(await revisions({ direction: 'backwards', fromRevision: 2n })).toEqual([2, 1, 0]);
    expect(await revisions({ direction: 'backwards', fromRevision: 500n, maxCount: 1 })).toEqual([
      39,
    ]);
    expect(await revisions({ fromRevision: 40n })).toEqual([]);
    expect(await failure(read(newStream()))).toMatchObject({ type: 'stream-not-found' });
  });

  it('$all: a position includes its event forwards and excludes it backwards', async () => {
    const stream = await newStreamWith(event(), event(), event());
    const [first, second] = await read(stream);
    const fromPosition = positionOf(second);
    const forwards = await all(client.readAll({ fromPosition, maxCount: 1 }));
    expect(forwards[0]?.id).toBe(second?.id);
    const backwards = await all(
      client.readAll({ fromPosition, maxCount: 1, direction: 'backwards' }),
    );
    expect(backwards[0]?.id).toBe(first?.id);
  });

  it('content comes back as it was stored, JSON or binary, with the time of the store', async () => {
    const stream = newStream();
    const json = jsonEvent({
      type: 'Ünicode',
      data: { text: 'é漢😀', n: 1.5 },
      metadata: { key: 'value' },
    });
    const bytes = binaryEvent({
      type: 'Bytes',
      data: Buffer.from([0, 255, 128]),
      metadata: Buffer.from([7]),
    });
    const beforeMs = Date.now();
    await client.appendToStream(stream, [json, bytes], { expectedRevision: 'no_stream' });
    const [first, second] = await read(stream);
    expect(first).toMatchObject({
      id: json.id,
      type: 'Ünicode',
      isJson: true,
      data: json.data,
      metadata: json.metadata,
    });
    expect(second).toMatchObject({
      type: 'Bytes',
      isJson: false,
      data: Uint8Array.from([0, 255, 128]),
    });
    expect(Math.abs((first?.created.getTime() ?? 0) - beforeMs)).toBeLessThan(60_000);
  });
});

describe('subscriptions', () => {
  it('$all by stream prefix: confirmed, the past after the position, caught up, then live, in order', async () => {
    const stream = await newStreamWith(event(), event(), event());
    const [first] = await read(stream);
    const feed = watch(
      client.subscribeToAll({
        fromPosition: positionOf(first),
        filter: streamNameFilter({ prefixes: [stream] }),
      }),
    );
    await feed.until(() => feed.log.includes('caughtUp'));
    await client.appendToStream(stream, [event()], { expectedRevision: 2n });
    await feed.until(() => feed.log.includes('3'));
    expect(feed.log).toEqual(['confirmation', '1', '2', 'caughtUp', '3']);
  });

  it('$all by event type, by regular expression and without system events', async () => {
    const from = await lastPosition();
    const type = `Kind${randomUUID()}`;
    const stream = newStream();
    const byType = watch(
      client.subscribeToAll({ fromPosition: from, filter: eventTypeFilter({ prefixes: [type] }) }),
    );
    const byRegex = watch(
      client.subscribeToAll({
        fromPosition: from,
        filter: streamNameFilter({ regex: `^${stream}$` }),
      }),
    );
    const userOnly = watch(
      client.subscribeToAll({ fromPosition: from, filter: excludeSystemEvents() }),
    );
    await client.setStreamMetadata(stream, { maxCount: 100 });
    await client.appendToStream(stream, [
      jsonEvent({ type, data: {} }),
      event(),
      jsonEvent({ type, data: {} }),
    ]);
    await byType.until(() => byType.ids.length >= 2);
    await byRegex.until(() => byRegex.ids.length >= 3);
    await userOnly.until(() => userOnly.ids.filter(([name]) => name === stream).length >= 3);
    expect(byType.events()).toEqual(['0', '2']);
    expect(byRegex.events()).toEqual(['0', '1', '2']);
    expect(userOnly.ids.some(([name]) => name.startsWith('$'))).toBe(false);
  });

  it('$all from the end: only what comes afterwards', async () => {
    const stream = await newStreamWith(event());
    const feed = watch(
      client.subscribeToAll({
        fromPosition: 'end',
        filter: streamNameFilter({ prefixes: [stream] }),
      }),
    );
    await feed.until(() => feed.log.includes('caughtUp'));
    await client.appendToStream(stream, [event()], { expectedRevision: 0n });
    await feed.until(() => feed.ids.length > 0);
    expect(feed.events()).toEqual(['1']);
  });

  it('one stream: exclusive of its starting revision, live, also before the stream exists', async () => {
    const stream = await newStreamWith(event(), event());
    const feed = watch(client.subscribeToStream(stream, { fromRevision: 0n }));
    await feed.until(() => feed.ids.length >= 1);
    await client.appendToStream(stream, [event()], { expectedRevision: 1n });
    await feed.until(() => feed.ids.length >= 2);
    expect(feed.events()).toEqual(['1', '2']);
    const early = newStream();
    const waiting = watch(client.subscribeToStream(early));
    await waiting.until(() => waiting.log.includes('confirmation'));
    await client.appendToStream(early, [event()], { expectedRevision: 'no_stream' });
    await waiting.until(() => waiting.ids.length >= 1);
    expect(waiting.events()).toEqual(['0']);
  });

  it('one stream that is tombstoned: ends as deleted', async () => {
    const stream = await newStreamWith(event());
    const feed = watch(client.subscribeToStream(stream));
    await feed.until(() => feed.log.includes('caughtUp'));
    await client.tombstoneStream(stream);
    expect(await feed.ended).toMatchObject({ type: 'stream-deleted' });
  });

  it('checkpoints come while nothing matches, in the past and live, and going on from one loses nothing', async () => {
    const from = await lastPosition();
    const wanted = newStream();
    const noise = await newStreamWith(...Array.from({ length: 70 }, () => event()));
    const checkpoints: bigint[] = [];
    const filter = () =>
      streamNameFilter({
        prefixes: [wanted],
        checkpointReached: (_subscription, position) => void checkpoints.push(position.commit),
      });
    const feed = watch(client.subscribeToAll({ fromPosition: from, filter: filter() }));
    await feed.until(() => feed.log.includes('caughtUp'));
    await expect.poll(() => checkpoints.length).toBeGreaterThan(0);
    const inThePast = checkpoints.length;
    // Every 32 events, of whatever stream, bring one.
    await client.appendToStream(
      noise,
      Array.from({ length: 40 }, () => event()),
      { expectedRevision: 69n },
    );
    await expect.poll(() => checkpoints.length).toBeGreaterThan(inThePast);
    expect(checkpoints).toEqual(checkpoints.toSorted((a, b) => (a < b ? -1 : 1)));
    const commit = checkpoints.at(-1) ?? 0n;
    await client.appendToStream(wanted, [event()], { expectedRevision: 'no_stream' });
    const resumed = watch(
      client.subscribeToAll({ fromPosition: { commit, prepare: commit }, filter: filter() }),
    );
    await resumed.until(() => resumed.ids.length > 0);
    expect(resumed.events()).toEqual(['0']);
  });
});

function newStream(): string {
  return `semantics-${randomUUID()}`;
}

async function newStreamWith(...events: EventData[]): Promise<string> {
  const stream = newStream();
  if (events.length > 0)
    await client.appendToStream(stream, events, { expectedRevision: 'no_stream' });
  return stream;
}

function event(
  data: Record<string, unknown> = {},
  id: string = randomUUID(),
): EventData & { id: string } {
  return jsonEvent({ id, type: 'Happened', data });
}

async function read(stream: string, options: ReadStreamOptions = {}) {
  return all(client.readStream(stream, options));
}

async function readOrNothing(stream: string) {
  return read(stream).catch(() => []);
}

async function all<Event>(
  reading: AsyncIterable<{ event?: Event }> & { cancel(): Promise<void> },
): Promise<Event[]> {
  const events: Event[] = [];
  try {
    for await (const { event: one } of reading) if (one !== undefined) events.push(one);
  } finally {
    await reading.cancel();
  }
  return events;
}

async function readAllOf(stream: string, fromPosition: Position) {
  return (await all(client.readAll({ fromPosition }))).filter(
    ({ streamId }) => streamId === stream,
  );
}

/** Of the whole log; a shared server may be long. */
async function lastPosition(): Promise<Position> {
  const [last] = await all(
    client.readAll({ direction: 'backwards', fromPosition: 'end', maxCount: 1 }),
  );
  return last === undefined ? { commit: 0n, prepare: 0n } : positionOf(last);
}

function positionOf(event: { position?: Position | undefined } | undefined): Position {
  if (event?.position === undefined) throw new Error('an event without a position');
  return event.position;
}

function commitOf(event: { position?: Position | undefined } | undefined): bigint {
  return positionOf(event).commit;
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => {
      throw new Error('expected a failure');
    },
    (error: unknown) => error,
  );
}

/** The first call after a restart may meet the old connection. */
async function untilConnected<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch {
    return work();
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** What a subscription to `$all` and one to a stream have in common. */
interface Feed {
  on(
    name: string,
    listener: (value: { event?: { streamId: string; revision: bigint } }) => void,
  ): unknown;
  unsubscribe(): Promise<void>;
}

/** Follows a subscription: what came, in order; event revisions as text. */
function watch(subscription: Feed) {
  const log: string[] = [];
  const ids: [stream: string, revision: string][] = [];
  const ended = new Promise<unknown>((resolve) => {
    subscription.on('error', resolve);
    subscription.on('end', () => resolve(null));
  });
  let wake = (): void => undefined;
  const note = (what: string): void => {
    log.push(what);
    wake();
  };
  subscription.on('confirmation', () => note('confirmation'));
  subscription.on('caughtUp', () => note('caughtUp'));
  subscription.on('data', (resolved: { event?: { streamId: string; revision: bigint } }) => {
    if (resolved.event === undefined) return;
    ids.push([resolved.event.streamId, String(resolved.event.revision)]);
    note(String(resolved.event.revision));
  });
  onTestFinished(() => subscription.unsubscribe());
  return {
    log,
    ids,
    ended,
    events: () => ids.map(([, revision]) => revision),
    until: async (reached: () => boolean): Promise<void> => {
      while (!reached())
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
  };
}
