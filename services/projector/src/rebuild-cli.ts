import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { ConfigError, readConfig, urlSetting } from '@points/runtime/config';
import { z } from 'zod';
import { rebuild } from './rebuild.ts';

const HELP = `npm run rebuild
Makes the read tables anew from the event log. The old ones serve until the new ones are complete.
The projector may go on running; all projectors must be of this version.

  DATABASE_URL     postgres://… of the read tables
  EVENTSTORE_URL   esdb://… of the event log
  DATA_DIR         without these two: the data folder of a running "npm start" (default .data)

Ends with 0 when the new tables are in place, else with 1 and the old ones as they were. Safe to stop at any time.
`;
const PROGRESS_EVERY_MS = 1_000;

const settings = z.object({
  EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']),
  DATABASE_URL: urlSetting(['postgres', 'postgresql']),
});

async function main(): Promise<void> {
  const [argument] = process.argv.slice(2);
  if (argument === '--help' || argument === '-h') {
    process.stdout.write(HELP);
    return;
  }
  if (argument !== undefined) throw new ConfigError(`there is no "${argument}"; see --help`);
  const config = readConfig(settings, { ...runningStack(), ...process.env });
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupted.abort(new Error('interrupted')));
  }
  const eventLog = connectEventStoreDb({ url: config.EVENTSTORE_URL });
  const startedMs = Date.now();
  let shownMs = startedMs;
  try {
    const { events, position } = await rebuild({
      eventLog,
      databaseUrl: config.DATABASE_URL,
      signal: interrupted.signal,
      onProgress(progress) {
        if (Date.now() - shownMs < PROGRESS_EVERY_MS) return;
        shownMs = Date.now();
        print(`${progress.events} events, at position ${progress.position}`);
      },
    });
    const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
    print(`done: ${events} events up to position ${position} in ${seconds} s`);
  } finally {
    await eventLog.close();
  }
}

/** Addresses of the development stack that runs in DATA_DIR, if one does. */
function runningStack(): Record<string, string> {
  const file = join(process.env['DATA_DIR'] ?? '.data', 'dev-stack.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return {};
  }
  const stack = z
    .object({ eventstore: z.string(), postgres: z.string() })
    .safeParse(JSON.parse(text));
  if (!stack.success) throw new ConfigError(`${file} is not what "npm start" writes`);
  return { EVENTSTORE_URL: stack.data.eventstore, DATABASE_URL: stack.data.postgres };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`rebuild: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
