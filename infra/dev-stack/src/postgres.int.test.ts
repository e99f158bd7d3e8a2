import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { findPostgresBinaries, installedFolder } from './postgres-binaries.ts';
import { postgresUser } from './postgres-cluster.ts';
import { type Postgres, type PostgresOptions, startPostgres } from './postgres.ts';

const IS_ROOT = process.getuid?.() === 0;
const running: Postgres[] = [];
let folder: string;
let dataDir: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'points-postgres-'));
  chmodSync(folder, 0o755);
  dataDir = join(folder, 'data');
  const postgres = await start();
  await query(postgres, 'create table kept (value text)');
  await query(postgres, "insert into kept values ('first')");
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((postgres) => postgres.stop()));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function start(options: Partial<PostgresOptions> = {}): Promise<Postgres> {
  const postgres = await startPostgres({ dataDir, database: 'points', durable: false, ...options });
  running.push(postgres);
  return postgres;
}

async function query(postgres: Postgres, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => {}); // the server is killed under some of these
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

function firstNumber(stream: Readable): Promise<number> {
  return new Promise((resolve) =>
    stream.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))),
  );
}

describe('startPostgres', () => {
  it('listens on this machine only, wants the password and syncs to disk unless told otherwise', async () => {
    const postgres = await start({ durable: true });
    expect(await query(postgres, 'show listen_addresses')).toEqual(['127.0.0.1']);
    expect(await query(postgres, 'show fsync')).toEqual(['on']);
    const stranger = { ...postgres, url: postgres.url.replace(/:[^:@]+@/, ':wrong@') };
    await expect(query(stranger, 'select 1')).rejects.toThrow('password authentication failed');
  });

  it('keeps data and password over a restart', async () => {
    const first = await start();
    await first.stop();
    const second = await start();
    expect(await query(second, 'select value from kept')).toEqual(['first']);
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
  });

  it('takes over from a server that was killed a moment ago', async () => {
    const killed = await start();
    const busy = query(killed, 'select pg_sleep(60)').catch((error: unknown) => error);
    await query(killed, "insert into kept values ('before the kill')");
    process.kill(killed.pid, 'SIGKILL');
    const next = await start({ port: killed.port });
    expect(await query(next, 'select value from kept')).toContain('before the kill');
    expect(await busy).toBeInstanceOf(Error);
  });

  it('waits for the last process of a killed server', async () => {
    const killed = await start();
    const client = new pg.Client({ connectionString: killed.url });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const backend = rows[0]?.pid ?? 0;
    process.kill(backend, 'SIGSTOP'); // it cannot notice that its server dies
    process.kill(killed.pid, 'SIGKILL');
    const logFile = join(dataDir, 'postgres.log');
    const logStart = statSync(logFile).size;
    const next = start();
    try {
      await vi.waitFor(
        () =>
          expect(readFileSync(logFile, 'utf8').slice(logStart)).toContain('shared memory block'),
        { timeout: 10_000 },
      );
    } finally {
      process.kill(backend, 'SIGCONT');
    }
    expect(await query(await next, 'select 1')).toEqual([1]);
    await client.end().catch(() => {});
  });

  it('ends a server that somebody left running on the same folder', async () => {
    const orphan = await start();
    const next = await start();
    expect(await orphan.exited).toEqual({ code: 0, signal: null });
    expect(await query(next, 'select count(*)::int from kept')).not.toEqual([0]);
  });

  it.each([
    ['another program now', 'exec sleep 60'],
    ['a zombie', 'sleep 0 & echo $!; exec sleep 60'],
  ])('is not kept out by a lock file whose process number belongs to %s', async (_name, script) => {
    const first = await start();
    const lockFile = join(first.clusterDir, 'postmaster.pid');
    const lines = readFileSync(lockFile, 'utf8').split('\n');
    await first.stop();
    const user = postgresUser(first.clusterDir);
    const identity = user && { uid: user.uid, gid: user.gid };
    const other = spawn('sh', ['-c', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...identity,
    });
    const holder = script.includes('echo') ? await firstNumber(other.stdout) : other.pid;
    writeFileSync(lockFile, [holder, ...lines.slice(1)].join('\n'));
    const second = await start();
    expect(await query(second, 'select 1')).toEqual([1]);
    expect(other.exitCode).toBeNull();
    other.kill();
  });

  it('says that a given port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await expect(start({ port })).rejects.toThrow(
      /^PostgreSQL did not start: .*could not.*(more in .*postgres\.log)/,
    );
    other.close();
  });

  it('makes the cluster anew when making it was interrupted', async () => {
    const interrupted = join(folder, 'interrupted');
    mkdirSync(join(interrupted, 'postgres.unfinished', 'base'), { recursive: true });
    const postgres = await start({ dataDir: interrupted });
    expect(await query(postgres, 'select 1')).toEqual([1]);
    expect(readdirSync(interrupted).toSorted()).toEqual(['postgres', 'postgres.log']);
  });
});

describe.runIf(IS_ROOT)('as root below a folder that only root can enter', () => {
  it('keeps the data in a shelter that the data folder links to', async () => {
    const closed = join(folder, 'closed');
    const shelterDir = join(folder, 'shelter');
    mkdirSync(closed, { mode: 0o700 });
    const options = { dataDir: join(closed, '.data'), shelterDir };
    const first = await start(options);
    await query(first, 'create table kept ()');
    expect(dirname(dirname(first.clusterDir))).toBe(shelterDir);
    expect(lstatSync(join(closed, '.data', 'postgres')).isSymbolicLink()).toBe(true);
    await first.stop();
    const second = await start(options);
    expect(await query(second, "select relname from pg_class where relname = 'kept'")).toEqual([
      'kept',
    ]);
    await second.stop();

    rmSync(join(closed, '.data'), { recursive: true });
    const afresh = await start(options);
    expect(await query(afresh, "select relname from pg_class where relname = 'kept'")).toEqual([]);
  });

  it('runs copies of the programs', () => {
    const closed = join(folder, 'closed-programs');
    mkdirSync(closed, { mode: 0o700 });
    cpSync(dirname(installedFolder()), join(closed, 'package'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    const shelterDir = join(folder, 'program-shelter');
    const find = () =>
      findPostgresBinaries(postgresUser(closed), shelterDir, join(closed, 'package', 'native'));
    const binaries = find();
    expect(binaries.postgres).toContain(shelterDir);
    expect(readdirSync(shelterDir)).toHaveLength(1);
    expect(find()).toEqual(binaries);
  });
});

it('makes the links and permissions that npm makes only when it may run scripts', () => {
  const unhydrated = join(folder, 'unhydrated');
  cpSync(dirname(installedFolder()), unhydrated, {
    recursive: true,
    filter: (source) => !lstatSync(source).isSymbolicLink(),
  });
  const native = join(unhydrated, 'native');
  chmodSync(join(native, 'bin', 'postgres'), 0o644);
  expect(existsSync(join(native, 'lib', 'libicuuc.so.60'))).toBe(false);
  const binaries = findPostgresBinaries(
    postgresUser(unhydrated),
    join(folder, 'unused-shelter'),
    native,
  );
  expect(binaries.postgres).toBe(join(native, 'bin', 'postgres'));
  expect(existsSync(join(folder, 'unused-shelter'))).toBe(false);
});
