import { randomUUID } from 'node:crypto';
import type { EventLog, EventToAppend, StoredEvent } from '../event-log.ts';
import { GENESIS_HASH, chainEvents } from '../hash-chain.ts';
import type { LaneFold } from '../lane-head.ts';
import { type SnapshotNotice } from '../lane-snapshots.ts';
import { type Lanes, createLanes } from '../lanes.ts';

/** The smallest state worth a snapshot: a sum over numbers. */
export interface Tally {
  readonly sum: number;
  readonly count: number;
}

export const SNAPSHOT_PREFIX = 'tallySnapshot-';

export const TALLIES: LaneFold<Tally> = {
  initial: () => ({ sum: 0, count: 0 }),
  fold: ({ sum, count }, event) => ({ sum: sum + Number(event.data['n']), count: count + 1 }),
  snapshots: {
    stream: (stream) => SNAPSHOT_PREFIX + stream.slice('tally-'.length),
    version: '1',
    encode: ({ sum, count }) => ({ sum, count }),
    decode({ sum, count }) {
      if (typeof sum !== 'number' || typeof count !== 'number') throw new TypeError('no tally');
      return { sum, count };
    },
  },
};

export interface TallyReplica {
  readonly lanes: Lanes<Tally>;
  readonly notices: SnapshotNotice[];
  /** Adds the numbers one after another, as one command. */
  add(stream: string, ...numbers: number[]): Promise<Tally>;
  ask(stream: string): Promise<Tally>;
  /** Resolves when so many notices of that outcome have come. */
  heard(outcome: SnapshotNotice['outcome'], times?: number): Promise<void>;
}

/** A process of its own on that log. */
export function startReplica(log: EventLog, fold: LaneFold<Tally> = TALLIES): TallyReplica {
  const notices: SnapshotNotice[] = [];
  const listeners = new Set<() => void>();
  const lanes = createLanes<Tally>({
    log,
    fold,
    singleWriter: false,
    onFatal: (error) => {
      throw error;
    },
    onSnapshot(notice) {
      notices.push(notice);
      for (const listener of listeners) listener();
    },
  });
  return {
    lanes,
    notices,
    add(stream, ...numbers) {
      // Two commands that say the same are not the same command.
      const metadata = { command_id: randomUUID() };
      return lanes.submit(stream, 'add', (tally) => {
        const state = numbers.reduce(
          ({ sum, count }, n) => ({ sum: sum + n, count: count + 1 }),
          tally,
        );
        const drafts = numbers.map((n) => ({ type: 'Added', data: { n }, metadata }));
        return { kind: 'append', drafts, state, answer: () => state };
      });
    },
    ask: (stream) =>
      lanes.submit(stream, 'ask', (tally) => ({
        kind: 'answer',
        needsTail: true,
        answer: () => tally,
      })),
    heard: (outcome, times = 1) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (notices.filter((notice) => notice.outcome === outcome).length < times) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Appends chained events 1, 2, 3, …, without a lane. */
export async function writeTally(log: EventLog, stream: string, count: number): Promise<void> {
  let hash = GENESIS_HASH;
  for (let from = 0; from < count; from += 256) {
    const drafts = Array.from({ length: Math.min(256, count - from) }, (_, index) => ({
      type: 'Added',
      data: { n: from + index + 1 },
      metadata: {},
    }));
    const events: EventToAppend[] = chainEvents(stream, from, hash, drafts);
    await log.append(stream, events, from === 0 ? 'no_stream' : from - 1);
    hash = events.at(-1)?.metadata['hash'] ?? '';
  }
}

export async function eventsOf(log: EventLog, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.readStream(stream, { fromRevision: 0 })) events.push(event);
  return events;
}

export interface CountedLog extends EventLog {
  /** Events handed to readers, of all streams. */
  eventsRead(): number;
  /** Reads begun, by stream. */
  reads(stream: string): number;
}

export function countReads(log: EventLog): CountedLog {
  let read = 0;
  const begun = new Map<string, number>();
  const begin = (stream: string): unknown => begun.set(stream, (begun.get(stream) ?? 0) + 1);
  return {
    ...log,
    async *readStream(stream, options) {
      begin(stream);
      for await (const event of log.readStream(stream, options)) {
        read += 1;
        yield event;
      }
    },
    async readLast(stream) {
      begin(stream);
      const event = await log.readLast(stream);
      if (event !== null) read += 1;
      return event;
    },
    eventsRead: () => read,
    reads: (stream) => begun.get(stream) ?? 0,
  };
}
