import { createBackoff } from '@points/projector/backoff';
import { CheckpointMovedError } from '@points/projector/checkpoint';
import { projectLog } from '@points/projector/projector';
import { createLog } from '@points/runtime/log';
import type { Process } from './process.ts';
import type { Store } from './store.ts';
import { type MemoryTables, TransactionError } from './tables.ts';

const LIMITS = { batchEvents: 8, waitingEvents: 24, lingerMs: 20 };
const BACKOFF = { firstMs: 100, maxMs: 2_000 };

/** One life of the projector: its own reading and batching, on tables in memory. */
export function startProjector(deps: {
  readonly process: Process;
  readonly store: Store;
  readonly tables: MemoryTables;
  /** What must never happen, such as an event that cannot be applied. */
  readonly onFatal: (error: unknown) => void;
}): void {
  const { process, store, tables, onFatal } = deps;
  const { timers } = process;
  const backoff = createBackoff(BACKOFF, timers);
  // It is never stopped, only killed.
  const { signal } = new AbortController();

  async function run(): Promise<void> {
    for (;;) {
      try {
        await projectLog({
          eventLog: store.connect(process),
          tables: tables.connect(process),
          log: createLog('projector', 'silent'),
          limits: LIMITS,
          backoff,
          timers,
          progress: SILENT,
          signal,
        });
      } catch (error) {
        // A transaction of an earlier life may still have come through.
        if (!(error instanceof TransactionError || error instanceof CheckpointMovedError))
          onFatal(error);
      }
      await backoff.wait(signal);
    }
  }

  void run();
}

export const SILENT = {
  applied: () => undefined,
  waiting: () => undefined,
  catchingUp: () => undefined,
  live: () => undefined,
  failed: () => undefined,
};
