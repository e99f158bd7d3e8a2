import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * Takes a folder for this process alone. Throws when a living process has it; the lock of a dead one is taken over.
 *
 * On the same host a process is known by its id and its start time, since ids are used again. Of a process on another
 * host (two containers that share a volume) only this is known: it touches its lock every REFRESH_MS, so one that has
 * not been touched for STALE_MS is taken for dead.
 */
export function lockFolder(folder: string, onLost: () => void): FolderLock {
  const file = path.join(folder, LOCK_FILE);
  const mine = [os.hostname(), process.pid, startTimeOf(process.pid), randomUUID()].join(' ');
  const draft = `${file}.${randomUUID()}`;
  fs.writeFileSync(draft, mine);
  try {
    take(draft, file);
  } finally {
    fs.rmSync(draft, { force: true });
  }
  const refresh = setInterval(() => {
    let holder: string | null;
    try {
      holder = readIfThere(file);
    } catch {
      // Such as no descriptor left: nobody knows that it was taken, so the next round looks again.
      return;
    }
    if (holder === mine) return touch(file);
    clearInterval(refresh);
    onLost();
  }, REFRESH_MS).unref();
  return {
    release() {
      clearInterval(refresh);
      if (readIfThere(file) === mine) fs.rmSync(file, { force: true });
    },
  };
}

export interface FolderLock {
  release(): void;
}

export const LOCK_FILE = 'lock';
const REFRESH_MS = 5_000;
const STALE_MS = 30_000;
const TAKE_OVER_ATTEMPTS = 10;

function take(draft: string, file: string): void {
  for (let attempt = 0; attempt < TAKE_OVER_ATTEMPTS; attempt += 1) {
    if (linkIfFree(draft, file)) return;
    const holder = readIfThere(file);
    if (holder === null) continue;
    const [host, pid] = holder.split(' ');
    if (isAlive(holder, file)) throw new Error(`it is in use by process ${pid} on ${host}`);
    removeStale(file, holder);
  }
  throw new Error('its lock changes hands all the time');
}

function isAlive(holder: string, file: string): boolean {
  const [host, pid = '', startTime] = holder.split(' ');
  if (host !== os.hostname()) return Date.now() - lastTouchedMs(file) < STALE_MS;
  return /^\d+$/.test(pid) && startTimeOf(Number(pid)) === startTime;
}

/** `dead` when there is no such process, or only what is left of one that nobody has waited for. */
function startTimeOf(pid: number): string {
  if (process.platform === 'linux') {
    const stat = readIfThere(`/proc/${pid}/stat`);
    // The name before them may hold spaces and brackets; the state is the first field behind it, the start time the 20th.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields?.[0] === 'Z' ? 'dead' : (fields?.[19] ?? 'dead');
  }
  try {
    const out = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return out.trim().replaceAll(/\s+/g, '_') || 'dead';
  } catch {
    return 'dead';
  }
}

function linkIfFree(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Moves the lock away before deleting it, to see that it is still the dead one and not one just taken. */
function removeStale(file: string, holder: string): void {
  const away = `${file}.${randomUUID()}`;
  try {
    fs.renameSync(file, away);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return;
    throw error;
  }
  if (readIfThere(away) !== holder) linkIfFree(away, file);
  fs.rmSync(away, { force: true });
}

function touch(file: string): void {
  const now = new Date();
  fs.utimes(file, now, now, () => {});
}

function lastTouchedMs(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function readIfThere(file: string): string | null {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ESRCH')) return null;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
