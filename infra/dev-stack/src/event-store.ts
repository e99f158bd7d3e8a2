import { join } from 'node:path';
import type { Part } from './part.ts';
import { freePort } from './processes.ts';
import { startService } from './service.ts';

export type EventStore = Part & { url: string };

/** Runs the development event store with its journal in `<dataDir>/eventstore`. Throws StartError. */
export async function startEventStore(options: {
  dataDir: string;
  /** 0 = a free one. */
  port?: number;
  signal: AbortSignal;
}): Promise<EventStore> {
  const folder = join(options.dataDir, 'eventstore');
  const port = options.port || (await freePort());
  const part = await startService({
    name: 'eventstore',
    main: 'infra/dev-event-store/src/main.ts',
    env: {
      EVENT_STORE_PORT: String(port),
      EVENT_STORE_HOST: '127.0.0.1',
      EVENT_STORE_DATA_DIR: folder,
    },
    dataDir: options.dataDir,
    signal: options.signal,
    isReady: (log) => / ready on esdb:/.test(log),
  });
  return { ...part, port, url: `esdb://127.0.0.1:${port}?tls=false` };
}
