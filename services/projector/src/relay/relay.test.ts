import { decodeStoredEvent } from '@points/contracts/stored-events';
import { factOf } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { recharge } from '@points/domain/testing/book';
import { StoreUnavailableError } from '@points/event-store/event-log';
import type { ReadAllOptions } from '@points/event-store/event-log';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { beforeEach, describe, expect, it } from 'vitest';
import { OtherLogError } from '../checkpoint.ts';
import { createLedgerWriter } from '../testing/ledger-writer.ts';
import { createRandom, randomStep } from '../testing/random-history.ts';
import { FactStreamError } from './fact-stream.ts';
import type { FactStream } from './fact-stream.ts';
import type { Mark } from './place.ts';
import { relayToEnd, StreamMovedError } from './relay.ts';
import { createInMemoryFactStream } from './testing/in-memory-fact-stream.ts';

const PROPERTY_TIMEOUT_MS = 60_000;

let world: ReturnType<typeof createWorld>;

beforeEach(() => {
  world = createWorld(7);
});

/** A log with accounts that live at random, a stream of facts, and a mark, all in memory. */
function createWorld(seed: number) {
  const random = createRandom(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const stream = createInMemoryFactStream();
  const state = {
    eventLog: createInMemoryEventLog(),
    mark: null as Mark | null,
    reads: [] as ReadAllOptions[],
  };
  let writer = createLedgerWriter(state.eventLog);
  let models = 0;
  const marks = {
    read: async () => state.mark,
    write: async (mark: Mark) => {
      state.mark = mark;
    },
  };
  return {
    ...{ random, upTo, stream, state },
    replaceLog() {
      state.eventLog = createInMemoryEventLog();
      writer = createLedgerWriter(state.eventLog);
    },
    raw: (type: string, account = 'raw') => writer.raw(`account-${account}`, type, { points: 1 }),
    /** Events of accounts, with some of the catalog between them. */
    async live(steps: number) {
      for (let step = 0; step < steps; step += 1) {
        for (const id of ['a', 'b', 'c']) randomStep(writer.book(id), random);
        if (step === 0) recharge(writer.book('a'), 1);
        await writer.flush();
        models += 1;
        await writer.model({ type: 'ModelEnabled', data: { model_id: `m${models}` } });
      }
    },
    async expected(): Promise<Fact[]> {
      const { events } = await state.eventLog.readAll({
        afterPosition: null,
        streamPrefixes: LEDGER_STREAM_PREFIXES,
        maxCount: 100_000,
      });
      return events.flatMap((event) => factOf(event) ?? []);
    },
    relay(options: { batchEvents?: number; markEveryFacts?: number; stream?: FactStream } = {}) {
      const { eventLog } = state;
      return relayToEnd({
        eventLog: {
          ...eventLog,
          readAll(read) {
            state.reads.push(read);
            return eventLog.readAll(read);
          },
        },
        stream,
        marks,
        signal: new AbortController().signal,
        batchEvents: 5,
        markEveryFacts: 10,
        ...options,
      });
    },
    /** What the stream holds is the end of a first part of the log, and its last number counts that part. */
    async check() {
      const all = await this.expected();
      const facts = stream.facts();
      const end = stream.sequence();
      expect(facts).toEqual(all.slice(end - facts.length, end));
      return { all, published: end };
    },
  };
}

describe('relayToEnd', () => {
  it('publishes the events of all accounts in log order, once, and nothing else', async () => {
    await world.live(20);
    const count = await world.relay();
    const { all } = await world.check();
    expect(world.stream.facts()).toEqual(all);
    expect(count).toBe(all.length);
    expect(await world.relay()).toBe(0);
    await world.live(3);
    await world.relay();
    expect(world.stream.facts()).toEqual(await world.expected());
  });

  it('publishes what a reader can decode like the stored event', async () => {
    await world.live(3);
    await world.relay();
    for (const fact of world.stream.facts()) {
      expect(decodeStoredEvent(fact)).toMatchObject({
        category: 'account',
        accountId: fact.account_id,
        event: { type: fact.type },
      });
    }
  });

  it.each([
    { kind: 'cut', kept: 0 },
    { kind: 'cut', kept: 2 },
    { kind: 'cut', kept: 5 },
    { kind: 'late', kept: 2 },
  ] as const)('goes on after $kind with $kept of 5 kept', async (failure) => {
    await world.live(10);
    world.stream.faults.failNextPublish(failure);
    await expect(world.relay()).rejects.toThrow(FactStreamError);
    await world.check();
    const again = world.relay();
    world.stream.faults.deliverLate();
    await again;
    expect(world.stream.facts()).toEqual(await world.expected());
  });

  it('stops when another relay has gone further, and finds its place anew', async () => {
    await world.live(10);
    world.stream.faults.failNextPublish({ kind: 'late', kept: 1 });
    await expect(world.relay()).rejects.toThrow(FactStreamError);
    // The window of duplicates is over, so only the sequence is left to tell.
    const stale = world.relay({
      stream: {
        ...world.stream,
        async last() {
          const end = await world.stream.last();
          world.stream.faults.deliverLate();
          world.stream.faults.forgetIds();
          return end;
        },
      },
    });
    await expect(stale).rejects.toThrow(StreamMovedError);
    await world.check();
    await world.relay();
    expect(world.stream.facts()).toEqual(await world.expected());
  });

  it('publishes again what a power failure took from the stream', async () => {
    await world.live(20);
    await world.relay();
    const all = await world.expected();
    world.stream.faults.losePower(3);
    expect(await world.relay()).toBe(3);
    expect(world.stream.facts()).toEqual(all);
    world.stream.faults.losePower(all.length);
    expect(await world.relay()).toBe(all.length);
    expect(world.stream.facts()).toEqual(all);
  });
});

describe('a stream that is empty because its facts were too old', () => {
  /** How many facts the reads were about that found the place. */
  const relayAfterExpiry = async () => {
    const before = world.stream.sequence();
    world.stream.faults.expire();
    world.state.reads = [];
    await world.live(1);
    await world.relay();
    const { all } = await world.check();
    expect(world.stream.facts()).toEqual(all.slice(before));
    const [first] = world.state.reads;
    return (
      before - all.filter((fact) => BigInt(fact.position) <= (first?.afterPosition ?? 0n)).length
    );
  };

  it('is continued by counting from the mark', async () => {
    await world.live(20);
    await world.relay();
    expect(world.state.mark).not.toBeNull();
    expect(await relayAfterExpiry()).toBeLessThan(10 + 5);
  });

  it('is continued by counting from the start when the mark is lost', async () => {
    await world.live(20);
    await world.relay();
    const published = world.stream.sequence();
    world.state.mark = null;
    expect(await relayAfterExpiry()).toBe(published);
  });

  it('is continued by counting from the start when the mark is from later', async () => {
    await world.live(20);
    await world.relay();
    const late = world.state.mark;
    world.stream.faults.losePower(world.stream.sequence() - 5);
    world.state.mark = late;
    expect(await relayAfterExpiry()).toBe(5);
  });

  it('is not continued from a log that has fewer events than facts', async () => {
    await world.live(20);
    await world.relay();
    world.stream.faults.expire();
    world.state.mark = null;
    world.replaceLog();
    await world.live(1);
    await expect(world.relay()).rejects.toThrow(
      /different or restored event store: it holds \d+ events of accounts, but \d+ facts/,
    );
    expect(world.stream.facts()).toEqual([]);
  });

  it('is not continued from a log that does not hold the mark', async () => {
    await world.live(20);
    await world.relay();
    world.stream.faults.expire();
    world.replaceLog();
    await world.live(40);
    await expect(world.relay()).rejects.toThrow(OtherLogError);
    expect(world.stream.facts()).toEqual([]);
  });
});

describe('never publishes nonsense', () => {
  it('stops before a log that does not hold the last fact', async () => {
    await world.live(5);
    await world.relay();
    const facts = world.stream.facts();
    world.replaceLog();
    await world.live(10);
    await expect(world.relay()).rejects.toThrow(
      /different or restored event store: it does not hold event \d+ of account-. at position \d+, which the last fact/,
    );
    expect(world.stream.facts()).toEqual(facts);
  });

  it('stops at an event that cannot be a fact; what is before it is published', async () => {
    await world.live(2);
    const before = await world.expected();
    await world.raw('Points.Teleported');
    await expect(world.relay({ batchEvents: 100 })).rejects.toThrow(
      /event 0 of account-raw \(Points\.Teleported, position \d+\) cannot be published: type must be/,
    );
    expect(world.stream.facts()).toEqual(before);
  });

  it('publishes an event of a newer version, which it need not understand', async () => {
    await world.raw('PointsTeleported');
    await world.relay();
    expect(world.stream.facts()).toMatchObject([{ type: 'PointsTeleported', account_id: 'raw' }]);
  });
});

it(
  'holds under any faults: after every step a first part of the log, in the end all of it',
  { timeout: PROPERTY_TIMEOUT_MS },
  async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      world = createWorld(seed);
      const { faults } = world.stream;
      const actions: (() => void | Promise<void>)[] = [
        () => world.live(1 + world.upTo(4)),
        () => faults.failNextPublish({ kind: 'cut', kept: world.upTo(6) }),
        () => faults.failNextPublish({ kind: 'late', kept: world.upTo(6) }),
        () => faults.deliverLate(),
        () => faults.forgetIds(),
        () => faults.expire(world.upTo(20)),
        () => faults.expire(),
        () => faults.losePower(world.upTo(4)),
        () => {
          world.state.mark = null;
        },
        async () => {
          faults.setDown(true);
          await tryRelay(1);
          faults.setDown(false);
        },
        async () => {
          world.state.eventLog.faults.setDown(true);
          await tryRelay(1);
          world.state.eventLog.faults.setDown(false);
        },
        () => tryRelay(1),
        () => tryRelay(2),
        () => tryRelay(3),
      ];
      for (let step = 0; step < 60; step += 1) {
        await actions[world.upTo(actions.length)]?.();
        const { published, all } = await world.check();
        expect(published, `seed ${seed} step ${step}`).toBeLessThanOrEqual(all.length);
      }
      // Failures that nobody has met yet are met now.
      for (let left = 0; left < 60; left += 1) await tryRelay(1);
      const { published, all } = await world.check();
      expect(published, `seed ${seed}`).toBe(all.length);
    }
  },
);

/** That many relays at the same time, each until it fails or is done. */
async function tryRelay(relays: number): Promise<void> {
  const runs = Array.from({ length: relays }, () =>
    world.relay({ batchEvents: 1 + world.upTo(7), markEveryFacts: 1 + world.upTo(20) }),
  );
  for (const run of await Promise.allSettled(runs)) {
    if (run.status === 'fulfilled') continue;
    const error: unknown = run.reason;
    const expected =
      error instanceof FactStreamError ||
      error instanceof StreamMovedError ||
      error instanceof StoreUnavailableError;
    if (!expected) throw error;
  }
}
