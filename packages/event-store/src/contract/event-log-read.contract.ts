import { expect, it } from 'vitest';
import { isRising, newEvents, readAllAfter, readStream, revisions } from './event-log-context.ts';
import type { Context } from './event-log-context.ts';

export function describeReadStream({ log, newStream }: Context): void {
  it('gives nothing for a stream that does not exist', async () => {
    expect(await readStream(log(), newStream())).toEqual([]);
    expect(await log().readLast(newStream())).toBeNull();
  });

  it('starts at the given revision and stops after maxCount', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(10), 'no_stream');
    expect(await revisions(log(), stream, 7)).toEqual([7, 8, 9]);
    expect(await revisions(log(), stream, 10)).toEqual([]);
    expect(await revisions(log(), stream, 100)).toEqual([]);
    expect(await revisions(log(), stream, 2, 3)).toEqual([2, 3, 4]);
  });

  it('pages through a long stream without loss', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(256), 'no_stream');
    await log().append(stream, newEvents(256), 255);
    const seen: number[] = [];
    for (;;) {
      const page = await revisions(log(), stream, seen.length, 100);
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(seen).toEqual(Array.from({ length: 512 }, (_value, index) => index));
  });

  it('may be left early, often', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(256), 'no_stream');
    // More often than a connection has room for calls: a read that goes on at the server would show.
    for (let round = 0; round < 150; round += 1) {
      for await (const event of log().readStream(stream, { fromRevision: 0 })) {
        expect(event.revision).toBe(0);
        break;
      }
    }
    expect(await revisions(log(), stream, 250)).toHaveLength(6);
  });

  it('sees an append at once', async () => {
    const stream = newStream();
    for (let revision = 0; revision < 20; revision += 1) {
      await log().append(stream, newEvents(1), revision === 0 ? 'no_stream' : revision - 1);
      expect((await log().readLast(stream))?.revision).toBe(revision);
    }
  });

  it('throws the reason of a signal that aborts it', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(256), 'no_stream');
    const abort = new AbortController();
    const reason = new Error('no longer wanted');
    const read = async (): Promise<void> => {
      for await (const event of log().readStream(stream, {
        fromRevision: 0,
        signal: abort.signal,
      })) {
        if (event.revision === 3) abort.abort(reason);
      }
    };
    await expect(read()).rejects.toBe(reason);
  });

  it.each([-1, 0.5, Number.NaN])('refuses fromRevision %s', async (fromRevision) => {
    await expect(revisions(log(), newStream(), fromRevision)).rejects.toThrow(RangeError);
  });

  it.each([0, -1, 0.5, Number.NaN])('refuses maxCount %s', async (maxCount) => {
    await expect(revisions(log(), newStream(), 0, maxCount)).rejects.toThrow(RangeError);
  });
}

