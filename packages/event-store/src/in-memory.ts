import {
  encodeAppend,
  guardFromRevision,
  guardMaxCount,
  guardPrefixes,
  guardStream,
} from './eventstoredb-guards.ts';
import type { EncodedEvent } from './eventstoredb-guards.ts';
import {
  NotAppendedError,
  OutcomeUnknownError,
  StoreUnavailableError,
  SubscriptionEndedError,
} from './event-log.ts';
import type {
  AllPage,
  AppendResult,
  EventLog,
  EventToAppend,
  ExpectedRevision,
  LiveEvent,
  ReadAllOptions,
  ReadStreamOptions,
  StoredEvent,
  SubscribeAllOptions,
} from './event-log.ts';

/**
 * An event log in memory, for unit tests and simulations. Through the port it behaves as a real server does, including
 * its less pleasant habits: an append whose ids are all there already at that place is answered `appended` and the
 * first data are kept, and positions have gaps. `contract/event-log.contract.ts` holds it to that.
 */
export function createInMemoryEventLog(
  options: { readonly now?: () => number } = {},
): InMemoryEventLog {
  const now = options.now ?? Date.now;
  const store = createStore(now);
  const cuts = new Set<AbortController>();
  const failures: AppendFailure[] = [];
  const late: (() => void)[] = [];
  let gate: Promise<void> | null = null;
  let down = false;
  let closed = false;

  function refuseReads(signal?: AbortSignal): void {
    signal?.throwIfAborted();
    if (closed || down)
      throw new StoreUnavailableError(closed ? 'event log is closed' : 'event log is down');
  }

  function cutSubscriptions(): void {
    for (const cut of cuts) cut.abort();
    cuts.clear();
  }

  async function refuseWrites(): Promise<void> {
    await gate;
    if (closed) throw new NotAppendedError('event log is closed', { retryable: false });
    if (down) throw new NotAppendedError('event log is down', { retryable: true });
  }

  async function append(
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
  ): Promise<AppendResult> {
    // As over a wire: what is stored is what the JSON says when it is sent, and no answer comes in the same turn.
    const copies = encodeAppend(stream, events, expectedRevision).map(decodeEvent);
    await refuseWrites();
    const failure = failures.shift();
    if (failure === undefined) return store.append(stream, copies, expectedRevision);
    if (failure === 'not_appended')
      throw new NotAppendedError('fault: not appended', { retryable: true });
    if (failure === 'unknown_written') store.append(stream, copies, expectedRevision);
    if (failure === 'unknown_written_late')
      late.push(() => store.append(stream, copies, expectedRevision));
    throw new OutcomeUnknownError(`fault: ${failure}`);
  }

  async function* readStream(stream: string, read: ReadStreamOptions): AsyncIterable<StoredEvent> {
    guardFromRevision(read.fromRevision);
    guardMaxCount(read.maxCount ?? 1);
    let revision = read.fromRevision;
    for (let left = read.maxCount ?? Infinity; left > 0; left -= 1) {
      refuseReads(read.signal);
      revision = Math.max(revision, store.firstVisible(stream));
      const event = store.stream(stream)[revision];
      if (event === undefined) return;
      yield event;
      revision += 1;
    }
  }

  async function* subscribeAll(subscription: SubscribeAllOptions): AsyncIterable<LiveEvent> {
    guardPrefixes(subscription.streamPrefixes);
    if (subscription.signal.aborted) return;
    if (closed || down)
      throw new SubscriptionEndedError(closed ? 'event log is closed' : 'event log is down');
    const cut = new AbortController();
    cuts.add(cut);
    try {
      yield* follow(store, subscription, cut.signal);
    } finally {
      cuts.delete(cut);
    }
  }

  return {
    append,
    async keepLastOnly(stream) {
      guardStream(stream);
      await refuseWrites();
      store.keepLastOnly(stream);
    },
    readStream,
    async readLast(stream) {
      refuseReads();
      return store.stream(stream).at(-1) ?? null;
    },
    async readAll(read) {
      guardMaxCount(read.maxCount);
      guardPrefixes(read.streamPrefixes);
      refuseReads(read.signal);
      return store.page(read);
    },
    async readLastPosition() {
      refuseReads();
      return store.all.at(-1)?.position ?? null;
    },
    subscribeAll,
    async close() {
      closed = true;
      cutSubscriptions();
    },
    faults: {
      failNextAppend(failure) {
        failures.push(failure);
      },
      deliverLateAppends() {
        for (const write of late.splice(0)) write();
      },
      holdAppends() {
        const { promise, resolve } = deferred();
        gate = promise;
        return () => {
          if (gate === promise) gate = null;
          resolve();
        };
      },
      cutSubscriptions,
      setDown(value) {
        down = value;
        if (down) cutSubscriptions();
      },
    },
  };
}

export interface InMemoryEventLog extends EventLog {
  readonly faults: InMemoryFaults;
}

/** What happens to an append that fails; each call of `failNextAppend` is used up by one append, in order. */
export type AppendFailure =
  /** `NotAppendedError`, retryable. */
  | 'not_appended'
  /** `OutcomeUnknownError`, and the events are there. */
  | 'unknown_written'
  /** `OutcomeUnknownError`, and the events never come. */
  | 'unknown_not_written'
  /** `OutcomeUnknownError`, and the events come with `deliverLateAppends`, if the stream still stands where expected. */
  | 'unknown_written_late';

