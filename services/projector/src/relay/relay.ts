import { factOf, NotAFactError } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { catchUp, followLog } from '../follow-log.ts';
import type { EventBatch, FollowLogDeps } from '../follow-log.ts';
import { FactStreamError } from './fact-stream.ts';
import type { FactStream } from './fact-stream.ts';
import { eventOf, findPlace } from './place.ts';
import type { Mark } from './place.ts';

/** Facts between two marks: at most so many events are counted when an emptied stream is continued. */
const MARK_EVERY_FACTS = 10_000;

export interface RelayDeps {
  readonly eventLog: EventLog;
  readonly stream: FactStream;
  readonly marks: Marks;
  readonly signal: AbortSignal;
  readonly markEveryFacts?: number;
}

/** Keeps the last mark, outside the stream. Losing it costs time, never a fact. */
export interface Marks {
  read(): Promise<Mark | null>;
  write(mark: Mark): Promise<void>;
}

/** Another relay has published meanwhile; the place must be found anew. */
export class StreamMovedError extends Error {
  override readonly name = 'StreamMovedError';
}

/**
 * Publishes every event of every account in log order, each once, until `signal` is aborted.
 *
 * The stream itself says what comes next: it is asked at the start and after everything that went wrong, and takes a
 * fact only as the number after its last one. Whatever crashes, is repeated or runs twice at the same time, what the
 * stream holds is therefore a first part of the log's accounts' events, without gap, repetition or other order; the lock
 * that keeps one relay active only spares the others' work.
 *
 * A stream or an event store that is away is waited for. Throws what cannot pass by itself: OtherLogError, NotAFactError
 * (all events before it are published), and what `marks` throws.
 */
export async function relayLog(deps: RelayDeps & FollowLogDeps): Promise<void> {
  const { progress, backoff } = deps;
  const relay = createRelay(deps);
  await followLog(deps, {
    async open() {
      const position = await relay.open();
      progress.applied(position, 0);
      return position;
    },
    async apply(batch) {
      const published = await relay.publish(batch);
      if (published > 0) backoff.reset();
      progress.applied(batch.position, published);
    },
    isPassing: (error) => error instanceof FactStreamError || error instanceof StreamMovedError,
  });
}

/**
 * Publishes what the log holds now and gives the number of facts: the same steps as `relayLog`, without waiting for
 * more, without a second try and without timers, for a simulation that lets time pass and servers fail as it likes.
 * Throws FactStreamError, StreamMovedError, StoreUnavailableError, and what `relayLog` throws.
 */
export async function relayToEnd(deps: RelayDeps & { batchEvents: number }): Promise<number> {
  const relay = createRelay(deps);
  let published = 0;
  await catchUp(deps, await relay.open(), async (batch) => {
    published += await relay.publish(batch);
  });
  return published;
}

function createRelay({ eventLog, stream, marks, signal, ...settings }: RelayDeps) {
  const markEveryFacts = settings.markEveryFacts ?? MARK_EVERY_FACTS;
  let sequence = 0;
  let marked = 0;

  async function add(facts: readonly Fact[]): Promise<void> {
    const last = facts.at(-1);
    if (last === undefined) return;
    if ((await stream.publish(facts, sequence)) === 'moved') {
      throw new StreamMovedError(`another relay has published fact ${sequence + 1} or a later one`);
    }
    sequence += facts.length;
    if (sequence - marked < markEveryFacts) return;
    await marks.write({ sequence, event: eventOf(last) });
    marked = sequence;
  }

  return {
    /** Finds where to go on: the position to read the log from. */
    async open(): Promise<bigint | null> {
      const mark = await marks.read();
      const end = await stream.last();
      const place = await findPlace(eventLog, end, mark, signal);
      sequence = place.sequence;
      marked = mark === null || mark.sequence > sequence ? 0 : mark.sequence;
      return place.position;
    },
    /** Publishes the facts among the next events of the log; how many there were. */
    async publish({ events }: EventBatch): Promise<number> {
      const { facts, refused } = factsOf(events);
      await add(facts);
      if (refused !== null) throw refused;
      return facts.length;
    },
  };
}

/** The facts among the events, up to the first event that should be one and cannot. */
function factsOf(events: readonly StoredEvent[]): {
  readonly facts: readonly Fact[];
  readonly refused: NotAFactError | null;
} {
  const facts: Fact[] = [];
  for (const event of events) {
    try {
      const fact = factOf(event);
      if (fact !== null) facts.push(fact);
    } catch (error) {
      if (!(error instanceof NotAFactError)) throw error;
      return { facts, refused: error };
    }
  }
  return { facts, refused: null };
}
