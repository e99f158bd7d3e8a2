import { ConfigError, readConfig } from '@points/runtime/config';
import { announceReady, createLog } from '@points/runtime/log';
import { createShutdown } from '@points/runtime/shutdown';
import { apiSettings } from './config.ts';
import { ListenError, startApi } from './start.ts';

/** The api as a process: settings from the environment, until a signal. */
async function main(): Promise<void> {
  const settings = readConfig(apiSettings, process.env);
  const log = createLog('api', settings.LOG_LEVEL);
  const shutdown = createShutdown({ log });
  const api = await startApi(settings, { log });
  shutdown.add('api', api.stop);
  announceReady(log, api.port);
}

main().catch((error: unknown) => {
  const isForTheUser = error instanceof ConfigError || error instanceof ListenError;
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`api: ${isForTheUser ? error.message : stack}\n`);
  process.exit(1);
});
