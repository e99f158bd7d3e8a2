import { randomBytes } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { LOCK_FILE, lockFolder } from '@points/dev-event-store/folder-lock';
import { processIdentity } from './processes.ts';
import { StartError } from './start-error.ts';

export type DataFolder = {
  /** Absolute, without links. */
  path: string;
  /** Gives the folder back to the next stack. */
  unlock: () => void;
};

/** Makes the folder and takes it for this process alone. Throws StartError. */
export function openDataFolder(path: string): DataFolder {
  const advice = 'choose another one with DATA_DIR=<folder>';
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    const realPath = realpathSync(path);
    writeFileSync(join(realPath, '.gitignore'), '*\n');
    dropLockOfZombie(realPath);
    return { path: realPath, unlock: lockFolder(realPath) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason.startsWith('it is in use')) {
      throw new StartError(
        `The data folder ${path} belongs to a stack that runs (${reason}): stop that one, or ${advice}.`,
      );
    }
    throw new StartError(
      `The data folder ${path} cannot be written (${reason}): mend that, or ${advice}.`,
    );
  }
}

/**
 * A process that was killed stays in the process list until its parent has asked for its end, which
 * in a container may be never. Such a zombie holds nothing any more, but its lock looks alive.
 */
export function dropLockOfZombie(folder: string): void {
  const file = join(folder, LOCK_FILE);
  if (!existsSync(file)) return;
  const holder = readFileSync(file, 'utf8');
  const pid = Number.parseInt(holder, 10);
  if (!Number.isInteger(pid) || processIdentity(pid) !== null) return;
  // Moved away before it is deleted, to see that it is still that one and not one just taken.
  const away = `${file}.${randomBytes(4).toString('hex')}`;
  renameSync(file, away);
  if (readFileSync(away, 'utf8') !== holder) linkSync(away, file);
  rmSync(away);
}

/** A secret made on first use and then kept in the folder. */
export function keptSecret(dataDir: string, name: string): string {
  const file = join(dataDir, name);
  if (!existsSync(file)) {
    // Renamed into place: an interrupted write must not leave half a secret.
    writeFileSync(`${file}.unfinished`, randomBytes(36).toString('base64url'), { mode: 0o600 });
    renameSync(`${file}.unfinished`, file);
  }
  return readFileSync(file, 'utf8').trim();
}
