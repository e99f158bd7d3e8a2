import { expect, it } from 'vitest';
import type { EventToAppend } from '../event-log.ts';
import { NotAppendedError, OutcomeUnknownError } from '../event-log.ts';
import { isRising, newEvent, newEvents, readStream, revisions } from './event-log-context.ts';
import type { Context } from './event-log-context.ts';

export function describeAppend({ log, newStream }: Context): void {
  it('creates a stream, and what is read back is what was appended', async () => {
    const stream = newStream();
    const event = newEvent({
      text: '积分 \u{1f600} "\\',
      list: [1, -0.5, null, true],
      nested: { a: {} },
      absent: undefined,
    });
    const before = Date.now();
    const result = await log().append(stream, [event], 'no_stream');
    const [stored] = await readStream(log(), stream);
    expect(result).toEqual({ outcome: 'appended', position: stored?.position, revision: 0 });
    expect(stored).toEqual({
      ...event,
      data: JSON.parse(JSON.stringify(event.data)),
      metadata: expect.objectContaining(event.metadata),
      stream,
      revision: 0,
      position: expect.any(BigInt),
      createdMs: expect.any(Number),
    });
    // The store's clock need not be ours; hours apart would be a wrong unit.
    expect(Math.abs((stored?.createdMs ?? 0) - before)).toBeLessThan(24 * 3_600_000);
  });

  it('continues a stream at its exact revision', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(2), 'no_stream');
    expect(await log().append(stream, newEvents(1), 1)).toMatchObject({
      outcome: 'appended',
      revision: 2,
    });
    expect(await revisions(log(), stream)).toEqual([0, 1, 2]);
  });

  it.each([
    ['no_stream on a stream that exists', 'no_stream'],
    ['a revision that has passed', 0],
    ['a revision that has not come', 2],
  ] as const)('conflict: %s', async (_case, expected) => {
    const stream = newStream();
    await log().append(stream, newEvents(2), 'no_stream');
    expect(await log().append(stream, newEvents(1), expected)).toEqual({ outcome: 'conflict' });
    expect(await revisions(log(), stream)).toEqual([0, 1]);
  });

  it('conflict: a revision on a stream that does not exist', async () => {
    const stream = newStream();
    expect(await log().append(stream, newEvents(1), 0)).toEqual({ outcome: 'conflict' });
    expect(await revisions(log(), stream)).toEqual([]);
  });

  it('writes a group as a whole, in order, with rising positions, and tells the position of its last event', async () => {
    const stream = newStream();
    const events = newEvents(256);
    const result = await log().append(stream, events, 'no_stream');
    const stored = await readStream(log(), stream);
    expect(stored.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    expect(isRising(stored.map(({ position }) => position))).toBe(true);
    expect(result).toEqual({
      outcome: 'appended',
      position: stored.at(-1)?.position,
      revision: 255,
    });
  });

  it('writes nothing of a group that conflicts', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(1), 'no_stream');
    expect(await log().append(stream, newEvents(10), 'no_stream')).toEqual({ outcome: 'conflict' });
    expect(await revisions(log(), stream)).toEqual([0]);
  });

  it('lets exactly one of many writers create a stream', async () => {
    const stream = newStream();
    const results = await Promise.all(
      Array.from({ length: 20 }, () => log().append(stream, newEvents(2), 'no_stream')),
    );
    expect(results.filter(({ outcome }) => outcome === 'appended')).toHaveLength(1);
    expect(await revisions(log(), stream)).toEqual([0, 1]);
  });

  it('lets exactly one of many writers continue a stream', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(1), 'no_stream');
    const results = await Promise.all(
      Array.from({ length: 20 }, () => log().append(stream, newEvents(1), 0)),
    );
    expect(results.filter(({ outcome }) => outcome === 'appended')).toHaveLength(1);
    expect(await revisions(log(), stream)).toEqual([0, 1]);
  });

  it('keeps many streams apart while all of them grow at once', async () => {
    const streams = Array.from({ length: 50 }, () => newStream());
    await Promise.all(
      streams.map(async (stream) => {
        await log().append(stream, newEvents(1), 'no_stream');
        await log().append(stream, newEvents(2), 0);
      }),
    );
    expect(await Promise.all(streams.map((stream) => revisions(log(), stream)))).toEqual(
      streams.map(() => [0, 1, 2]),
    );
  });

  it.each([
    ['no events', [], 'no_stream'],
    ['too many events', newEvents(257), 'no_stream'],
    ['too many bytes', [newEvent({ text: 'x'.repeat(520 * 1024) })], 'no_stream'],
    ['an id that is not a UUID', [{ ...newEvent(), id: 'x' }], 'no_stream'],
    ['an empty type', [{ ...newEvent(), type: '' }], 'no_stream'],
    ['a negative revision', newEvents(1), -1],
    ['a revision that is not an integer', newEvents(1), 0.5],
  ] as const)('refuses %s without asking the server', async (_case, events, expected) => {
    const stream = newStream();
    const refusal = log().append(stream, events, expected);
    await expect(refusal).rejects.toThrow(NotAppendedError);
    await expect(refusal).rejects.toMatchObject({ retryable: false });
    expect(await revisions(log(), stream)).toEqual([]);
  });

  it('refuses an empty stream name', async () => {
    await expect(log().append('', newEvents(1), 'no_stream')).rejects.toMatchObject({
      retryable: false,
    });
  });

  it('takes an append of nearly the largest size', async () => {
    const stream = newStream();
    const events = Array.from({ length: 5 }, () => newEvent({ text: 'x'.repeat(100 * 1024) }));
    expect(await log().append(stream, events, 'no_stream')).toMatchObject({ outcome: 'appended' });
    expect(await readStream(log(), stream)).toHaveLength(5);
  });
}

