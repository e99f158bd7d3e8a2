import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type Postgres, startPostgres } from '../postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser URL of the run's PostgreSQL; each test file creates a database of its own in it. */
    postgresUrl: string;
  }
}

type Shared = { users: number; server: Promise<{ postgres: Postgres; dataDir: string }> };
const KEY = Symbol.for('points-ledger.test-postgres');
const holder: { [KEY]?: Shared; process: unknown } = globalThis;

/** Starts one PostgreSQL for the whole run; vitest calls this once for each project that asks. */
export async function setup(project: TestProject): Promise<void> {
  const shared = (holder[KEY] ??= { users: 0, server: start() });
  shared.users += 1;
  const { postgres } = await shared.server;
  project.provide('postgresUrl', postgres.url);
}

/** Stops it when the last of those projects has ended. */
export async function teardown(): Promise<void> {
  const shared = holder[KEY];
  if (!shared) return;
  shared.users -= 1;
  if (shared.users > 0) return;
  delete holder[KEY];
  const { postgres, dataDir } = await shared.server;
  await postgres.stop();
  rmSync(postgres.clusterDir, { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
}

async function start(): Promise<{ postgres: Postgres; dataDir: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'points-test-'));
  chmodSync(dataDir, 0o755); // as root the server runs as another user
  // The data are thrown away, and a test that kills the server needs no fsync to find them again.
  try {
    return {
      dataDir,
      postgres: await startPostgres({ dataDir, database: 'test', durable: false }),
    };
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}
