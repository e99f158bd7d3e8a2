import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findPostgresBinaries } from './postgres-binaries.ts';
import {
  clusterPassword,
  createCluster,
  placeCluster,
  POSTGRES_USER,
  postgresUser,
  writeClusterConfig,
} from './postgres-cluster.ts';
import { commandLine, endOldProcess, freePort, type RunAs } from './processes.ts';
import { endServer, runServer, type ServerResult } from './server-process.ts';
import type { Part } from './part.ts';
import { StartError } from './start-error.ts';

/** Recovery after a crash replays up to max_wal_size of log. */
const START_TIMEOUT_MS = 60_000;
const OLD_CLUSTER_TIMEOUT_MS = 20_000;
const STOP_FAST_TIMEOUT_MS = 5_000;
const POLL_EVERY_MS = 50;
const PORT_ATTEMPTS = 3;
/** No system gives out this process id, so PostgreSQL finds the holder of the lock dead. */
const IMPOSSIBLE_PID = 2_147_483_646;

export type PostgresOptions = {
  /** The cluster is `postgres` in it; the log goes to `postgres.log`. */
  dataDir: string;
  database: string;
  /** 0 = a free one. */
  port?: number;
  /** false: no fsync, for tests that throw the data away. */
  durable?: boolean;
  /** Where root keeps what the unprivileged user cannot reach below `dataDir` or node_modules. */
  shelterDir?: string;
  /** Aborted: ends the server that is being started. */
  signal?: AbortSignal;
};

export type Postgres = Part & { url: string; clusterDir: string };

/**
 * Starts the PostgreSQL that npm installed on 127.0.0.1 and resolves when it answers and the
 * database exists. An old server of the same folder is ended or waited out first.
 * Throws StartError with one sentence for the user.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { durable = true, shelterDir = '/var/lib/points-ledger' } = options;
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  const runAs = postgresUser(join(dataDir, 'postgres'));
  const binaries = findPostgresBinaries(runAs, runAs ? shelterDir : dataDir);
  const clusterDir = placeCluster(dataDir, runAs, shelterDir);
  await createCluster(clusterDir, runAs, binaries, { durable, signal: options.signal });
  await endOldServer(clusterDir);
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port || (await freePort());
    writeClusterConfig(clusterDir, runAs, { port, durable });
    const logFile = join(dataDir, 'postgres.log');
    const run = await runPostgres({
      program: binaries.postgres,
      clusterDir,
      runAs,
      logFile,
      signal: options.signal,
    });
    if (run.started) return await opened({ ...run, port, clusterDir, database: options.database });
    const portTaken = run.log.includes('could not bind');
    if (!portTaken || options.port || attempt === PORT_ATTEMPTS) {
      throw new StartError(
        `PostgreSQL did not start: ${lastFatalLine(run.log)} (more in ${logFile})`,
      );
    }
  }
}

/** Runs the server until it says that it is ready; tries again while an old one is still dying. */
async function runPostgres(run: {
  program: string;
  clusterDir: string;
  runAs: RunAs;
  logFile: string;
  signal: AbortSignal | undefined;
}): Promise<ServerResult> {
  const { program, clusterDir, runAs, logFile, signal } = run;
  const deadline = Date.now() + OLD_CLUSTER_TIMEOUT_MS;
  for (;;) {
    const result = await runServer({
      command: program,
      args: ['-D', clusterDir],
      env: { ...process.env, LC_ALL: 'C' },
      runAs,
      deathSignal: 'INT',
      logFile,
      isReady: ({ pid }) => isReady(clusterDir, pid),
      timeoutMs: START_TIMEOUT_MS,
      signal,
    });
    const oldOneIsDying = !result.started && /lock file|shared memory block/.test(result.log);
    if (!oldOneIsDying || signal?.aborted || Date.now() > deadline) return result;
    await sleep(POLL_EVERY_MS);
  }
}

/** postmaster.pid is the server's own report of its state: line 1 is its id, line 8 the status. */
function isReady(clusterDir: string, pid: number): boolean {
  const lines = readLockFile(clusterDir);
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

async function opened(
  run: Extract<ServerResult, { started: true }> & {
    port: number;
    clusterDir: string;
    database: string;
  },
): Promise<Postgres> {
  const { pid, port, clusterDir, database, exited } = run;
  const urlOf = (name: string) =>
    `postgres://${POSTGRES_USER}:${clusterPassword(clusterDir)}@127.0.0.1:${port}/${name}`;
  // SIGINT = fast shutdown: cuts the clients, writes a checkpoint. SIGQUIT = recover at next start.
  const stop = () => endServer(run, ['SIGINT', 'SIGQUIT'], STOP_FAST_TIMEOUT_MS);
  try {
    await ensureDatabase(urlOf('postgres'), database);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'postgres', pid, port, clusterDir, url: urlOf(database), exited, stop };
}

async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0)
      await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
}

/**
 * Ends a server that outlived its stack. What is left of the lock of a dead one gets a number that
 * nobody has: its own may belong to another program by now, or to a zombie. PostgreSQL then takes
 * the lock over, and finds with its other lines whether children of that server still live.
 */
async function endOldServer(clusterDir: string): Promise<void> {
  const lockFile = join(clusterDir, 'postmaster.pid');
  const pid = Number(readLockFile(clusterDir)[0]);
  if (commandLine(pid).includes('postgres')) {
    await endOldProcess({
      pidFile: lockFile,
      mark: clusterDir,
      signals: ['SIGINT', 'SIGQUIT'],
      timeoutMs: OLD_CLUSTER_TIMEOUT_MS / 2,
    });
  }
  const [old, ...lines] = readLockFile(clusterDir);
  if (old !== undefined) writeFileSync(lockFile, [IMPOSSIBLE_PID, ...lines].join('\n'));
}

function readLockFile(clusterDir: string): string[] {
  const path = join(clusterDir, 'postmaster.pid');
  try {
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  } catch {
    return []; // removed in between
  }
}

function lastFatalLine(log: string): string {
  const lines = log.trim().split('\n');
  return (
    lines.findLast((line) => /FATAL|PANIC|ERROR|error/.test(line)) ??
    lines.at(-1) ??
    'it said nothing'
  );
}