export interface InMemoryFaults {
  readonly failNextAppend: (failure: AppendFailure) => void;
  readonly deliverLateAppends: () => void;
  /** Appends wait until the returned function is called. */
  readonly holdAppends: () => () => void;
  /** Every live subscription ends with `SubscriptionEndedError`. */
  readonly cutSubscriptions: () => void;
  /** While down, appends are refused (retryable), reads fail and subscriptions end. */
  readonly setDown: (down: boolean) => void;
}

/** Real servers send a filtered subscription a checkpoint each time they have looked at this many events. */
const CHECKPOINT_EVERY_EVENTS = 32;

interface Store {
  append(
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
  ): AppendResult;
  /** All events, also those that readers no longer see. */
  stream(name: string): readonly StoredEvent[];
  /** Revision of the first event that readers of the stream see. */
  firstVisible(name: string): number;
  keepLastOnly(name: string): void;
  page(read: ReadAllOptions): AllPage;
  readonly all: readonly StoredEvent[];
  /** Index in `all` of the first event after the position. */
  indexAfter(position: bigint | null): number;
  /** Resolves at the next append. */
  grown(): Promise<void>;
}

function createStore(now: () => number): Store {
  const all: StoredEvent[] = [];
  const streams = new Map<string, StoredEvent[]>();
  const lastOnly = new Set<string>();
  let position = 0n;
  let growth = deferred();

  function write(name: string, stream: StoredEvent[], events: readonly EventToAppend[]): void {
    const createdMs = now();
    for (const event of events) {
      // Log positions are byte offsets on a real server: they rise by more than one.
      position += BigInt(100 + event.type.length + (stream.length % 7));
      const stored = { ...event, stream: name, revision: stream.length, position, createdMs };
      stream.push(stored);
      all.push(stored);
    }
    growth.resolve();
    growth = deferred();
  }

  function indexAfter(after: bigint | null): number {
    if (after === null) return 0;
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((all[middle]?.position ?? 0n) <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function firstVisible(name: string): number {
    return lastOnly.has(name) ? Math.max(0, (streams.get(name)?.length ?? 0) - 1) : 0;
  }

  return {
    all,
    firstVisible,
    keepLastOnly: (name) => lastOnly.add(name),
    indexAfter,
    grown: () => growth.promise,
    stream: (name) => streams.get(name) ?? [],
    append(name, events, expectedRevision) {
      const stream = streams.get(name) ?? [];
      const first = expectedRevision === 'no_stream' ? 0 : expectedRevision + 1;
      if (stream.length === first) {
        streams.set(name, stream);
        write(name, stream, events);
      } else if (!events.every((event, index) => stream[first + index]?.id === event.id)) {
        return { outcome: 'conflict' };
      }
      const last = stream[first + events.length - 1];
      if (last === undefined) throw new Error('an append without events passed the guard');
      // A real server no longer knows where an event was that it has hidden.
      const position = last.revision < firstVisible(name) ? null : last.position;
      return { outcome: 'appended', position, revision: last.revision };
    },
    page({ afterPosition, streamPrefixes, maxCount }) {
      // As in the real adapter, maxCount bounds what is looked at, so a page may hold no match and yet not be the end.
      const index = indexAfter(afterPosition);
      const looked = all.slice(index, index + maxCount);
      return {
        events: looked.filter((event) => matches(event, streamPrefixes)),
        position: looked.at(-1)?.position ?? afterPosition,
        end: index + looked.length >= all.length,
      };
    },
  };
}

async function* follow(
  store: Store,
  { afterPosition, streamPrefixes, signal }: SubscribeAllOptions,
  cut: AbortSignal,
): AsyncIterable<LiveEvent> {
  let index = store.indexAfter(afterPosition);
  let lookedSinceCheckpoint = 0;
  let caughtUp = false;
  for (;;) {
    if (signal.aborted) return;
    if (cut.aborted) throw new SubscriptionEndedError('subscription was cut');
    const event = store.all[index];
    if (event === undefined) {
      if (!caughtUp) {
        caughtUp = true;
        yield { kind: 'caught_up' };
        continue;
      }
      await firstOf(store.grown(), signal, cut);
      continue;
    }
    index += 1;
    lookedSinceCheckpoint += 1;
    if (matches(event, streamPrefixes)) yield { kind: 'event', event };
    if (
      lookedSinceCheckpoint >= CHECKPOINT_EVERY_EVENTS ||
      (index === store.all.length && !caughtUp)
    ) {
      lookedSinceCheckpoint = 0;
      yield { kind: 'checkpoint', position: event.position };
    }
  }
}

async function firstOf(grown: Promise<void>, ...signals: readonly AbortSignal[]): Promise<void> {
  const { promise, resolve } = deferred();
  for (const signal of signals) signal.addEventListener('abort', resolve, { once: true });
  try {
    await Promise.race([grown, promise]);
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', resolve);
  }
}

function decodeEvent({ id, type, dataJson, metadataJson }: EncodedEvent): EventToAppend {
  return { id, type, data: JSON.parse(dataJson), metadata: JSON.parse(metadataJson) };
}

function matches(event: StoredEvent, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => event.stream.startsWith(prefix));
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
