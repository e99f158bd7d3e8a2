import { join } from 'node:path';
import { createLog } from '@points/runtime/log';
import { connectNats, NatsRequestError } from '@points/runtime/nats';
import { ProvisionError, provisionStreams } from '../../nats/provision.ts';
import type { DevStackFile } from './dev-stack-file.ts';
import { startEventStore } from './event-store.ts';
import { checkExternalServer, externalNatsClients } from './external-server.ts';
import { startNatsServer } from './nats-server.ts';
import type { Part } from './part.ts';
import { startPostgres } from './postgres.ts';
import type { Settings } from './settings.ts';
import { StartError } from './start-error.ts';

export type ServerUrls = Omit<DevStackFile, 'http' | 'pids'>;
/** Starts a part now and whenever it dies; `launch` gets 0 and then the port of its first self. */
export type Launch = <P extends Part>(
  name: string,
  launch: (port: number) => Promise<P>,
) => Promise<P>;

/** Starts the three servers that hold data, or looks at those that stand in for them. Throws StartError. */
export async function startServers(options: {
  settings: Settings;
  dataDir: string;
  signal: AbortSignal;
  run: Launch;
}): Promise<ServerUrls> {
  const { settings, dataDir, signal, run } = options;
  const { databaseUrl, natsUrl, eventStoreUrl } = settings;
  const postgres = async () => {
    if (databaseUrl)
      return checkExternalServer('DATABASE_URL', databaseUrl).then(() => databaseUrl);
    const database = 'points_ledger';
    return (await run('postgres', (port) => startPostgres({ dataDir, database, port, signal })))
      .url;
  };
  const nats = async () => {
    if (natsUrl) {
      await checkExternalServer('NATS_URL', natsUrl);
      return withStreams({ url: natsUrl, clients: externalNatsClients(process.env) });
    }
    const dir = join(dataDir, 'nats');
    const { url, clients } = await run('nats', (port) =>
      startNatsServer({ dir, logFile: join(dataDir, 'nats.log'), port, signal }),
    );
    return withStreams({ url, clients });
  };
  const eventStore = async () => {
    if (eventStoreUrl)
      return checkExternalServer('EVENTSTORE_URL', eventStoreUrl).then(() => eventStoreUrl);
    return (await run('eventstore', (port) => startEventStore({ dataDir, port, signal }))).url;
  };
  const starts = [postgres(), nats(), eventStore()] as const;
  // All of them are waited for, also when one fails: what runs must be known, to be stopped.
  await Promise.allSettled(starts);
  const [postgresUrl, natsServer, eventstoreUrl] = await Promise.all(starts);
  return { postgres: postgresUrl, nats: natsServer, eventstore: eventstoreUrl };
}

/** The streams must be there before the services are, which only use them. */
async function withStreams(server: ServerUrls['nats']): Promise<ServerUrls['nats']> {
  const log = createLog('provision', 'silent');
  const { user, pass } = server.clients['provision'] ?? { user: 'provision', pass: '' };
  try {
    const nats = await connectNats({
      url: server.url,
      user,
      pass,
      name: 'dev-stack',
      log,
      waitForServer: false,
    });
    try {
      await provisionStreams(nats);
    } finally {
      await nats.close();
    }
  } catch (error) {
    if (!(error instanceof ProvisionError) && !(error instanceof NatsRequestError)) throw error;
    throw new StartError(error.message);
  }
  return server;
}
