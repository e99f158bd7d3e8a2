import { randomUUID } from 'node:crypto';
import { binaryEvent, EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from './event-log.ts';
import { UNREADABLE } from './eventstoredb-event.ts';
import { NEVER_MS, newEvents, readStream, startAdapter } from './testing/eventstoredb-adapter.ts';
import type { AdapterUnderTest } from './testing/eventstoredb-adapter.ts';

describe('reads on EventStoreDB', () => {
  let adapter: AdapterUnderTest;
  let stream: string;

  async function start(bounds?: Parameters<typeof startAdapter>[0]): Promise<void> {
    await adapter.stop();
    adapter = await startAdapter(bounds);
    await adapter.log.append(stream, newEvents(10), 'no_stream');
  }
  const readAll = () =>
    adapter.log.readAll({ afterPosition: null, streamPrefixes: [stream], maxCount: 100 });

  beforeEach(async () => {
    stream = `account-${randomUUID()}`;
    adapter = await startAdapter();
    await adapter.log.append(stream, newEvents(10), 'no_stream');
  });
  afterEach(() => adapter.stop());

  it.each([
    ['readStream', () => readStream(adapter.log, stream)],
    ['readLast', () => adapter.log.readLast(stream)],
    ['readAll', readAll],
    ['readLastPosition', () => adapter.log.readLastPosition()],
  ])('%s of a frozen server: unavailable once the time is up', async (_name, read) => {
    await start({ readTimeoutMs: 500 });
    adapter.server.faults.read({ kind: 'hangs' });
    await expect(read()).rejects.toThrow('nothing came within 500 ms');
    await expect(read()).resolves.toBeDefined();
  });

  it.each([1, 7, 13, 14])(
    'broken off midway with code %s: throws, and never looks complete',
    async (code) => {
      const read = async (): Promise<number> => {
        let count = 0;
        for await (const { revision } of adapter.log.readStream(stream, { fromRevision: 0 }))
          count = revision + 1;
        return count;
      };
      adapter.server.faults.read({ kind: 'fails', code, afterEvents: 4 });
      await expect(read()).rejects.toThrow(StoreUnavailableError);
      expect(await read()).toBe(10);
      adapter.server.faults.read({ kind: 'fails', code, afterEvents: 4 });
      await expect(readAll()).rejects.toThrow(StoreUnavailableError);
      expect((await readAll()).events).toHaveLength(10);
    },
  );

  it('server down: unavailable; when it is back, reads work by themselves', async () => {
    await adapter.server.stop();
    for (let round = 0; round < 3; round += 1) {
      await expect(readStream(adapter.log, stream)).rejects.toThrow(StoreUnavailableError);
    }
    await adapter.server.start();
    expect(await readStream(adapter.log, stream)).toHaveLength(10);
  });

  it('connects anew after several reads in a row that hang, and says so', async () => {
    await start({ readTimeoutMs: 500, timeoutsBeforeRebuild: 2 });
    await adapter.log.readLast(stream);
    adapter.proxy.freeze();
    await expect(adapter.log.readLast(stream)).rejects.toThrow(StoreUnavailableError);
    expect(adapter.warnings).toEqual([]);
    await expect(adapter.log.readLast(stream)).rejects.toThrow(StoreUnavailableError);
    expect(adapter.warnings).toEqual([expect.stringContaining('connecting anew')]);
    expect(await readStream(adapter.log, stream)).toHaveLength(10);
  });

  it('closed in the middle of a read: the read throws, and never looks complete', async () => {
    await start({ readTimeoutMs: NEVER_MS });
    await adapter.log.append(`${stream}-long`, newEvents(256), 'no_stream');
    const read = async (): Promise<void> => {
      for await (const { revision } of adapter.log.readStream(`${stream}-long`, {
        fromRevision: 0,
      })) {
        if (revision === 0) await adapter.log.close();
      }
    };
    await expect(read()).rejects.toThrow(StoreUnavailableError);
    await expect(readStream(adapter.log, stream)).rejects.toThrow('closed');
  });

  it('an abort ends a read that hangs', async () => {
    await start({ readTimeoutMs: NEVER_MS });
    const hanging = adapter.server.faults.read({ kind: 'hangs' });
    const abort = new AbortController();
    const read = adapter.log.readAll({
      afterPosition: null,
      streamPrefixes: [stream],
      maxCount: 10,
      signal: abort.signal,
    });
    await hanging.whenHit();
    const reason = new Error('no longer wanted');
    abort.abort(reason);
    await expect(read).rejects.toBe(reason);
  });

  it('waits for its turn when too many run, and refuses when too many wait', async () => {
    await start({ readsInFlightMax: 2, readsWaitingMax: 2 });
    const hanging = adapter.server.faults.read({ kind: 'hangs' }, { times: 2 });
    const reads = Array.from({ length: 5 }, () => adapter.log.readLast(stream));
    await expect(reads[4]).rejects.toThrow('2 reads are waiting already');
    await hanging.whenHit(2);
    hanging.release();
    const revisions = await Promise.all(reads.slice(0, 4));
    expect(revisions.map((event) => event?.revision)).toEqual([9, 9, 9, 9]);
  });

  it('runs more reads at once than a server allows calls', async () => {
    const reads = Array.from({ length: 300 }, () => readStream(adapter.log, stream));
    expect(new Set((await Promise.all(reads)).map(({ length }) => length))).toEqual(new Set([10]));
  });

  describe('of events that are not ours', () => {
    let client: EventStoreDBClient;
    const foreign = `account-${randomUUID()}`;

    beforeEach(() => {
      client = EventStoreDBClient.connectionString(adapter.server.url);
    });
    afterEach(() => client.dispose());

    it('give what is not a JSON object, or not a map of strings, in a form that no decoder takes', async () => {
      await client.appendToStream(
        foreign,
        [
          binaryEvent({
            type: 'Bytes',
            data: Buffer.from([0, 255]),
            metadata: Buffer.from('not json'),
          }),
          { ...jsonEvent({ type: 'List', data: {} }), data: [1, 2] },
          jsonEvent({ type: 'NoMetadata', data: { points: 1 } }),
          jsonEvent({ type: 'Nested', data: { points: 1 }, metadata: { a: { b: 1 }, c: 'd' } }),
        ],
        { expectedRevision: 'no_stream' },
      );
      const events = await readStream(adapter.log, foreign);
      expect(events.map(({ type, data, metadata }) => ({ type, data, metadata }))).toEqual([
        {
          type: 'Bytes',
          data: { [UNREADABLE]: 'AP8=' },
          metadata: { [UNREADABLE]: Buffer.from('not json').toString('base64') },
        },
        { type: 'List', data: { [UNREADABLE]: [1, 2] }, metadata: {} },
        { type: 'NoMetadata', data: { points: 1 }, metadata: {} },
        {
          type: 'Nested',
          data: { points: 1 },
          metadata: { [UNREADABLE]: '{"a":{"b":1},"c":"d"}' },
        },
      ]);
    });

    it('throw for a stream that was deleted for good: it must not look empty', async () => {
      await client.tombstoneStream(stream);
      await expect(readStream(adapter.log, stream)).rejects.toThrow(/stream-deleted/);
      await expect(adapter.log.append(stream, newEvents(), 9)).rejects.toMatchObject({
        name: 'NotAppendedError',
        retryable: false,
      });
    });
  });
});
