import path from 'node:path';
import { JournalError } from './journal-error.ts';
import { startDevEventStore } from './server.ts';
import type { DevEventStoreOptions } from './server.ts';
import type { SlowSubscriber } from './subscription.ts';

/**
 * The stand-in as a process of its own. Prints one line when it is ready; ends with 0 after SIGTERM or SIGINT, when
 * everything under way is on disk, and with 1 and one sentence when it cannot run.
 */
async function main(): Promise<void> {
  const settings = readSettings(process.env);
  const server = await startDevEventStore({
    ...settings,
    log: complain,
    // The journal's own log line has said what happened.
    onFailure: () => process.exit(1),
  });
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    server.close().then(() => process.exit(0), fail);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const place =
    settings.dataDir === null
      ? 'in memory only, nothing outlives it'
      : `journal in ${settings.dataDir}`;
  process.stdout.write(
    `dev-event-store (for development and tests only) ready on ${server.url}, ${place}\n`,
  );
}

const DEFAULT_PORT = 2113;

function readSettings(
  env: NodeJS.ProcessEnv,
): DevEventStoreOptions & { readonly dataDir: string | null } {
  const folder = env['EVENT_STORE_DATA_DIR'] ?? '';
  return {
    port: readPort(env['EVENT_STORE_PORT']),
    host: env['EVENT_STORE_HOST'] ?? '127.0.0.1',
    dataDir: folder === '' ? null : path.resolve(folder),
    slowSubscriber: readSlowSubscriber(env['EVENT_STORE_SLOW_SUBSCRIBER']),
  };
}

function readPort(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_PORT;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new SettingError(
    `EVENT_STORE_PORT must be a port number from 0 (any free one) to 65535, not "${text}"`,
  );
}

function readSlowSubscriber(text: string | undefined): SlowSubscriber {
  if (text === undefined || text === '') return 'cut';
  if (text === 'cut' || text === 'catch_up') return text;
  throw new SettingError(`EVENT_STORE_SLOW_SUBSCRIBER must be cut or catch_up, not "${text}"`);
}

class SettingError extends Error {
  override readonly name = 'SettingError';
}

function complain(sentence: string): void {
  process.stderr.write(`dev-event-store: ${sentence}\n`);
}

function fail(error: unknown): void {
  complain(sentenceFor(error));
  process.exit(1);
}

function sentenceFor(error: unknown): string {
  if (error instanceof SettingError || error instanceof JournalError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  const port = 'port' in error ? String(error.port) : '?';
  const address = 'address' in error ? String(error.address) : '?';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is taken; stop what listens there or set EVENT_STORE_PORT to another one`;
    case 'EACCES':
      return `not allowed to listen on port ${port}; set EVENT_STORE_PORT to another one`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `cannot listen on EVENT_STORE_HOST ${process.env['EVENT_STORE_HOST']}: this machine has no such address`;
    default:
      return error.stack ?? error.message;
  }
}

main().catch(fail);
