import { randomUUID } from 'node:crypto';
import {
  binaryEvent,
  eventTypeFilter,
  excludeSystemEvents,
  jsonEvent,
  streamNameFilter,
} from '@eventstore/db-client';
import type { ReadStreamOptions } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { all, event, failure, newStream, positionOf, useRawClient, watch } from './raw-client.ts';

/**
 * What the server itself does with deletes, metadata, reads and subscriptions, seen through the vendor's client and nothing of ours in between. What is
 * expected was measured on EventStoreDB 23.10.1 and KurrentDB 26.0.3, and is what the adapter and the stand-in rely on.
 */
const raw = useRawClient();
const { read, newStreamWith, lastPosition } = raw;

describe('deleting', () => {
  it('soft delete: not found, then written again with the numbering going on and the past hidden', async () => {
    const stream = await newStreamWith(event(), event());
    await raw.client.deleteStream(stream, { expectedRevision: 1n });
    expect(await failure(read(stream))).toMatchObject({
      type: 'stream-not-found',
      streamName: stream,
    });
    const missing = await failure(
      raw.client.appendToStream(stream, [event()], { expectedRevision: 'stream_exists' }),
    );
    expect(missing).toMatchObject({ type: 'wrong-expected-version', actualVersion: 1n });
    const again = await raw.client.appendToStream(stream, [event()], {
      expectedRevision: 'no_stream',
    });
    expect(again.nextExpectedRevision).toBe(2n);
    expect((await read(stream)).map(({ revision }) => revision)).toEqual([2n]);
  });

  it('soft delete at another revision, or of a stream that never was: refused', async () => {
    const stream = await newStreamWith(event(), event());
    const error = await failure(raw.client.deleteStream(stream, { expectedRevision: 0n }));
    expect(error).toMatchObject({
      type: 'wrong-expected-version',
      expectedVersion: 0n,
      actualVersion: 1n,
    });
    expect(await failure(raw.client.deleteStream(newStream()))).toMatchObject({
      type: 'wrong-expected-version',
    });
  });

  it('tombstone: reads, metadata and a second tombstone are refused as deleted', async () => {
    const stream = await newStreamWith(event());
    await raw.client.tombstoneStream(stream, { expectedRevision: 0n });
    expect(await failure(read(stream))).toMatchObject({
      type: 'stream-deleted',
      streamName: stream,
    });
    expect(await failure(raw.client.setStreamMetadata(stream, { maxCount: 1 }))).toMatchObject({
      type: 'stream-deleted',
    });
    expect(await failure(raw.client.tombstoneStream(stream))).toMatchObject({
      type: 'stream-deleted',
    });
  });
});

