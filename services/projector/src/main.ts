import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import {
  ConfigError,
  logLevelSetting,
  portSetting,
  readConfig,
  urlSetting,
} from '@points/runtime/config';
import { startHealthServer } from '@points/runtime/health';
import { announceReady, createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import type { Metrics } from '@points/runtime/metrics';
import { createShutdown } from '@points/runtime/shutdown';
import { z } from 'zod';
import { startProjector } from './start.ts';
import type { FollowerStatus } from './status.ts';

const settings = z.object({
  EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']),
  DATABASE_URL: urlSetting(['postgres', 'postgresql']),
  HEALTH_PORT: portSetting().default(0),
  LOG_LEVEL: logLevelSetting(),
});

async function main(): Promise<void> {
  const config = readConfig(settings, process.env);
  const log = createLog('projector', config.LOG_LEVEL);
  const shutdown = createShutdown({ log });
  const metrics = createMetrics('projector');
  const eventLog = connectEventStoreDb({ url: config.EVENTSTORE_URL, log });
  shutdown.add('event store', () => eventLog.close());
  const projector = startProjector({
    eventLog,
    databaseUrl: config.DATABASE_URL,
    log,
    onStatus: measure(metrics),
  });
  shutdown.add('projector', () => projector.stop());
  const ready = () => {
    const { ready: ok, reason, state } = projector.status();
    return ok ? { ok } : { ok, reason: reason ?? state };
  };
  const health = await startHealthServer({ ready, metrics, port: config.HEALTH_PORT });
  shutdown.add('health server', () => health.stop());
  await projector.firstReady;
  announceReady(log, health.port);
}

function measure(metrics: Metrics): (status: FollowerStatus) => void {
  const ready = metrics.gauge('projector_ready', '1 when the read tables follow the log');
  const position = metrics.gauge('projector_position', 'Log position that is applied');
  const waiting = metrics.gauge('projector_waiting_events', 'Events received and not applied yet');
  const applied = metrics.gauge('projector_applied_events', 'Events applied since the start');
  return (status) => {
    ready.set(status.ready ? 1 : 0);
    position.set(Number(status.position ?? 0n));
    waiting.set(status.waitingEvents);
    applied.set(status.appliedEvents);
  };
}

main().catch((error: unknown) => {
  const isPlain = error instanceof ConfigError;
  const text = error instanceof Error && !isPlain ? error.stack : String(error);
  process.stderr.write(`projector: ${error instanceof ConfigError ? error.message : text}\n`);
  process.exit(1);
});
