import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventLog } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { readConfig, urlSetting } from '@points/runtime/config';
import { z } from 'zod';
import { reasonOf } from '../reason-of.ts';
import { CannotRunError } from './outcome.ts';

const eventStoreSetting = z.object({
  EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']),
});
const databaseSetting = z.object({
  DATABASE_URL: urlSetting(['postgres', 'postgresql']),
});

/** Runs `work` with the event log that the environment, or the stack in DATA_DIR, names. */
export async function withEventLog<Result>(
  work: (log: EventLog) => Promise<Result>,
): Promise<Result> {
  const { EVENTSTORE_URL } = readConfig(eventStoreSetting, addresses());
  const log = connected(EVENTSTORE_URL);
  try {
    return await work(log);
  } finally {
    await log.close();
  }
}

function connected(url: string): EventLog {
  try {
    return connectEventStoreDb({ url });
  } catch (error) {
    throw new CannotRunError(`EVENTSTORE_URL: ${reasonOf(error)}`);
  }
}

/** The URL of the read tables that the environment, or the stack in DATA_DIR, names. Throws ConfigError. */
export function databaseUrl(): string {
  return readConfig(databaseSetting, addresses()).DATABASE_URL;
}

function addresses(): NodeJS.ProcessEnv {
  return { ...runningStack(), ...process.env };
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
  try {
    const { eventstore, postgres } = stackFile.parse(JSON.parse(text));
    return { EVENTSTORE_URL: eventstore, DATABASE_URL: postgres };
  } catch {
    throw new CannotRunError(`${file} is not what "npm start" writes`);
  }
}

const stackFile = z.object({ eventstore: z.string(), postgres: z.string() });
