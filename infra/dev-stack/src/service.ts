import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { READY_MESSAGE } from '@points/runtime/log';
import type { Part } from './part.ts';
import { endOldProcess } from './processes.ts';
import { endServer, runServer } from './server-process.ts';
import { StartError } from './start-error.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const OLD_PROCESS_TIMEOUT_MS = 10_000;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export type ServiceOptions = {
  name: string;
  /** The TypeScript file that is the process, from the root of the repository. */
  main: string;
  env: Record<string, string>;
  /** Its log is `<name>.log` in it. */
  dataDir: string;
  signal: AbortSignal;
  /** Default: it has written the line of `announceReady`. */
  isReady?: (log: string) => boolean;
};

/**
 * Runs one of our processes until it says that it is ready. It gets an IPC channel, by which it
 * notices that the stack is gone. One of the same data folder that outlived its stack is ended first.
 * Throws StartError.
 */
export async function startService(options: ServiceOptions): Promise<Part> {
  const { name, main, env, dataDir, signal, isReady = announcesReady } = options;
  const logFile = join(dataDir, `${name}.log`);
  const pidFile = join(dataDir, `${name}.pid`);
  // On the command line, to be told from the same service of another stack.
  const mark = `--part-of=${dataDir}`;
  await endOldProcess({
    pidFile,
    mark,
    signals: ['SIGTERM', 'SIGKILL'],
    timeoutMs: OLD_PROCESS_TIMEOUT_MS,
  });
  const run = await runServer({
    command: process.execPath,
    args: ['--import', 'tsx', main, mark],
    cwd: ROOT,
    env: { ...process.env, ...env },
    ipc: true,
    deathSignal: 'TERM',
    logFile,
    onSpawn: (pid) => writeFileSync(pidFile, String(pid)),
    isReady: ({ log }) => isReady(log),
    timeoutMs: START_TIMEOUT_MS,
    signal,
  });
  if (!run.started)
    throw new StartError(`${name} did not start: ${whyNot(run.log)} (more in ${logFile})`);
  const stop = () => endServer(run, ['SIGTERM', 'SIGKILL'], STOP_TIMEOUT_MS);
  return { name, pid: run.pid, port: 0, exited: run.exited, stop };
}

/** The line of a log that tells a person why its process ended by itself. */
export function whyNot(log: string): string {
  const lines = log.split('\n').map((line) => line.trim());
  const entries = lines.filter((line) => line.startsWith('{"level":'));
  const plain = lines.filter((line) => line !== '' && !entries.includes(line));
  // A bug prints source, then the error, then where; anything else is a sentence of its own.
  const thrown = plain.find((line) => /^(Uncaught )?\w*Error\b/.test(line));
  const sentence = thrown ?? plain.at(-1);
  return (
    sentence ??
    entries.findLast((line) => /"level":"(error|fatal)"/.test(line)) ??
    entries.at(-1) ??
    'it said nothing'
  );
}

function announcesReady(log: string): boolean {
  return log
    .split('\n')
    .some((line) => line.startsWith('{') && line.includes(`"msg":"${READY_MESSAGE}"`));
}
