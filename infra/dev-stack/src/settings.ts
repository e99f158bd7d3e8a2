import { resolve } from 'node:path';
import {
  logLevelSetting,
  portSetting,
  readConfig,
  textSetting,
  urlSetting,
} from '@points/runtime/config';
import { z } from 'zod';

const schema = z.object({
  PORT: portSetting().default(3000),
  HOST: textSetting('an address of this machine').default('127.0.0.1'),
  DATA_DIR: textSetting('a folder').default('.data'),
  LOG_LEVEL: logLevelSetting(),
  EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']).optional(),
  DATABASE_URL: urlSetting(['postgres', 'postgresql']).optional(),
  NATS_URL: urlSetting(['nats', 'tls']).optional(),
});

export type Settings = {
  /** 0 = a free one. */
  httpPort: number;
  host: string;
  /** Absolute. */
  dataDir: string;
  logLevel: string;
  /** Each names a running server that replaces the one the stack would start. */
  eventStoreUrl: string | null;
  databaseUrl: string | null;
  natsUrl: string | null;
};

/** The stack's settings from the environment. Throws ConfigError. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const config = readConfig(schema, env);
  return {
    httpPort: config.PORT,
    host: config.HOST,
    dataDir: resolve(config.DATA_DIR),
    logLevel: config.LOG_LEVEL,
    eventStoreUrl: config.EVENTSTORE_URL ?? null,
    databaseUrl: config.DATABASE_URL ?? null,
    natsUrl: config.NATS_URL ?? null,
  };
}
