import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SubscriptionEndedError } from './event-log.ts';
import type { LiveEvent } from './event-log.ts';
import { NEVER_MS, newEvents, startAdapter } from './testing/eventstoredb-adapter.ts';
import type { AdapterUnderTest } from './testing/eventstoredb-adapter.ts';

describe('subscription on EventStoreDB', () => {
  let adapter: AdapterUnderTest;
  let stream: string;

  async function start(...options: Parameters<typeof startAdapter>): Promise<void> {
    await adapter.stop();
    adapter = await startAdapter(...options);
    await adapter.log.append(stream, newEvents(3), 'no_stream');
  }

  /** Hands over each live event; ends when the callback answers false, throws when the subscription ends. */
  async function follow(
    onLive: (live: LiveEvent) => Promise<boolean> | boolean,
    afterPosition: bigint | null = null,
  ): Promise<void> {
    const { signal } = new AbortController();
    for await (const live of adapter.log.subscribeAll({
      afterPosition,
      streamPrefixes: [stream],
      signal,
    })) {
      if (!(await onLive(live))) return;
    }
    throw new Error('the subscription ended without a word');
  }

  beforeEach(async () => {
    stream = `account-${randomUUID()}`;
    adapter = await startAdapter();
    await adapter.log.append(stream, newEvents(3), 'no_stream');
  });
  afterEach(() => adapter.stop());

  it.each([
    ['ended by the server with OK', () => adapter.server.faults.endSubscriptions('ok')],
    ['cut as too slow', () => adapter.server.faults.endSubscriptions('too_slow')],
    ['ended as unavailable', () => adapter.server.faults.endSubscriptions('unavailable')],
    ['its connection is cut', () => adapter.server.faults.cutConnections()],
    ['the server goes down', () => void adapter.server.stop()],
    ['the log is closed', () => void adapter.log.close()],
  ])('says that it is over: %s', async (_name, end) => {
    const followed = follow((live) => {
      if (live.kind === 'caught_up') end();
      return true;
    });
    await expect(followed).rejects.toThrow(SubscriptionEndedError);
  });

  it('goes on after the last position it has seen, while all connections break again and again', async () => {
    const seen: number[] = [];
    let position: bigint | null = null;
    let ends = 0;
    const writing = (async () => {
      for (let revision = 2; revision < 199; revision += 1) {
        const events = newEvents();
        let appended = false;
        while (!appended) {
          appended = await adapter.log.append(stream, events, revision).then(
            () => true,
            () => false,
          );
        }
      }
    })();
    while (seen.length < 200) {
      try {
        await follow((live) => {
          if (live.kind === 'checkpoint') ({ position } = live);
          if (live.kind === 'event') {
            ({ position } = live.event);
            seen.push(live.event.revision);
            if (live.event.revision % 40 === 20) adapter.server.faults.cutConnections();
          }
          return seen.length < 200;
        }, position);
      } catch (error) {
        expect(error).toBeInstanceOf(SubscriptionEndedError);
        ends += 1;
      }
    }
    await writing;
    expect(seen).toEqual(Array.from({ length: 200 }, (_value, index) => index));
    expect(ends).toBeGreaterThanOrEqual(5);
  });

  it('gives an event that the server sends twice once', async () => {
    const seen: number[] = [];
    await follow(async (live) => {
      if (live.kind === 'event') seen.push(live.event.revision);
      if (live.kind === 'caught_up') {
        adapter.server.faults.delivery('sent_twice', { times: 2 });
        await adapter.log.append(stream, newEvents(3), 2);
      }
      return seen.length < 6;
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('holds a bounded number of events for a reader that stands still: the server notices, and cuts it', async () => {
    const seen: number[] = [];
    let revision = 2;
    let position: bigint | null = null;
    const followed = follow(async (live) => {
      if (live.kind === 'event') {
        seen.push(live.event.revision);
        ({ position } = live.event);
      }
      // The reader stands still here while far more is appended than all buffers on the way hold.
      if (live.kind === 'caught_up') {
        for (; revision < 10_242; revision += 256) {
          const events = newEvents(256).map((event) => ({
            ...event,
            data: { text: 'x'.repeat(1_000) },
          }));
          await adapter.log.append(stream, events, revision);
        }
      }
      return true;
    });
    await expect(followed).rejects.toThrow(/too slow/i);
    const before = seen.length;
    expect(before).toBeLessThan(revision);
    await follow((live) => {
      if (live.kind === 'event') seen.push(live.event.revision);
      return seen.length <= revision;
    }, position);
    expect(seen).toEqual(Array.from({ length: revision + 1 }, (_value, index) => index));
  });

  it('ends when the server does not confirm it in time', async () => {
    await start({ subscribeTimeoutMs: 200 });
    adapter.server.faults.read({ kind: 'hangs' });
    await expect(follow(() => true)).rejects.toThrow('not confirmed within 200 ms');
  });

  it('ends when its connection dies without a word (no FIN, no RST)', async () => {
    // The client warns about an interval this short on the console.
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    await start({}, '&keepAliveInterval=200&keepAliveTimeout=200');
    const followed = follow((live) => {
      if (live.kind === 'caught_up') adapter.proxy.freeze();
      return true;
    });
    await expect(followed).rejects.toThrow(SubscriptionEndedError);
    warn.mockRestore();
  });

  it('ends at once when the server is down', async () => {
    await start({ subscribeTimeoutMs: NEVER_MS });
    await adapter.server.stop();
    await expect(follow(() => true)).rejects.toThrow(SubscriptionEndedError);
  });

  it('ends when reads give its connection up', async () => {
    await start({ readTimeoutMs: 100, timeoutsBeforeRebuild: 1 });
    const followed = follow(async (live) => {
      if (live.kind === 'caught_up') {
        adapter.server.faults.read({ kind: 'hangs' });
        await expect(adapter.log.readLast(stream)).rejects.toThrow('nothing came');
      }
      return true;
    });
    await expect(followed).rejects.toThrow('the connection was given up');
  });

  it('is refused once the log is closed', async () => {
    await adapter.log.close();
    await expect(follow(() => true)).rejects.toThrow('closed');
  });
});
