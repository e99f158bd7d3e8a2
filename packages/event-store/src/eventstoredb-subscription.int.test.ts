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

  /** Appends that many times 256 events of more than 1 KB to the stream of three; gives the bytes of all of them. */
  async function appendLong(appends: number): Promise<number> {
    for (let index = 0; index < appends; index += 1) {
      const events = newEvents(256).map((event) => ({
        ...event,
        data: { text: 'x'.repeat(1_000) },
      }));
      await adapter.log.append(stream, events, 2 + index * 256);
    }
    return appends * 256 * 1_000;
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

  it('takes no more from the server than a reader that stands still has room for', async () => {
    const bytesInAll = await appendLong(20);
    let seen = 0;
    await follow(async (live) => {
      if (live.kind !== 'event') return true;
      if (seen === 0) {
        const taken = await settled(adapter.proxy.bytesToClients);
        expect(taken).toBeLessThan(bytesInAll / 4);
      }
      seen += 1;
      return seen < 3 + 20 * 256;
    });
    expect(seen).toBe(3 + 20 * 256);
  });

  it('that is too slow for a server that cuts slow readers goes on after the cut without loss', async () => {
    const seen: number[] = [];
    let position: bigint | null = null;
    const followed = follow(async (live) => {
      if (live.kind === 'event') {
        seen.push(live.event.revision);
        ({ position } = live.event);
      }
      // Far more comes here, all at once, than the server keeps for a live reader.
      if (live.kind === 'caught_up') await appendLong(10);
      return true;
    });
    await expect(followed).rejects.toThrow(/too slow/i);
    await follow((live) => {
      if (live.kind === 'event') seen.push(live.event.revision);
      return seen.length < 3 + 10 * 256;
    }, position);
    expect(seen).toEqual(Array.from({ length: 3 + 10 * 256 }, (_value, index) => index));
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

/** The value once it has stopped growing; nothing tells when a server has stopped sending, so this has to look. */
async function settled(value: () => number): Promise<number> {
  let last = -1;
  let unchanged = 0;
  for (let look = 0; look < 500 && unchanged < 20; look += 1) {
    unchanged = value() === last ? unchanged + 1 : 0;
    last = value();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return last;
}
