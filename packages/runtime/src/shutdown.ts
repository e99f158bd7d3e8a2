import type { Log } from './log.ts';

/** Service managers send SIGKILL 10 s after SIGTERM (docker's default); end before that. */
export const SHUTDOWN_TIMEOUT_MS = 9_000;
/** Ctrl-C under npm arrives twice at once; a person who presses it again is slower. */
const INSIST_AFTER_MS = 1_000;

export type Shutdown = {
  /** Registers what must be stopped. What was added last is stopped first. */
  add: (name: string, stop: () => Promise<void> | void) => void;
  /** Stops everything once and ends the process; the second call is ignored. */
  stop: (reason: string, exitCode: number) => void;
};

/**
 * Takes over the end of this process; call it first in `main`, then `add` each thing once it runs.
 * SIGTERM, SIGINT, SIGHUP and the loss of a parent that opened an IPC channel stop everything in
 * order and exit with 0; a stop that fails or takes longer than `timeoutMs` in all makes it 1. A
 * second signal, a second later or more, exits at once. An uncaught exception or unhandled rejection is a bug: it is logged
 * and the process exits with 1 without stopping anything, as after a crash.
 */
export function createShutdown(options: { log: Log; timeoutMs?: number }): Shutdown {
  const { log, timeoutMs = SHUTDOWN_TIMEOUT_MS } = options;
  const steps: { name: string; stop: () => Promise<void> | void }[] = [];
  let stoppingSince: number | null = null;

  const run = async (reason: string, exitCode: number): Promise<void> => {
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error({ timeoutMs }, 'did not stop in time');
      process.exit(1);
    }, timeoutMs);
    let code = exitCode;
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      try {
        await step.stop();
      } catch (error) {
        log.error({ err: error, step: step.name }, 'could not be stopped');
        code = 1;
      }
    }
    log.info('stopped');
    process.exit(code);
  };

  const stop = (reason: string, exitCode: number): void => {
    if (stoppingSince !== null) return;
    stoppingSince = performance.now();
    void run(reason, exitCode);
  };

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const insists = stoppingSince !== null && performance.now() - stoppingSince > INSIST_AFTER_MS;
      if (insists) process.exit(1);
      stop(signal, 0);
    });
  }
  const crash = (error: unknown): void => {
    log.fatal({ err: error }, 'uncaught error');
    process.exit(1);
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  if (process.connected) process.once('disconnect', () => stop('the parent process is gone', 0));

  return { add: (name, stopStep) => void steps.push({ name, stop: stopStep }), stop };
}
