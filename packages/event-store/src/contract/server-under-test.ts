import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startDevEventStore } from '@points/dev-event-store/server';
import type { DevEventStore } from '@points/dev-event-store/server';

/**
 * The server that contract tests run against: the real one named by `EVENTSTORE_URL`, else the stand-in, in this
 * process, on a free port, with its journal in a temporary folder that `stop` deletes.
 *
 * A real server is shared and keeps what earlier runs wrote: use stream names that nobody used before.
 */
export async function startServerUnderTest(): Promise<ServerUnderTest> {
  const url = process.env['EVENTSTORE_URL'];
  if (url !== undefined && url !== '') {
    return { url, kind: 'external', standIn: null, stop: () => Promise.resolve() };
  }
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'event-store-'));
  const standIn = await startDevEventStore({ dataDir: folder });
  return {
    url: standIn.url,
    kind: 'dev-event-store',
    standIn,
    stop: async () => {
      await standIn.close();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

export interface ServerUnderTest {
  /** Connection string. */
  readonly url: string;
  readonly kind: 'dev-event-store' | 'external';
  /** The stand-in with its fault switches; null for a real server. */
  readonly standIn: DevEventStore | null;
  stop(): Promise<void>;
}
