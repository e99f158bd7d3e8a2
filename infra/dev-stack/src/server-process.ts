import { closeSync, fstatSync, openSync, readFileSync, truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Exit, exitOf, type RunAs, spawnServer } from './processes.ts';

const POLL_EVERY_MS = 30;
/** A log this long is begun anew at the next start. */
const LOG_MAX_BYTES = 5_000_000;

export type ServerRun = {
  command: string;
  args: string[];
  /** Default: the root folder, which every user can enter. */
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  runAs?: RunAs;
  /** Opens a channel by which one of our own processes notices that this one is gone. */
  ipc?: boolean;
  deathSignal: 'INT' | 'TERM';
  /** What the server prints goes there, so that it never waits for us to read it. */
  logFile: string;
  isReady: (state: { pid: number; log: string }) => boolean;
  /** Not ready after this long: it is killed and `log` says how far it came. */
  timeoutMs: number;
  onSpawn?: (pid: number) => void;
  /** Aborted: the server is ended although it is not ready yet. */
  signal?: AbortSignal | undefined;
};

export type ServerResult =
  | {
      started: true;
      pid: number;
      log: string;
      exited: Promise<Exit>;
      kill: (signal: NodeJS.Signals) => void;
    }
  | { started: false; log: string };

/** Runs a server until it is ready or has ended. */
export async function runServer(run: ServerRun): Promise<ServerResult> {
  const { command, args, cwd = '/', env = process.env, runAs = null, deathSignal, logFile } = run;
  const output = openSync(logFile, 'a', 0o600);
  if (fstatSync(output).size > LOG_MAX_BYTES) truncateSync(logFile);
  const logStart = fstatSync(output).size;
  const child = spawnServer(command, args, {
    cwd,
    env,
    runAs,
    deathSignal,
    stdio: run.ipc ? ['ignore', output, output, 'ipc'] : ['ignore', output, output],
  });
  closeSync(output);
  if (child.pid !== undefined) run.onSpawn?.(child.pid);
  const exited = exitOf(child);
  let ended = false;
  void exited.then(() => (ended = true));
  const logSinceStart = () => readFileSync(logFile).subarray(logStart).toString('utf8');
  const deadline = Date.now() + run.timeoutMs;
  while (!ended) {
    const state = { pid: child.pid ?? 0, log: logSinceStart() };
    if (run.isReady(state))
      return { started: true, ...state, exited, kill: (signal) => child.kill(signal) };
    if (run.signal?.aborted) child.kill(`SIG${deathSignal}`);
    if (Date.now() > deadline) child.kill('SIGKILL');
    await sleep(POLL_EVERY_MS);
  }
  return { started: false, log: logSinceStart() };
}

/** Sends `signal`, and SIGKILL when the server has not ended after `timeoutMs`. */
export async function endServer(
  server: { exited: Promise<Exit>; kill: (signal: NodeJS.Signals) => void },
  signals: [first: NodeJS.Signals, then: NodeJS.Signals],
  timeoutMs: number,
): Promise<void> {
  server.kill(signals[0]);
  const timer = setTimeout(() => server.kill(signals[1]), timeoutMs);
  await server.exited;
  clearTimeout(timer);
}
