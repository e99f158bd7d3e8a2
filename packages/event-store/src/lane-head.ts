import type { EventLog, JsonObject, StoredEvent } from './event-log.ts';
import { GENESIS_HASH } from './hash-chain.ts';

/** How a stream's state is made; lanes know nothing else of what events mean. */
export interface LaneFold<State> {
  /** The state of a stream without events; must share nothing with any other. */
  initial(): State;
  /** Must return a new state and leave `state` readable: a refused append goes back to it. */
  fold(state: State, event: StoredEvent): State;
  /** How much the state keeps in memory, in things of some 500 bytes; absent = 1. Cheap: asked after every append. */
  weight?(state: State): number;
  /** Absent: a stream is always read from its start. */
  readonly snapshots?: SnapshotCodec<State>;
}

/** How a state is kept in a cache stream beside its own, so that a long stream need not be read whole. */
export interface SnapshotCodec<State> {
  /** Name of the cache stream; no reader's prefix may match it. */
  stream(stream: string): string;
  /** Must change whenever `fold` would make another state of the same events, or `encode` another JSON. */
  readonly version: string;
  /** A snapshot is due when the stream has so many more events; `SNAPSHOT_EVERY_EVENTS` when absent. */
  readonly everyEvents?: number;
  /** Null: not worth keeping, or too large. */
  encode(state: State): JsonObject | null;
  /** The inverse of `encode`. Throws on anything else. */
  decode(json: JsonObject): State;
}

/** A stream as far as it is known. */
export interface Head<State> {
  readonly state: State;
  /** −1 before the first event. */
  readonly revision: number;
  /** Of the last event; the next one carries it as `prev_hash`. */
  readonly hash: string;
  /** Log position of the last event; null before the first, and when the store could not tell it. */
  readonly position: bigint | null;
}

/** The stream is not the one that this process has been writing: the store was swapped or restored from a backup. */
export class DifferentStoreError extends Error {
  override readonly name = 'DifferentStoreError';
}

/** The log holds something that the fold refuses: no answer can be given from this stream. */
export class FoldError extends Error {
  override readonly name = 'FoldError';
}

export function freshHead<State>(fold: LaneFold<State>): Head<State> {
  return { state: fold.initial(), revision: -1, hash: GENESIS_HASH, position: null };
}

/**
 * Reads a stream on to its end, from the last event known. That event is read again: if it is not there, or is another,
 * this is not the stream that the state was folded from.
 *
 * Throws `DifferentStoreError`, `FoldError` and what the log throws.
 */
export async function readHead<State>(
  log: EventLog,
  fold: LaneFold<State>,
  stream: string,
  known: Head<State>,
): Promise<Head<State>> {
  let head = known;
  let seen = head.revision < 0;
  for await (const event of log.readStream(stream, { fromRevision: Math.max(0, head.revision) })) {
    if (seen) {
      head = foldNext(fold, head, event);
      continue;
    }
    if (event.revision !== head.revision || hashOf(event) !== head.hash) break;
    seen = true;
    head = { ...head, position: event.position };
  }
  if (seen) return head;
  throw new DifferentStoreError(
    `${stream} no longer has the event at revision ${head.revision} that this process has seen: different or restored store`,
  );
}

/** Throws `FoldError` when the event does not follow the head, or the fold refuses it. */
export function foldNext<State>(
  fold: LaneFold<State>,
  head: Head<State>,
  event: StoredEvent,
): Head<State> {
  if (event.revision !== head.revision + 1 || event.metadata['prev_hash'] !== head.hash) {
    throw new FoldError(
      `${event.stream}: the event at revision ${event.revision} does not follow revision ${head.revision}`,
    );
  }
  return {
    state: foldSafely(fold, head.state, event),
    revision: event.revision,
    hash: hashOf(event),
    position: event.position,
  };
}

function hashOf(event: StoredEvent): string {
  return event.metadata['hash'] ?? '';
}

function foldSafely<State>(fold: LaneFold<State>, state: State, event: StoredEvent): State {
  try {
    return fold.fold(state, event);
  } catch (cause) {
    throw new FoldError(
      `${event.stream}: cannot fold ${event.type} at revision ${event.revision}`,
      { cause },
    );
  }
}
