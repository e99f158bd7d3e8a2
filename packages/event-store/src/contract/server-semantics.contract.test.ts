import { randomUUID } from 'node:crypto';
import { EventStoreDBClient } from '@eventstore/db-client';
import type { AppendExpectedRevision, EventData } from '@eventstore/db-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commitOf, event, external, failure, newStream, useRawClient } from './raw-client.ts';

/**
 * What the server itself does with appends, seen through the vendor's client and nothing of ours in between. What is
 * expected was measured on EventStoreDB 23.10.1 and KurrentDB 26.0.3, and is what the adapter and the stand-in rely on.
 */
const raw = useRawClient();
const { read, readOrNothing, newStreamWith } = raw;

describe.each(['batch', 'classic'] as const)('append, %s path', (path) => {
  // Credentials of the call, of whatever kind, are what sends the client down the classic path.
  const perCall =
    path === 'classic' ? { credentials: { username: 'admin', password: 'changeit' } } : {};
  const append = (stream: string, events: EventData[], expectedRevision: AppendExpectedRevision) =>
    raw.client.appendToStream(stream, events, { expectedRevision, ...perCall });

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
    await raw.client.setStreamMetadata(stream, { maxCount: 10 });
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
    await raw.client.setStreamMetadata(stream, { maxCount: 1 });
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
      `${raw.server.url}${raw.server.url.includes('?') ? '&' : '?'}throwOnAppendFailure=false`,
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
    await raw.client.tombstoneStream(stream);
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
      await raw.server.standIn?.restart();
      const exact = await untilConnected(() => append(stream, [one], 'no_stream'));
      expect(exact).toEqual(first);
      expect((await append(stream, [one], 'any')).nextExpectedRevision).toBe(1n);
      expect(await read(stream)).toHaveLength(2);
    },
  );
});

/** The first call after a restart may meet the old connection. */
async function untilConnected<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch {
    return work();
  }
}
