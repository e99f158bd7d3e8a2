import { randomUUID } from 'node:crypto';
import type { RecordedEvent } from './events.ts';
import { openJournal } from './journal.ts';
import type { JournalError } from './journal-error.ts';
import type { Journal } from './journal.ts';
import { createLogStore } from './log-store.ts';
import type { LogStore, WriteResult } from './log-store.ts';

/** The log together with its journal: a write is answered, and seen by readers, once it is on disk. */
export function openDatabase(deps: DatabaseDeps): Database {
  const log = createLogStore({ newId: randomUUID });
  const journal =
    deps.folder === null
      ? createMemoryJournal()
      : openJournal({
          folder: deps.folder,
          log: deps.log,
          onEvent: log.restore,
          onFailure: deps.onFailure,
        });
  let closing = false;
  let pendingWrites = 0;
  return {
    log,
    now: deps.now,
    get closing() {
      return closing;
    },
    get busy() {
      return pendingWrites >= MAX_PENDING_WRITES;
    },
    whenDurable: (result, done) => {
      const { events } = result;
      pendingWrites += 1;
      // Also an empty append waits its turn, so that answers keep the order of the writes.
      journal.append(events, () => {
        pendingWrites -= 1;
        log.publish(events);
        done();
      });
    },
    close: () => {
      closing = true;
      return journal.close();
    },
  };
}

/** Far more than any client of ours has in flight; beyond it, writes are answered "busy". */
const MAX_PENDING_WRITES = 16_384;

export interface DatabaseDeps {
  /** Null = nothing outlives the process. */
  readonly folder: string | null;
  readonly log: (line: string) => void;
  readonly onFailure: (error: JournalError) => void;
  readonly now: () => number;
}

export interface Database {
  readonly log: LogStore;
  /** The server's clock: when an event was written. */
  readonly now: () => number;
  /** Nothing may be written any more. */
  readonly closing: boolean;
  /** More writes wait for the disk than are kept waiting. */
  readonly busy: boolean;
  /** To be called at once after every accepted write, in the same turn. */
  whenDurable(result: Extract<WriteResult, { outcome: 'written' }>, done: () => void): void;
  /** Waits for the writes under way. */
  close(): Promise<void>;
}

/** Acknowledges in groups, a turn later, as the real journal does. */
function createMemoryJournal(): Journal {
  let queue: (() => void)[] = [];
  let onDrained: (() => void) | null = null;
  const flush = (): void => {
    const group = queue;
    queue = [];
    for (const done of group) done();
    if (queue.length === 0) onDrained?.();
  };
  return {
    append: (_events: readonly RecordedEvent[], onDurable) => {
      if (queue.length === 0) setImmediate(flush);
      queue.push(onDurable);
    },
    close: () =>
      queue.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            onDrained = resolve;
          }),
  };
}
