import {
  type DestinationStream,
  type Logger,
  type LevelWithSilent,
  pino,
  stdTimeFunctions,
} from 'pino';

export type Log = Logger;

/**
 * One JSON line per entry on stdout (or `destination`): `level` as a word, `time` in ISO-8601 UTC,
 * the process' `name`, and an error under `err` with its causes.
 */
export function createLog(
  name: string,
  level: LevelWithSilent = 'info',
  destination?: DestinationStream,
): Log {
  const options = {
    level,
    base: { name },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Written at once: lines that wait in memory are lost, or out of order, when the process ends.
  return pino(options, destination ?? pino.destination({ fd: 1, sync: true }));
}

/**
 * The line that says "this process does its work from now on": `msg` is "ready" and `healthPort`
 * is where GET /healthz, /readyz and /metrics are answered. Whoever started the process waits for it.
 */
export function announceReady(log: Log, healthPort: number): void {
  log.info({ healthPort }, READY_MESSAGE);
}

export const READY_MESSAGE = 'ready';
