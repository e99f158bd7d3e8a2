import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/**
 * Takes a folder for this process alone; returns the way to give it back. Throws when a living process has it; the
 * lock of a dead one is taken over. A process is known by its id and its start time, since ids are used again.
 */
export function lockFolder(folder: string): () => void {
  const file = path.join(folder, LOCK_FILE);
  const mine = `${process.pid} ${startTimeOf(process.pid) ?? 'unknown'} ${randomUUID()}`;
  const draft = `${file}.${randomUUID()}`;
  fs.writeFileSync(draft, mine);
  try {
    for (let attempt = 0; attempt < TAKE_OVER_ATTEMPTS; attempt += 1) {
      if (linkIfFree(draft, file)) return () => release(file, mine);
      const holder = readIfThere(file);
      if (holder === null) continue;
      if (isAlive(holder)) throw new Error(`it is in use by process ${holder.split(' ')[0]}`);
      removeStale(file, holder);
    }
    throw new Error('its lock changes hands all the time');
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

export const LOCK_FILE = 'lock';
const TAKE_OVER_ATTEMPTS = 10;

function isAlive(holder: string): boolean {
  const [pid = '', startTime = '', id = ''] = holder.split(' ');
  // An unfinished lock cannot exist: it is written whole before it gets its name.
  if (!/^\d+$/.test(pid) || id === '') return false;
  return startTimeOf(Number(pid)) === startTime;
}

/** Null when there is no such process, or only what is left of one that nobody has waited for. */
function startTimeOf(pid: number): string | null {
  if (process.platform === 'linux') {
    const stat = readIfThere(`/proc/${pid}/stat`);
    // The name before them may hold spaces and brackets; the state is the first field behind it, the start time the 20th.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields?.[0] === 'Z' ? null : (fields?.[19] ?? null);
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .replaceAll(' ', '_');
  } catch {
    return null;
  }
}

function linkIfFree(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the lock away before deleting it, to see that it is still the dead one and not one just taken. */
function removeStale(file: string, holder: string): void {
  const away = `${file}.${randomUUID()}`;
  try {
    fs.renameSync(file, away);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if (readIfThere(away) !== holder) linkIfFree(away, file);
  fs.rmSync(away, { force: true });
}

function release(file: string, mine: string): void {
  if (readIfThere(file) === mine) fs.rmSync(file, { force: true });
}

function readIfThere(file: string): string | null {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return null;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