export function describeIdempotentAppend({ log, newStream }: Context): void {
  it('answers an identical resend with the first outcome', async () => {
    const stream = newStream();
    const [first, second] = [newEvents(1), newEvents(1)];
    const created = await log().append(stream, first, 'no_stream');
    const continued = await log().append(stream, second, 0);
    await log().append(stream, newEvents(3), 1);
    expect(await log().append(stream, first, 'no_stream')).toEqual(created);
    expect(await log().append(stream, second, 0)).toEqual(continued);
    expect(await revisions(log(), stream)).toEqual([0, 1, 2, 3, 4]);
  });

  it('answers an identical resend of a group with the first outcome', async () => {
    const stream = newStream();
    const group = newEvents(3);
    const created = await log().append(stream, group, 'no_stream');
    expect(await log().append(stream, group, 'no_stream')).toEqual(created);
    expect(await revisions(log(), stream)).toEqual([0, 1, 2]);
  });

  it('writes one of many identical appends that arrive at once', async () => {
    const stream = newStream();
    const group = newEvents(2);
    const append = () => log().append(stream, group, 'no_stream');
    const results = await Promise.allSettled(Array.from({ length: 10 }, append));
    const first = await append();
    expect(first).toMatchObject({ outcome: 'appended', revision: 1 });
    for (const result of results) {
      // A server may leave a resend without an answer while the original is not yet safe.
      if (result.status === 'fulfilled') expect(result.value).toEqual(first);
      else expect(result.reason).toBeInstanceOf(OutcomeUnknownError);
    }
    expect(await revisions(log(), stream)).toEqual([0, 1]);
  });

  it('accepts a resend of the first part of a group', async () => {
    const stream = newStream();
    const group = newEvents(3);
    await log().append(stream, group, 'no_stream');
    expect(await log().append(stream, group.slice(0, 2), 'no_stream')).toMatchObject({
      outcome: 'appended',
      revision: 1,
    });
    expect(await revisions(log(), stream)).toEqual([0, 1, 2]);
  });

  it('accepts the same id with other data, and keeps the first (so ids must come from content)', async () => {
    const stream = newStream();
    const first = newEvent({ points: 1 });
    await log().append(stream, [first], 'no_stream');
    const other = { ...first, data: { points: 2 } };
    expect(await log().append(stream, [other], 'no_stream')).toMatchObject({
      outcome: 'appended',
      revision: 0,
    });
    expect((await readStream(log(), stream)).map(({ data }) => data)).toEqual([{ points: 1 }]);
  });

  it.each([
    ['a known event and a new one', ([a]: Group) => [a, newEvent()]],
    ['the group and one more', (group: Group) => [...group, newEvent()]],
    ['the group in another order', ([a, b]: Group) => [b, a]],
    ['the second event of the group alone', ([, b]: Group) => [b]],
  ])('conflict: a resend at the old revision of %s', async (_case, resend) => {
    const stream = newStream();
    const group: Group = [newEvent(), newEvent()];
    await log().append(stream, group, 'no_stream');
    expect(await log().append(stream, resend(group), 'no_stream')).toEqual({ outcome: 'conflict' });
    expect(await revisions(log(), stream)).toEqual([0, 1]);
  });

  it('stores the same id again at the next revision (so a resend must keep its revision)', async () => {
    const stream = newStream();
    const event = newEvent();
    await log().append(stream, [event], 'no_stream');
    expect(await log().append(stream, [event], 0)).toMatchObject({
      outcome: 'appended',
      revision: 1,
    });
    expect((await readStream(log(), stream)).map(({ id }) => id)).toEqual([event.id, event.id]);
  });
}

type Group = [EventToAppend, EventToAppend];
