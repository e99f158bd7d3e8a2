import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from './start-error.ts';

const POLL_EVERY_MS = 50;

/** An unprivileged user that a server runs as; null = the user of this process. */
export type RunAs = { name: string; uid: number; gid: number } | null;

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/**
 * Starts a server that is not ours (it cannot watch its parent) in its own process group, so that
 * Ctrl-C in a terminal reaches only the stack, which then stops the parts in order.
 * Where Linux' `setpriv` is at hand the kernel sends `deathSignal` to the server when this process
 * dies in whatever way; elsewhere an orphan is found and ended by the next start.
 */
export function spawnServer(
  command: string,
  args: string[],
  options: SpawnOptions & { runAs?: RunAs; deathSignal: 'INT' | 'TERM' },
): ChildProcess {
  const { runAs = null, deathSignal, ...rest } = options;
  const spawnOptions = { ...rest, detached: true };
  const setpriv = setprivWithDeathSignal();
  if (setpriv === null) {
    return spawn(
      command,
      args,
      runAs ? { ...spawnOptions, uid: runAs.uid, gid: runAs.gid } : spawnOptions,
    );
  }
  // The kernel forgets a death signal when the user changes, so setpriv has to do both, in its order.
  const identity = runAs ? [`--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, '--clear-groups'] : [];
  return spawn(
    setpriv,
    [`--pdeathsig=${deathSignal}`, ...identity, '--', command, ...args],
    spawnOptions,
  );
}

/** Runs a program to its end; aborted or late, it is killed. `errors` is what it wrote to stderr. */
export async function runProgram(
  command: string,
  args: string[],
  options: { runAs: RunAs; signal: AbortSignal | undefined; timeoutMs: number },
): Promise<{ code: number | null; errors: string }> {
  const { runAs, signal, timeoutMs } = options;
  const env = { ...process.env, LC_ALL: 'C' };
  const stdio: SpawnOptions['stdio'] = ['ignore', 'ignore', 'pipe'];
  const child = spawnServer(command, args, { cwd: '/', env, runAs, deathSignal: 'TERM', stdio });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const kill = () => void child.kill('SIGTERM');
  const timer = setTimeout(kill, timeoutMs);
  signal?.addEventListener('abort', kill);
  if (signal?.aborted) kill();
  const read = new Promise<void>((resolve) => void child.once('close', resolve));
  const { code } = await exitOf(child);
  if (child.pid !== undefined) await read;
  clearTimeout(timer);
  signal?.removeEventListener('abort', kill);
  return { code, errors };
}

/** Resolves when the child has ended, or could not be started at all (code null, signal null). */
export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/**
 * Who a process id belongs to right now: a text that differs when the id was given to another
 * process later, or null when no living process has it (a zombie is not living).
 */
export function processIdentity(pid: number): string | null {
  if (existsSync('/proc/self/stat')) {
    const fields = procStat(pid);
    // Field 3 is the state and field 22 the start time in ticks since boot (proc(5)).
    if (fields === null || fields[0] === 'Z' || fields[0] === 'X') return null;
    return `${bootId()}:${fields[19]}`;
  }
  const ps = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return ps.status === 0 && ps.stdout.trim() !== '' ? ps.stdout.trim() : null;
}

/** The command line of a living process, or '' when it has ended or may not be seen. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    if (existsSync('/proc/self/stat')) return '';
    return (
      spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? ''
    );
  }
}

/** Waits until a process that is not our child has ended; false when it still lives after `timeoutMs`. */
export async function waitForEnd(pid: number, timeoutMs: number): Promise<boolean> {
  const identity = processIdentity(pid);
  const deadline = Date.now() + timeoutMs;
  while (identity !== null && processIdentity(pid) === identity) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_EVERY_MS);
  }
  return true;
}

/**
 * Ends a process that outlived the stack that started it: the one whose id is in `pidFile`, if its
 * command line has `mark` (the id may belong to another program by now). Throws StartError when it
 * does not end after the last of `signals`.
 */
export async function endOldProcess(options: {
  pidFile: string;
  mark: string;
  signals: NodeJS.Signals[];
  timeoutMs: number;
}): Promise<void> {
  const { pidFile, mark, signals, timeoutMs } = options;
  const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : 0;
  if (!Number.isInteger(pid) || pid <= 0 || !commandLine(pid).includes(mark)) return;
  for (const signal of signals) {
    try {
      process.kill(pid, signal);
    } catch {
      // gone between the look and the signal, or not ours: the wait tells
    }
    if (await waitForEnd(pid, timeoutMs)) return;
  }
  throw new StartError(
    `Process ${pid} of an earlier start still runs and does not end (${mark}): end it with kill -9 ${pid}.`,
  );
}

/** A TCP port on 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('the system gave no port'));
      });
    });
  });
}

let setprivPath: string | null | undefined;

function setprivWithDeathSignal(): string | null {
  if (setprivPath === undefined) {
    const probe =
      process.platform === 'linux'
        ? spawnSync('setpriv', ['--pdeathsig=TERM', '--', 'true'], { stdio: 'ignore' })
        : null;
    setprivPath = probe?.status === 0 ? 'setpriv' : null;
  }
  return setprivPath;
}

/** Fields of /proc/<pid>/stat from the state on; the name before them may hold spaces and brackets. */
function procStat(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