describe('metadata', () => {
  it('is read back, and of its stream only the last event shows', async () => {
    const stream = newStream();
    await raw.client.setStreamMetadata(stream, { maxCount: 3 });
    await raw.client.setStreamMetadata(stream, { maxCount: 4, color: 'red' });
    expect((await raw.client.getStreamMetadata(stream)).metadata).toMatchObject({
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
    await raw.client.setStreamMetadata(stream, { maxCount: 1 });
    await raw.client.appendToStream(stream, [event(), event(), event()], {
      expectedRevision: 'no_stream',
    });
    expect((await read(stream)).map(({ revision }) => revision)).toEqual([2n]);
    expect(
      (await all(raw.client.readAll({ fromPosition: from })))
        .filter(({ streamId }) => streamId === stream)
        .map(({ revision }) => revision),
    ).toEqual([0n, 1n, 2n]);
  });

  it('$tb beyond the end: nothing to read and no error, no_stream refused, later events hidden up to it', async () => {
    const stream = await newStreamWith(event(), event());
    await raw.client.setStreamMetadata(stream, { truncateBefore: 4 });
    expect(await read(stream)).toEqual([]);
    const error = await failure(
      raw.client.appendToStream(stream, [event()], { expectedRevision: 'no_stream' }),
    );
    expect(error).toMatchObject({ type: 'wrong-expected-version', actualVersion: 1n });
    await raw.client.appendToStream(stream, [event(), event(), event()], { expectedRevision: 1n });
    expect((await read(stream)).map(({ revision }) => revision)).toEqual([4n]);
  });

  it('$maxAge: events go out of sight when they are older', async () => {
    const stream = await newStreamWith(event());
    await raw.client.setStreamMetadata(stream, { maxAge: 1 });
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
    const forwards = await all(raw.client.readAll({ fromPosition, maxCount: 1 }));
    expect(forwards[0]?.id).toBe(second?.id);
    const backwards = await all(
      raw.client.readAll({ fromPosition, maxCount: 1, direction: 'backwards' }),
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
    await raw.client.appendToStream(stream, [json, bytes], { expectedRevision: 'no_stream' });
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
      raw.client.subscribeToAll({
        fromPosition: positionOf(first),
        filter: streamNameFilter({ prefixes: [stream] }),
      }),
    );
    await feed.until(() => feed.log.includes('caughtUp'));
    await raw.client.appendToStream(stream, [event()], { expectedRevision: 2n });
    await feed.until(() => feed.log.includes('3'));
    expect(feed.log).toEqual(['confirmation', '1', '2', 'caughtUp', '3']);
  });

  it('$all by event type, by regular expression and without system events', async () => {
    const from = await lastPosition();
    const type = `Kind${randomUUID()}`;
    const stream = newStream();
    const byType = watch(
      raw.client.subscribeToAll({
        fromPosition: from,
        filter: eventTypeFilter({ prefixes: [type] }),
      }),
    );
    const byRegex = watch(
      raw.client.subscribeToAll({
        fromPosition: from,
        filter: streamNameFilter({ regex: `^${stream}$` }),
      }),
    );
    const userOnly = watch(
      raw.client.subscribeToAll({ fromPosition: from, filter: excludeSystemEvents() }),
    );
    await raw.client.setStreamMetadata(stream, { maxCount: 100 });
    await raw.client.appendToStream(stream, [
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
      raw.client.subscribeToAll({
        fromPosition: 'end',
        filter: streamNameFilter({ prefixes: [stream] }),
      }),
    );
    await feed.until(() => feed.log.includes('caughtUp'));
    await raw.client.appendToStream(stream, [event()], { expectedRevision: 0n });
    await feed.until(() => feed.ids.length > 0);
    expect(feed.events()).toEqual(['1']);
  });

  it('one stream: exclusive of its starting revision, live, also before the stream exists', async () => {
    const stream = await newStreamWith(event(), event());
    const feed = watch(raw.client.subscribeToStream(stream, { fromRevision: 0n }));
    await feed.until(() => feed.ids.length >= 1);
    await raw.client.appendToStream(stream, [event()], { expectedRevision: 1n });
    await feed.until(() => feed.ids.length >= 2);
    expect(feed.events()).toEqual(['1', '2']);
    const early = newStream();
    const waiting = watch(raw.client.subscribeToStream(early));
    await waiting.until(() => waiting.log.includes('confirmation'));
    await raw.client.appendToStream(early, [event()], { expectedRevision: 'no_stream' });
    await waiting.until(() => waiting.ids.length >= 1);
    expect(waiting.events()).toEqual(['0']);
  });

  it('one stream that is tombstoned: ends as deleted', async () => {
    const stream = await newStreamWith(event());
    const feed = watch(raw.client.subscribeToStream(stream));
    await feed.until(() => feed.log.includes('caughtUp'));
    await raw.client.tombstoneStream(stream);
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
    const feed = watch(raw.client.subscribeToAll({ fromPosition: from, filter: filter() }));
    await feed.until(() => feed.log.includes('caughtUp'));
    await expect.poll(() => checkpoints.length).toBeGreaterThan(0);
    const inThePast = checkpoints.length;
    // Every 32 events, of whatever stream, bring one.
    await raw.client.appendToStream(
      noise,
      Array.from({ length: 40 }, () => event()),
      { expectedRevision: 69n },
    );
    await expect.poll(() => checkpoints.length).toBeGreaterThan(inThePast);
    expect(checkpoints).toEqual(checkpoints.toSorted((a, b) => (a < b ? -1 : 1)));
    const commit = checkpoints.at(-1) ?? 0n;
    await raw.client.appendToStream(wanted, [event()], { expectedRevision: 'no_stream' });
    const resumed = watch(
      raw.client.subscribeToAll({ fromPosition: { commit, prepare: commit }, filter: filter() }),
    );
    await resumed.until(() => resumed.ids.length > 0);
    expect(resumed.events()).toEqual(['0']);
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
