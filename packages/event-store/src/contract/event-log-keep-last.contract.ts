import { expect, it } from 'vitest';
import { NotAppendedError } from '../event-log.ts';
import { newEvent, newEvents, readAllAfter, revisions } from './event-log-context.ts';
import type { Context } from './event-log-context.ts';

export function describeKeepLastOnly({ log, newStream, endOfLog }: Context): void {
  it('shows the last event only, at its true revision, while the stream goes on at exact revisions', async () => {
    const stream = newStream();
    await log().keepLastOnly(stream);
    expect(await log().readLast(stream)).toBeNull();
    expect(await revisions(log(), stream)).toEqual([]);
    const events = newEvents(3);
    for (const [index, event] of events.entries()) {
      const expected = index === 0 ? 'no_stream' : index - 1;
      expect(await log().append(stream, [event], expected)).toMatchObject({
        outcome: 'appended',
        revision: index,
      });
      expect(await revisions(log(), stream)).toEqual([index]);
      expect(await revisions(log(), stream, index)).toEqual([index]);
      expect(await revisions(log(), stream, 0, 1)).toEqual([index]);
      expect(await revisions(log(), stream, index + 1)).toEqual([]);
      expect((await log().readLast(stream))?.id).toBe(event.id);
    }
    expect(await log().append(stream, newEvents(1), 'no_stream')).toEqual({ outcome: 'conflict' });
    expect(await log().append(stream, newEvents(1), 1)).toEqual({ outcome: 'conflict' });
  });

  it('takes effect at once on a stream that has events', async () => {
    const stream = newStream();
    await log().append(stream, newEvents(5), 'no_stream');
    await log().keepLastOnly(stream);
    expect(await revisions(log(), stream)).toEqual([4]);
  });

  it('adds nothing to what readers of the whole log see of the stream', async () => {
    const stream = newStream();
    const start = await endOfLog();
    await log().keepLastOnly(stream);
    await log().append(stream, newEvents(1), 'no_stream');
    const last = newEvent();
    await log().append(stream, [last], 0);
    const seen = await readAllAfter(log(), start, [stream], 100);
    expect(seen.every((event) => event.stream === stream)).toBe(true);
    expect(seen.at(-1)?.id).toBe(last.id);
  });

  it('may be asked again, also by many at once', async () => {
    const stream = newStream();
    await Promise.all(Array.from({ length: 10 }, () => log().keepLastOnly(stream)));
    await log().append(stream, newEvents(3), 'no_stream');
    await log().keepLastOnly(stream);
    expect(await revisions(log(), stream)).toEqual([2]);
  });

  it('leaves other streams alone, also the one whose name is longer', async () => {
    const stream = newStream();
    await log().append(`${stream}-more`, newEvents(2), 'no_stream');
    await log().keepLastOnly(stream);
    expect(await revisions(log(), `${stream}-more`)).toEqual([0, 1]);
  });

  it('answers the resend of an event that is hidden by now without a position', async () => {
    const stream = newStream();
    await log().keepLastOnly(stream);
    const first = newEvents(1);
    await log().append(stream, first, 'no_stream');
    await log().append(stream, newEvents(1), 0);
    expect(await log().append(stream, first, 'no_stream')).toEqual({
      outcome: 'appended',
      position: null,
      revision: 0,
    });
    expect(await revisions(log(), stream)).toEqual([1]);
  });

  it('refuses an empty stream name', async () => {
    await expect(log().keepLastOnly('')).rejects.toThrow(NotAppendedError);
  });
}
