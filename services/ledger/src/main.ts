import { hostname } from 'node:os';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { openDatabase, openSession } from '@points/read-model/database';
import { systemClock } from '@points/runtime/clock';
import {
  ConfigError,
  flagSetting,
  integerSetting,
  logLevelSetting,
  portSetting,
  readConfig,
  textSetting,
  urlSetting,
} from '@points/runtime/config';
import { startHealthServer } from '@points/runtime/health';
import { announceReady, createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import { connectNats } from '@points/runtime/nats';
import { createShutdown } from '@points/runtime/shutdown';
import { PricingConfigError } from '@points/runtime/pricing-config-file';
import { z } from 'zod';
import { recallTables } from './recall-tables.ts';
import { startLedger } from './start.ts';

const DAY_MS = 86_400_000;
/** Forgotten ids are asked for seldom. */
const RECALL_POOL_SIZE = 4;
/** The sweeper reads by indexes; the next round comes soon enough. */
const SWEEP_STATEMENT_TIMEOUT_MS = 5_000;

const settings = z.object({
  EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']),
  DATABASE_URL: urlSetting(['postgres', 'postgresql']),
  NATS_URL: textSetting('the address of the NATS server, such as nats://127.0.0.1:4222'),
  NATS_USER: textSetting('the NATS user of the ledger'),
  NATS_PASS: textSetting('the password of NATS_USER'),
  CONFIG_FILE: textSetting('the path of points-config.yaml').default('config/points-config.yaml'),
  LEDGER_SINGLE_WRITER: flagSetting().default(false),
  LEDGER_ADMINS: textSetting('NATS client names with commas between').default('admin'),
  SWEEP_EVERY_MS: integerSetting(100, DAY_MS).default(300_000),
  HOLD_GRACE_MS: integerSetting(0, DAY_MS).default(60_000),
  HOLD_EXPIRY_QUIET_MS: integerSetting(0, DAY_MS).default(120_000),
  HEALTH_PORT: portSetting().default(0),
  LOG_LEVEL: logLevelSetting(),
});

async function main(): Promise<void> {
  const config = readConfig(settings, process.env);
  const logger = createLog('ledger', config.LOG_LEVEL);
  const shutdown = createShutdown({ log: logger });
  const metrics = createMetrics('ledger');
  const log = connectEventStoreDb({ url: config.EVENTSTORE_URL, log: logger });
  shutdown.add('event store', () => log.close());
  const nats = await connectNats({
    url: config.NATS_URL,
    user: config.NATS_USER,
    pass: config.NATS_PASS,
    name: `ledger@${hostname()}`,
    log: logger,
  });
  shutdown.add('NATS', nats.close);
  void nats.closed.then((error) => {
    logger.error({ err: error }, 'the connection to NATS is closed for good');
    shutdown.stop('NATS is closed', 1);
  });
  const readTables = openDatabase({
    url: config.DATABASE_URL,
    applicationName: 'ledger-recall',
    poolSize: RECALL_POOL_SIZE,
  });
  shutdown.add('read tables', () => readTables.destroy());
  const ledger = await startLedger({
    log,
    nats,
    recallTables: recallTables(readTables),
    openSession: () =>
      openSession({
        url: config.DATABASE_URL,
        applicationName: 'ledger-sweeper',
        statementTimeoutMs: SWEEP_STATEMENT_TIMEOUT_MS,
      }),
    clock: systemClock,
    logger,
    metrics,
    settings: {
      configFile: config.CONFIG_FILE,
      singleWriter: config.LEDGER_SINGLE_WRITER,
      admins: config.LEDGER_ADMINS.split(','),
      sweepEveryMs: config.SWEEP_EVERY_MS,
      holdGraceMs: config.HOLD_GRACE_MS,
      holdExpiryQuietMs: config.HOLD_EXPIRY_QUIET_MS,
    },
    onFatal: (error) => {
      logger.fatal({ err: error }, 'the ledger cannot go on');
      process.exit(1);
    },
  });
  shutdown.add('ledger', ledger.stop);
  const health = await startHealthServer({
    ready: ledger.ready,
    metrics,
    port: config.HEALTH_PORT,
  });
  shutdown.add('health server', health.stop);
  announceReady(logger, health.port);
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError || error instanceof PricingConfigError)
    process.stderr.write(`ledger: ${error.message}\n`);
  else
    process.stderr.write(
      `ledger: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
  process.exit(1);
});
