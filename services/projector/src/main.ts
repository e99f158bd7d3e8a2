import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import {
  ConfigError,
  integerSetting,
  logLevelSetting,
  portSetting,
  readConfig,
  textSetting,
  urlSetting,
} from '@points/runtime/config';
import { startHealthServer } from '@points/runtime/health';
import type { Readiness } from '@points/runtime/health';
import { announceReady, createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import type { Metrics } from '@points/runtime/metrics';
import { createShutdown } from '@points/runtime/shutdown';
import { z } from 'zod';
import type { Follower } from './follower.ts';
import { startReconcile } from './reconcile.ts';
import type { RoundDone } from './reconcile.ts';
import { reconcilePart } from './reconcile-tables.ts';
import type { ReconcileState } from './reconcile-tables.ts';
import { startRelay } from './relay/start.ts';
import { startProjector } from './start.ts';
import type { FollowerStatus } from './status.ts';

const DAY_MS = 86_400_000;

const relaySwitch = z.object({
  /** `off`: another process relays, or there is no NATS. */
  RELAY: z.enum(['on', 'off'], { error: 'must be on or off' }).default('on'),
});
const settings = relaySwitch.extend({
  EVENTSTORE_URL: urlSetting(['esdb', 'esdb+discover']),
  DATABASE_URL: urlSetting(['postgres', 'postgresql']),
  HEALTH_PORT: portSetting().default(0),
  /** How often some accounts' rows are compared with the log; 0 = never. */
  RECONCILE_EVERY_MS: integerSetting(0, DAY_MS).default(60_000),
  LOG_LEVEL: logLevelSetting(),
});
const natsSettings = {
  NATS_URL: textSetting(
    'the address of the NATS server, such as nats://127.0.0.1:4222, or RELAY off',
  ),
  NATS_USER: textSetting('the NATS user of the relay'),
  NATS_PASS: textSetting('the password of NATS_USER'),
};

function readSettings(env: NodeJS.ProcessEnv) {
  if (readConfig(relaySwitch, env).RELAY === 'off') {
    return { config: readConfig(settings, env), nats: null };
  }
  const config = readConfig(settings.extend(natsSettings), env);
  const nats = { url: config.NATS_URL, user: config.NATS_USER, pass: config.NATS_PASS };
  return { config, nats };
}

async function main(): Promise<void> {
  const { config, nats } = readSettings(process.env);
  const log = createLog('projector', config.LOG_LEVEL);
  const shutdown = createShutdown({ log });
  const metrics = createMetrics('projector');
  const eventLog = connectEventStoreDb({ url: config.EVENTSTORE_URL, log });
  shutdown.add('event store', () => eventLog.close());
  const followed = { eventLog, databaseUrl: config.DATABASE_URL, log };
  const projector = startProjector({ ...followed, onStatus: measureProjector(metrics) });
  const followers: Record<string, Follower> = { projector };
  if (nats !== null) {
    followers['relay'] = startRelay({ ...followed, nats, onStatus: measureRelay(metrics) });
  }
  shutdown.add('followers', async () => {
    await Promise.all(Object.values(followers).map((follower) => follower.stop()));
  });
  const everyMs = config.RECONCILE_EVERY_MS;
  const reconcile =
    everyMs === 0
      ? null
      : startReconcile({ ...followed, everyMs, onRound: measureReconcile(metrics) });
  if (reconcile !== null) shutdown.add('reconcile', () => reconcile.stop());
  const ready = (): Readiness => {
    const reasons = Object.entries(followers).flatMap(([name, follower]) => {
      const { ready: ok, reason, state } = follower.status();
      return ok ? [] : [`${name}: ${reason ?? state}`];
    });
    const parts = { reconcile: reconcilePart(reconcile?.state() ?? null) };
    return reasons.length === 0
      ? { ok: true, parts }
      : { ok: false, reason: reasons.join('; '), parts };
  };
  const health = await startHealthServer({ ready, metrics, port: config.HEALTH_PORT });
  shutdown.add('health server', () => health.stop());
  // Not for the relay: whoever waits for the tables must not wait for NATS.
  await projector.firstReady;
  announceReady(log, health.port);
}

function measureProjector(metrics: Metrics): (status: FollowerStatus) => void {
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

function measureRelay(metrics: Metrics): (status: FollowerStatus) => void {
  const ready = metrics.gauge('relay_ready', '1 when the facts on NATS follow the log');
  const position = metrics.gauge('relay_position', 'Log position up to which facts are published');
  const waiting = metrics.gauge('relay_waiting_events', 'Events received and not published yet');
  const published = metrics.gauge('relay_published_facts', 'Facts published since the start');
  return (status) => {
    ready.set(status.ready ? 1 : 0);
    position.set(Number(status.position ?? 0n));
    waiting.set(status.waitingEvents);
    published.set(status.appliedEvents);
  };
}

function measureReconcile(metrics: Metrics): (state: ReconcileState, done: RoundDone) => void {
  const drifted = metrics.gauge(
    'reconcile_drift_accounts',
    'Accounts whose read tables are not what the log says',
  );
  const checked = metrics.counter(
    'reconcile_accounts_checked_total',
    'Accounts that this process compared with the log',
  );
  const skipped = metrics.gauge(
    'reconcile_skipped_accounts',
    'Accounts that were not compared when their turn came last: too many events, or a failure',
  );
  const failed = metrics.counter(
    'reconcile_failures_total',
    'Accounts that this process could not compare with the log',
  );
  const lastRound = metrics.gauge(
    'reconcile_last_round_timestamp_seconds',
    'When a round of comparison with the log last ended',
  );
  return ({ driftedAccounts, skippedAccounts, lastRoundAt }, { accounts, failures }) => {
    drifted.set(driftedAccounts);
    skipped.set(skippedAccounts);
    checked.inc(accounts);
    failed.inc(failures);
    if (lastRoundAt !== null) lastRound.set(lastRoundAt.getTime() / 1000);
  };
}

main().catch((error: unknown) => {
  const isPlain = error instanceof ConfigError;
  const text = error instanceof Error && !isPlain ? error.stack : String(error);
  process.stderr.write(`projector: ${error instanceof ConfigError ? error.message : text}\n`);
  process.exit(1);
});
