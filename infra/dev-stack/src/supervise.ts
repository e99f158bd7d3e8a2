import { setTimeout as sleep } from 'node:timers/promises';
import type { Part } from './part.ts';

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 10_000;
/** A part that has run this long is started again at once when it dies. */
const STABLE_MS = 30_000;

export type SuperviseOptions = {
  part: Part;
  /** Starts the part again, on the same port. */
  restart: (signal: AbortSignal) => Promise<Part>;
  onDeath: (how: string) => void;
  onRestart: (part: Part) => void;
  /** Starting it again failed; it will be tried again. */
  onFailure: (reason: string) => void;
};

/** Starts a part again whenever it dies, with growing pauses, until `stop`. */
export function supervise(options: SuperviseOptions): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  let current: Part | null = options.part;

  const watch = async (): Promise<void> => {
    let failures = 0;
    while (current !== null) {
      const startedAt = Date.now();
      const { code, signal } = await current.exited;
      if (stopping.signal.aborted) return;
      if (Date.now() - startedAt > STABLE_MS) failures = 0;
      current = null;
      options.onDeath(signal ?? `exit code ${code}`);
      while (current === null) {
        await sleep(Math.min(BACKOFF_FIRST_MS * 2 ** failures, BACKOFF_MAX_MS), undefined, {
          signal: stopping.signal,
        });
        failures += 1;
        try {
          current = await options.restart(stopping.signal);
        } catch (error) {
          options.onFailure(error instanceof Error ? error.message : String(error));
        }
      }
      if (stopping.signal.aborted) return;
      options.onRestart(current);
    }
  };

  const watched = watch().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error;
  });
  return {
    stop: async () => {
      stopping.abort();
      await current?.stop();
      await watched;
      await current?.stop(); // the one that was being started meanwhile
    },
  };
}
