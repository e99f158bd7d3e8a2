import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { lockFolder } from '@points/dev-event-store/folder-lock';
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
