import type {
  AppendResult,
  EventLog,
  EventToAppend,
  ExpectedRevision,
  StoredEvent,
} from '@points/event-store/event-log';
import {
  NotAppendedError,
  OutcomeUnknownError,
  StoreUnavailableError,
} from '@points/event-store/event-log';
import { type EventDraft, GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import type { Faults } from './faults.ts';
import type { Process } from './process.ts';
import type { Scheduler } from './scheduler.ts';

/** The event store and the network around it. */
export interface Store {
  /** The log as one process reaches it. */
  connect(process: Process): EventLog;
  /** All that was written since the last call, in log order. */
  news(): Promise<readonly StoredEvent[]>;
  /** Appends one event at once, whatever goes wrong for others. */
  write(stream: string, draft: EventDraft): Promise<void>;
  /** One look at what may go wrong with the store itself. */
  trouble(): void;
  /** Ends all trouble; what is still on its way arrives. */
  heal(): void;
}

const TROUBLE_MAX_MS = 2_500;
/** Longer than a caller's patience with an append, see APPEND_PATIENCE_MS. */
const LATE_MIN_MS = 1_000;
const LATE_MAX_MS = 6_000;
const PAGE_EVENTS = 10_000;
const SNAPSHOT_PREFIX = 'accountSnapshot-';
const STREAMS = [...LEDGER_STREAM_PREFIXES, SNAPSHOT_PREFIX];

export function createStore(scheduler: Scheduler, faults: Faults): Store {
  const { random } = scheduler;
  const log = createInMemoryEventLog({ now: scheduler.now });
  const frozen: (() => void)[] = [];
  /** Every snapshot ever taken, also those that the store has dropped. */
  const snapshots: StoredEvent[] = [];
  let frozenUntilMs = 0;
  let isDown = false;
  let read: bigint | null = null;

  /** A frozen store takes requests in and does nothing about them. */
  function whenThawed<Answer>(serve: () => Promise<Answer>): Promise<Answer> {
    if (scheduler.now() >= frozenUntilMs) return serve();
    return new Promise((resolve, reject) => {
      frozen.push(() => void serve().then(resolve, reject));
    });
  }

  function thaw(): void {
    frozenUntilMs = 0;
    for (const serve of frozen.splice(0)) serve();
  }

  function later(name: string, run: () => void): void {
    scheduler.after(random.integer(LATE_MIN_MS, LATE_MAX_MS), name, run);
  }

  /** An answer that takes its time. */
  function late<Answer>(settle: () => Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      later('late answer', () => {
        try {
          resolve(settle());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  async function append(
    stream: string,
    events: readonly EventToAppend[],
    expected: ExpectedRevision,
  ): Promise<AppendResult> {
    const write = () => log.append(stream, events, expected);
    const unknown = (): never => {
      throw new OutcomeUnknownError('simulated');
    };
    if (isDown || faults.strikes('append refused'))
      throw new NotAppendedError('simulated', { retryable: true });
    if (faults.strikes('append lost')) return late(unknown);
    if (faults.strikes('append lands late')) {
      later('late append arrives', () => void write());
      return unknown();
    }
    const result = await write();
    if (faults.strikes('same ids, other content')) {
      // Whatever the server says, what it has stored must stay as it is.
      const other = events.map((event) => ({ ...event, data: { ...event.data, points: -1 } }));
      await log.append(stream, other, expected);
    }
    if (faults.strikes('append lands, acknowledgement lost')) return unknown();
    if (faults.strikes('append lands, acknowledged late')) return late(() => result);
    return result;
  }

  async function reading<Answer>(serve: () => Promise<Answer>): Promise<Answer> {
    if (isDown || faults.strikes('read fails')) throw new StoreUnavailableError('simulated');
    return serve();
  }

  /** What a reader finds of a snapshot; of anything else, what is there. */
  function spoil(last: StoredEvent | null): StoredEvent | null {
    if (last === null || !last.stream.startsWith(SNAPSHOT_PREFIX)) return last;
    const old = snapshots.filter(({ stream }) => stream === last.stream);
    const foreign = snapshots.filter(({ stream }) => stream !== last.stream);
    if (faults.strikes('snapshot gone')) return null;
    if (old.length > 0 && faults.strikes('snapshot old')) return random.pick(old);
    if (foreign.length > 0 && faults.strikes('snapshot of another account'))
      return random.pick(foreign);
    if (faults.strikes('snapshot damaged')) return damaged(last);
    return last;
  }

  return {
    connect(process) {
      const ask = <Answer>(name: string, serve: () => Promise<Answer>) =>
        process.call(name, () => whenThawed(serve));
      return {
        ...log,
        append: (stream, events, expected) =>
          ask(`append ${stream} @${expected} +${events.length}`, () =>
            append(stream, events, expected),
          ),
        async *readStream(stream, options) {
          yield* await ask(`read ${stream}`, () =>
            reading(() => all(log.readStream(stream, options))),
          );
        },
        readLast: (stream) =>
          ask(`last of ${stream}`, () => reading(async () => spoil(await log.readLast(stream)))),
        readAll: (options) => ask('read all', () => reading(() => log.readAll(options))),
        readLastPosition: () => ask('end of the log', () => reading(() => log.readLastPosition())),
        async *subscribeAll(options) {
          await ask('subscribe', () => reading(async () => undefined));
          const signal = AbortSignal.any([options.signal, process.ended]);
          for await (const live of log.subscribeAll({ ...options, signal })) {
            await process.receive(live.kind);
            yield live;
          }
          // A dead process must not hear that its subscription ended.
          await process.receive('the end');
        },
      };
    },
    async write(stream, draft) {
      const last = await log.readLast(stream);
      const revision = last?.revision ?? -1;
      const hash = last?.metadata['hash'] ?? GENESIS_HASH;
      await log.append(
        stream,
        chainEvents(stream, revision + 1, hash, [draft]),
        last === null ? 'no_stream' : revision,
      );
    },
    async news() {
      const page = await log.readAll({
        afterPosition: read,
        streamPrefixes: STREAMS,
        maxCount: PAGE_EVENTS,
      });
      read = page.position;
      snapshots.push(...page.events.filter(({ stream }) => stream.startsWith(SNAPSHOT_PREFIX)));
      return page.events.filter(({ stream }) => !stream.startsWith(SNAPSHOT_PREFIX));
    },
    trouble() {
      if (faults.strikes('live events cut')) log.faults.cutSubscriptions();
      if (faults.strikes('store frozen') && frozenUntilMs <= scheduler.now()) {
        const ms = random.integer(1, TROUBLE_MAX_MS);
        frozenUntilMs = scheduler.now() + ms;
        scheduler.after(ms, 'store thaws', thaw);
      }
      if (faults.strikes('store down') && !isDown) {
        isDown = true;
        log.faults.cutSubscriptions();
        scheduler.after(random.integer(1, TROUBLE_MAX_MS), 'store is back', () => {
          isDown = false;
        });
      }
    },
    heal() {
      isDown = false;
      thaw();
    },
  };
}

/** Content that is not what its hash says. */
function damaged(event: StoredEvent): StoredEvent {
  const { state, ...data } = event.data;
  const other = JSON.stringify(state).replace(
    /"balance":(-?\d+)/,
    (_, balance) => `"balance":${Number(balance) + 7}`,
  );
  return { ...event, data: { ...data, state: JSON.parse(other) } };
}

async function all(events: AsyncIterable<StoredEvent>): Promise<StoredEvent[]> {
  const read: StoredEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}
