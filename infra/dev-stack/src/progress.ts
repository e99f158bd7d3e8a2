const STILL_WAITING_EVERY_MS = 5_000;

/** Lines for the person who looks on. */
export type Progress = {
  say: (line: string) => void;
  /** Says when `work` is done and, as long as it is not, what is being waited for. */
  waitFor: <Result>(what: string, hint: string, work: () => Promise<Result>) => Promise<Result>;
};

export function createProgress(write: (line: string) => void): Progress {
  return {
    say: write,
    waitFor: async (what, hint, work) => {
      const startedAt = performance.now();
      const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
      const timer = setInterval(
        () => write(`  … still waiting for ${what}, ${seconds()} (${hint})`),
        STILL_WAITING_EVERY_MS,
      );
      try {
        const result = await work();
        write(`  ${what.padEnd(12)} ready after ${seconds()}`);
        return result;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