export function describeReadAll({ log, newStream, endOfLog, prefix }: Context): void {
  it.each([1, 2, 100])(
    'gives the events of all matching streams in the order of the log, each once, in pages of %s',
    async (pageSize) => {
      const [a, b] = [newStream('all-'), newStream('all-')];
      const start = await endOfLog();
      await log().append(a, newEvents(3), 'no_stream');
      await log().append(b, newEvents(2), 'no_stream');
      await log().append(a, newEvents(2), 2);
      const seen = await readAllAfter(log(), start, [a, b], pageSize);
      expect(seen.map(({ stream, revision }) => [stream, revision])).toEqual([
        ...[0, 1, 2].map((revision) => [a, revision]),
        ...[0, 1].map((revision) => [b, revision]),
        ...[3, 4].map((revision) => [a, revision]),
      ]);
      expect(isRising(seen.map(({ position }) => position))).toBe(true);
      expect(seen).toEqual(expect.arrayContaining(await readStream(log(), b)));
    },
  );

  it('goes on exclusively after any position, and never gives a stream that does not match', async () => {
    const [wanted, other] = [newStream('w-'), newStream('o-')];
    const start = await endOfLog();
    await log().append(wanted, newEvents(3), 'no_stream');
    await log().append(other, newEvents(3), 'no_stream');
    const [first, ...rest] = await readAllAfter(log(), start, [wanted], 100);
    expect(rest).toHaveLength(2);
    expect(await readAllAfter(log(), first?.position ?? null, [wanted], 100)).toEqual(rest);
  });

  it('tells how far it has looked when nothing matched, and that the end was reached', async () => {
    const start = await endOfLog();
    const other = newStream('unmatched-');
    await log().append(other, newEvents(3), 'no_stream');
    const last = await log().readLast(other);
    const page = await log().readAll({
      afterPosition: start,
      streamPrefixes: [`${prefix}none`],
      maxCount: 1000,
    });
    expect(page).toEqual({ events: [], position: expect.any(BigInt), end: true });
    expect(page.position ?? 0n).toBeGreaterThanOrEqual(last?.position ?? 0n);
  });

  it('looks at no more than maxCount events, and says when the end is not reached', async () => {
    const start = await endOfLog();
    await log().append(newStream('unmatched-'), newEvents(9), 'no_stream');
    const page = await log().readAll({
      afterPosition: start,
      streamPrefixes: [`${prefix}none`],
      maxCount: 4,
    });
    expect(page).toMatchObject({ events: [], end: false });
    expect(page.position ?? 0n).toBeGreaterThan(start ?? 0n);
  });

  it('keeps its position at the end of the log', async () => {
    await log().append(newStream(), newEvents(1), 'no_stream');
    const end = await endOfLog();
    const page = await log().readAll({
      afterPosition: end,
      streamPrefixes: [prefix],
      maxCount: 10,
    });
    expect(page).toEqual({ events: [], position: end, end: true });
  });

  it('gives nothing after a position beyond the end of the log', async () => {
    const afterPosition = ((await endOfLog()) ?? 0n) + 1_000_000_000n;
    const page = await log().readAll({ afterPosition, streamPrefixes: [prefix], maxCount: 10 });
    expect(page).toEqual({ events: [], position: afterPosition, end: true });
  });

  it.each([[[]], [['']], [['a-', '']]])('refuses the prefixes %j', async (streamPrefixes) => {
    await expect(
      log().readAll({ afterPosition: null, streamPrefixes, maxCount: 1 }),
    ).rejects.toThrow(RangeError);
  });

  it('throws the reason of a signal that has fired', async () => {
    const reason = new Error('no longer wanted');
    const read = log().readAll({
      afterPosition: null,
      streamPrefixes: [prefix],
      maxCount: 10,
      signal: AbortSignal.abort(reason),
    });
    await expect(read).rejects.toBe(reason);
  });
}

export function describeReadLastPosition({ log, newStream, endOfLog, prefix }: Context): void {
  it('is where an append has just ended, whatever the stream', async () => {
    for (const [count, stream] of [
      [1, newStream()],
      [40, newStream('other-')],
    ] as const) {
      const appended = await log().append(stream, newEvents(count), 'no_stream');
      if (appended.outcome !== 'appended') throw new Error('a new stream conflicts');
      const position = (await log().readLastPosition()) ?? 0n;
      expect(position).toBeGreaterThanOrEqual(appended.position ?? 0n);
      // A server in use may have appended something of its own since.
      expect(position).toBeLessThanOrEqual((await endOfLog()) ?? 0n);
    }
  });

  it('bounds a log that grows: what is appended later lies behind it', async () => {
    const stream = newStream();
    const start = await endOfLog();
    await log().append(stream, newEvents(3), 'no_stream');
    const pin = (await log().readLastPosition()) ?? 0n;
    await log().append(stream, newEvents(2), 2);
    const events = await readAllAfter(log(), start, [prefix], 100);
    const before = events.filter(({ position }) => position <= pin);
    expect(before.map(({ revision }) => revision)).toEqual([0, 1, 2]);
  });
}
