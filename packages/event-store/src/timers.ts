/**
 * Time and chance as the lanes see them: everything that waits or draws a number asks here, so that a simulation can run
 * the real lanes under a clock and a scheduler of its own.
 */
export interface Timers {
  /** Calls `run` once after `ms`; the returned function calls it off, also when it is too late for that. */
  after(ms: number, run: () => void): () => void;
  /** Calls `run` once this turn's work is done. */
  defer(run: () => void): void;
  /** In [0, 1), as `Math.random`. */
  random(): number;
}

export const REAL_TIMERS: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  defer(run) {
    setImmediate(run);
  },
  random: Math.random,
};

/** Rejects with the signal's reason when aborted. */
export function sleepOn(timers: Timers, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const callOff = timers.after(ms, () => {
      signal.removeEventListener('abort', aborted);
      resolve();
    });
    function aborted(): void {
      callOff();
      reject(signal.reason);
    }
    signal.addEventListener('abort', aborted, { once: true });
  });
}
