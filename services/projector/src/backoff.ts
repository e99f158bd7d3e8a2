import { type Timers, sleepOn } from '@points/event-store/timers';

export interface Backoff {
  /** Waits longer each time; returns at once when the signal is aborted. */
  wait(signal: AbortSignal): Promise<void>;
  /** Something went well: the next wait is short again. */
  reset(): void;
}

/** Waits that double from `firstMs` to `maxMs`, each shortened by up to half at random so that processes drift apart. */
export function createBackoff(
  { firstMs, maxMs }: { firstMs: number; maxMs: number },
  timers: Timers,
): Backoff {
  let nextMs = firstMs;
  return {
    async wait(signal) {
      const waitMs = nextMs * (1 - timers.random() / 2);
      nextMs = Math.min(nextMs * 2, maxMs);
      await pause(waitMs, signal, timers);
    },
    reset() {
      nextMs = firstMs;
    },
  };
}

/** Sleeps; returns at once when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal, timers: Timers): Promise<void> {
  await sleepOn(timers, ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
