import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { type RunAs, runProgram } from './processes.ts';
import { StartError } from './start-error.ts';

export const POSTGRES_USER = 'points';
const INITDB_TIMEOUT_MS = 60_000;
const PASSWORD_FILE = 'points-password';

/**
 * PostgreSQL refuses to run as root. Root's cluster runs as whoever owns it already, else as the
 * system user `postgres` or `nobody`; any other user runs it as itself (null).
 */
export function postgresUser(clusterDir: string): RunAs {
  if (process.getuid?.() !== 0) return null;
  if (existsSync(clusterDir)) {
    const { uid, gid } = statSync(clusterDir);
    if (uid !== 0) return { name: String(uid), uid, gid };
  }
  for (const name of ['postgres', 'nobody']) {
    const uid = numericId('-u', name);
    const gid = numericId('-g', name);
    if (uid !== null && gid !== null) return { name, uid, gid };
  }
  throw new StartError(
    'PostgreSQL does not run as root and this system has neither a user "postgres" nor "nobody": ' +
      'run the command as an ordinary user, or name your own PostgreSQL in DATABASE_URL.',
  );
}

/**
 * The folder of the cluster: `<dataDir>/postgres` when `runAs` can get there. When it cannot (a
 * clone under /root, say) that name becomes a link to a folder of its own below `shelterDir`, so
 * that removing the data folder starts afresh and `ls -l` shows where the data are.
 */
export function placeCluster(dataDir: string, runAs: RunAs, shelterDir: string): string {
  const place = join(dataDir, 'postgres');
  if (lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()) return readlinkSync(place);
  if (canEnter(dataDir, runAs)) return place;
  if (existsSync(place)) {
    throw new StartError(
      `The user ${runAs?.name} that runs PostgreSQL can no longer enter ${dataDir}: ` +
        'give that folder and those above it the permission x for others (chmod o+x).',
    );
  }
  const shelter = join(
    shelterDir,
    `${basename(dataDir).replace(/^\.+/, '')}-${randomBytes(4).toString('hex')}`,
  );
  mkdirSync(shelter, { recursive: true, mode: 0o755 });
  symlinkSync(join(shelter, 'postgres'), place);
  return join(shelter, 'postgres');
}

/** Makes the cluster when there is none; an interrupted attempt leaves nothing behind that counts. */
export async function createCluster(
  clusterDir: string,
  runAs: RunAs,
  binaries: PostgresBinaries,
  options: { durable: boolean; signal: AbortSignal | undefined },
): Promise<void> {
  if (existsSync(join(clusterDir, 'PG_VERSION'))) return;
  const unfinished = `${clusterDir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true, mode: 0o700 });
  const passwordFile = `${unfinished}-password`;
  writeFileSync(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
  giveTo(runAs, unfinished, passwordFile);
  const args = [
    ...[`--pgdata=${unfinished}`, `--username=${POSTGRES_USER}`, `--pwfile=${passwordFile}`],
    ...['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C'],
    ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    ...(options.durable ? [] : ['--no-sync']),
  ];
  const run = await runProgram(binaries.initdb, args, {
    runAs,
    signal: options.signal,
    timeoutMs: INITDB_TIMEOUT_MS,
  });
  if (run.code !== 0) {
    rmSync(unfinished, { recursive: true, force: true });
    rmSync(passwordFile, { force: true });
    throw new StartError(
      `PostgreSQL's data folder ${clusterDir} could not be made: ${run.errors.trim() || 'initdb was ended'}`,
    );
  }
  renameSync(passwordFile, join(unfinished, PASSWORD_FILE));
  renameSync(unfinished, clusterDir);
}

/** The password of POSTGRES_USER, made with the cluster and kept inside it. */
export function clusterPassword(clusterDir: string): string {
  return readFileSync(join(clusterDir, PASSWORD_FILE), 'utf8').trim();
}

/** Written anew at every start: the whole configuration is these lines. */
export function writeClusterConfig(
  clusterDir: string,
  runAs: RunAs,
  options: { port: number; durable: boolean },
): void {
  const path = join(clusterDir, 'postgresql.conf');
  writeFileSync(
    path,
    `# Written at every start by the development stack; changes here are lost.
listen_addresses = '127.0.0.1'
port = ${options.port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = 32MB
# Not /dev/shm, which is small in containers.
dynamic_shared_memory_type = mmap
wal_level = minimal
max_wal_senders = 0
min_wal_size = 32MB
max_wal_size = 512MB
fsync = ${options.durable ? 'on' : 'off'}
io_method = sync
max_parallel_workers_per_gather = 0
max_logical_replication_workers = 0
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
lc_messages = 'C'
`,
  );
  chmodSync(path, 0o600);
  giveTo(runAs, path);
}

function canEnter(dir: string, runAs: RunAs): boolean {
  if (runAs === null) return true;
  // Asked of the system instead of read from mode bits, which say nothing about access lists.
  const options = { cwd: '/', stdio: 'ignore', uid: runAs.uid, gid: runAs.gid } as const;
  return spawnSync('/bin/sh', ['-c', 'cd -- "$0"', dir], options).status === 0;
}

function giveTo(runAs: RunAs, ...paths: string[]): void {
  if (runAs !== null) for (const path of paths) chownSync(path, runAs.uid, runAs.gid);
}

function numericId(flag: '-u' | '-g', name: string): number | null {
  const run = spawnSync('id', [flag, name], { encoding: 'utf8' });
  return run.status === 0 ? Number(run.stdout.trim()) : null;
}
