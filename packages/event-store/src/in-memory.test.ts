import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  NotAppendedError,
  OutcomeUnknownError,
  StoreUnavailableError,
  SubscriptionEndedError,
} from './event-log.ts';
import type { EventToAppend } from './event-log.ts';
import { createInMemoryEventLog } from './in-memory.ts';
import type { InMemoryEventLog } from './in-memory.ts';

/** What it shares with the real store is in `contract/`; here is what only it can do: trouble on demand. */
describe('in-memory event log', () => {
  const newEvent = (): EventToAppend => ({
    id: randomUUID(),
    type: 'A',
    data: { n: 1 },
    metadata: {},
  });
  const append = (log: InMemoryEventLog, event = newEvent()) =>
    log.append('s-1', [event], 'no_stream');
  const count = async (log: InMemoryEventLog): Promise<number> => {
    const page = await log.readAll({ afterPosition: null, streamPrefixes: ['s-'], maxCount: 100 });
    return page.events.length;
  };

  it.each([
    ['not_appended', NotAppendedError, 0],
    ['unknown_not_written', OutcomeUnknownError, 0],
    ['unknown_written', OutcomeUnknownError, 1],
    ['unknown_written_late', OutcomeUnknownError, 0],
  ] as const)('fails the next append only: %s', async (failure, errorClass, written) => {
    const log = createInMemoryEventLog();
    log.faults.failNextAppend(failure);
    const event = newEvent();
    await expect(append(log, event)).rejects.toThrow(errorClass);
    expect(await count(log)).toBe(written);
    expect(await append(log, event)).toMatchObject({ outcome: 'appended', revision: 0 });
    expect(await count(log)).toBe(1);
  });

  it('delivers a late append when told to, unless the stream has moved on', async () => {
    const log = createInMemoryEventLog();
    log.faults.failNextAppend('unknown_written_late');
    await append(log).catch(() => undefined);
    log.faults.deliverLateAppends();
    expect(await count(log)).toBe(1);

    const other = createInMemoryEventLog();
    other.faults.failNextAppend('unknown_written_late');
    await append(other).catch(() => undefined);
    await append(other);
    other.faults.deliverLateAppends();
    expect(await count(other)).toBe(1);
  });

  it('holds appends until released', async () => {
    const log = createInMemoryEventLog();
    const release = log.faults.holdAppends();
    const held = append(log);
    expect(await count(log)).toBe(0);
    release();
    expect(await held).toMatchObject({ outcome: 'appended' });
  });

  it('refuses everything while down, and goes on afterwards', async () => {
    const log = createInMemoryEventLog();
    const subscription = log
      .subscribeAll({
        afterPosition: null,
        streamPrefixes: ['s-'],
        signal: new AbortController().signal,
      })
      [Symbol.asyncIterator]();
    expect(await subscription.next()).toEqual({ done: false, value: { kind: 'caught_up' } });
    const next = subscription.next().catch((error: unknown) => error);
    log.faults.setDown(true);
    expect(await next).toBeInstanceOf(SubscriptionEndedError);
    await expect(append(log)).rejects.toMatchObject({ name: 'NotAppendedError', retryable: true });
    await expect(log.readLast('s-1')).rejects.toThrow(StoreUnavailableError);
    await expect(log.readLastPosition()).rejects.toThrow(StoreUnavailableError);
    await expect(count(log)).rejects.toThrow(StoreUnavailableError);
    log.faults.setDown(false);
    expect(await append(log)).toMatchObject({ outcome: 'appended' });
  });

  it('stamps events with the clock it was given', async () => {
    const log = createInMemoryEventLog({ now: () => 1_700_000_000_000 });
    await append(log);
    expect((await log.readLast('s-1'))?.createdMs).toBe(1_700_000_000_000);
  });

  it('keeps what was appended, whatever the caller does to its objects later', async () => {
    const log = createInMemoryEventLog();
    const data = { n: 1 };
    await append(log, { ...newEvent(), data });
    data.n = 2;
    expect((await log.readLast('s-1'))?.data).toEqual({ n: 1 });
  });

  it('is closed for good', async () => {
    const log = createInMemoryEventLog();
    await log.close();
    await expect(append(log)).rejects.toMatchObject({ name: 'NotAppendedError', retryable: false });
    await expect(log.readLast('s-1')).rejects.toThrow('closed');
  });
});
