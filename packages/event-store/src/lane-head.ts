import type { EventLog, StoredEvent } from './event-log.ts';
import { GENESIS_HASH } from './hash-chain.ts';

/** How a stream's state is made; lanes know nothing else of what events mean. */
export interface LaneFold<State> {
  /** The state of a stream without events; must share nothing with any other. */
  initial(): State;
  /** Must return a new state and leave `state` readable: a refused append goes back to it. */
  fold(state: State, event: StoredEvent): State;
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

/**
 * Reads a stream on to its end, from the start (`known` null) or from the last event known. That event is read again:
 * if it is not there, or is another, this is not the stream that the state was folded from.
 *
 * Throws `DifferentStoreError`, `FoldError` and what the log throws.
 */
export async function readHead<State>(
  log: EventLog,
  fold: LaneFold<State>,
  stream: string,
  known: Head<State> | null,
): Promise<Head<State>> {
  let head: Head<State> = known ?? {
    state: fold.initial(),
    revision: -1,
    hash: GENESIS_HASH,
    position: null,
  };
  let seen = head.revision < 0;
  for await (const event of log.readStream(stream, { fromRevision: Math.max(0, head.revision) })) {
    const hash = event.metadata['hash'] ?? '';
    if (!seen) {
      if (event.revision !== head.revision || hash !== head.hash) break;
      seen = true;
      continue;
    }
    if (event.revision !== head.revision + 1 || event.metadata['prev_hash'] !== head.hash) {
      throw new FoldError(
        `${stream}: the event at revision ${event.revision} does not follow revision ${head.revision}`,
      );
    }
    head = {
      state: foldSafely(fold, head.state, event),
      revision: event.revision,
      hash,
      position: event.position,
    };
  }
  if (seen) return head;
  throw new DifferentStoreError(
    `${stream} no longer has the event at revision ${head.revision} that this process has seen: different or restored store`,
  );
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
