/** false when the promise has not settled in time. Does not reject. */
export async function settledWithin(
  promise: Promise<unknown>,
  timeoutMs: number,
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

export interface Alarm {
  /** Resolves after so long, or when it rings. */
  wait(timeoutMs: number): Promise<void>;
  /** Ends every wait of this moment. */
  ring(): void;
}

export function createAlarm(): Alarm {
  const sleepers = new Set<() => void>();
  return {
    wait: (timeoutMs) =>
      new Promise((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          sleepers.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, timeoutMs);
        sleepers.add(wake);
      }),
    ring() {
      for (const wake of [...sleepers]) wake();
    },
  };
}
