import type { AdapterLog, Connection } from './eventstoredb-connection.ts';
import { describeError, isStreamNotFound } from './eventstoredb-errors.ts';
import { pullFrom } from './eventstoredb-pull.ts';
import type { Pullable } from './eventstoredb-pull.ts';
import { createSlots } from './eventstoredb-slots.ts';
import { StoreUnavailableError } from './event-log.ts';

/**
 * Runs reads of the client and gives their events one by one.
 *
 * Handled here: the client gives reads no deadline at all, so each wait for the next events has a timer; a read that
 * is left early goes on at the server unless it is cancelled, so every read is, in `finally`; a missing stream is an
 * error to the client and an empty stream to us; and a read that ends because its client was disposed ends without an
 * error, which must not look like the end of the stream.
 */
export function createReadCalls({ current, rebuild, bounds, log }: ReadCallsDeps): ReadCalls {
  const slots = createSlots(bounds.readsInFlightMax, bounds.readsWaitingMax);
  let timeoutsInARow = 0;

  async function* eventsOf<Resolved>(
    what: string,
    signal: AbortSignal | undefined,
    start: (connection: Connection) => StreamingRead,
  ): AsyncGenerator<Resolved, void> {
    signal?.throwIfAborted();
    await slots.take();
    try {
      const connection = current();
      const source = start(connection);
      try {
        const pull = pullFrom<Resolved>(source);
        for (;;) {
          signal?.throwIfAborted();
          const resolved = pull.read();
          if (resolved !== null) {
            yield resolved;
            continue;
          }
          const failure = pull.failure();
          if (isStreamNotFound(failure)) break;
          if (failure !== null) throw unavailable(what, describeError(failure), failure);
          if (connection.disposed()) throw unavailable(what, 'the connection was given up');
          if (pull.ended()) break;
          if ((await pull.wait(bounds.readTimeoutMs, signal)) === 'timeout') {
            noteTimeout(connection);
            throw unavailable(what, `nothing came within ${bounds.readTimeoutMs} ms`);
          }
        }
        timeoutsInARow = 0;
      } finally {
        // Not awaited: it waits for the call to have been started, which may be just what hangs.
        source.cancel().catch(ignore);
        source.destroy();
      }
    } finally {
      slots.give();
    }
  }

  /** A connection on which several reads in a row hang is replaced, unless that has happened meanwhile. */
  function noteTimeout(connection: Connection): void {
    timeoutsInARow += 1;
    if (timeoutsInARow < bounds.timeoutsBeforeRebuild || connection.disposed()) return;
    log.warn({ timeoutsInARow }, 'event store reads hang: connecting anew');
    timeoutsInARow = 0;
    rebuild();
  }

  return eventsOf;
}

/** `what` names the read in errors; `start` makes the client's stream. Throws `StoreUnavailableError`. */
export type ReadCalls = <Resolved>(
  what: string,
  signal: AbortSignal | undefined,
  start: (connection: Connection) => StreamingRead,
) => AsyncGenerator<Resolved, void>;

export interface ReadCallsDeps {
  readonly current: () => Connection;
  /** Gives the current connection up for a new one. */
  readonly rebuild: () => void;
  readonly bounds: ReadBounds;
  readonly log: AdapterLog;
}

export interface ReadBounds {
  /** Longest wait for the next events of a read. */
  readonly readTimeoutMs: number;
  readonly readsInFlightMax: number;
  readonly readsWaitingMax: number;
  readonly timeoutsBeforeRebuild: number;
}

type StreamingRead = Pullable & { cancel(): Promise<void>; destroy(): unknown };

function unavailable(what: string, reason: string, cause?: unknown): StoreUnavailableError {
  return new StoreUnavailableError(`${what}: ${reason}`, { cause });
}

function ignore(): void {
  // Cancelling a call that never started fails; there is nothing to cancel then.
}
