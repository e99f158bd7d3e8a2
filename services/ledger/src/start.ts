import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_REQUEST_BYTES, LEDGER_QUEUE, subjectPattern } from '@points/contracts/ledger';
import { type Account, freshAccount } from '@points/domain/account/account';
import type { EventLog } from '@points/event-store/event-log';
import type { SnapshotNotice } from '@points/event-store/lane-snapshots';
import { createLanes } from '@points/event-store/lanes';
import { REAL_TIMERS } from '@points/event-store/timers';
import type { Session } from '@points/read-model/database';
import type { Clock } from '@points/runtime/clock';
import type { Readiness } from '@points/runtime/health';
import type { Log } from '@points/runtime/log';
import { createJetStream } from '@points/runtime/jetstream';
import type { Metrics } from '@points/runtime/metrics';
import { type Nats, settledWithin } from '@points/runtime/nats';
import { serve } from '@points/runtime/nats-service';
import { PricingConfigError, readPricingConfig } from '@points/runtime/pricing-config-file';
import { ACCOUNT_FOLD } from './account-fold.ts';
import { checkClock } from './clock-check.ts';
import { buryCrashLoops } from './dead-letters.ts';
import { serveDurable } from './durable.ts';
import { type Answered, createEndpoints } from './endpoints.ts';
import { type LedgerDeps, createTurn } from './ledger-deps.ts';
import { followPrices } from './price-sources.ts';
import { loadPricingConfig } from './pricing-config.ts';
import type { RecallTables } from './recall-tables.ts';
import { type Outcome, refused, toAnswer } from './reply.ts';
import { probeStore } from './store-probe.ts';
import { type Sweeper, startSweeper } from './sweeper.ts';
import { watchWatermark } from './watermark.ts';

/** Requests in work at once in this process; one more is answered `overloaded`. */
const IN_FLIGHT_MAX = 8_192;
/** The parts of `stop`, one after another; with the 5 s of NATS still below SHUTDOWN_TIMEOUT_MS. */
const WORK_STOP_TIMEOUT_MS = 2_000;
const LANES_CLOSE_TIMEOUT_MS = 1_000;
const REST_STOP_TIMEOUT_MS = 300;
const CONFIG_RETRY_MS = 1_000;
const SERVICE_VERSION = '0.1.0';

export interface LedgerSettings {
  readonly configFile: string;
  readonly singleWriter: boolean;
  readonly admins: readonly string[];
  readonly sweepEveryMs: number;
  readonly holdGraceMs: number;
  readonly holdExpiryQuietMs: number;
  /** Ids that an account remembers, when other than usual. */
  readonly rememberedIdsMax?: number;
}

export interface Ledger {
  ready(): Readiness;
  readonly sweeper: Sweeper;
  /** See `Watermark.current`. */
  watermarkMs(): number | null;
  stop(): Promise<void>;
}

/**
 * Starts the ledger: serves NATS at once, and is ready when it has read prices from the event store. Waits for nothing
 * that is down. Throws `PricingConfigError` when the pricing file is wrong.
 */
export async function startLedger(deps: {
  readonly log: EventLog;
  readonly nats: Nats;
  readonly openSession: () => Promise<Session>;
  readonly recallTables: RecallTables;
  readonly clock: Clock;
  readonly logger: Log;
  readonly metrics: Metrics;
  readonly settings: LedgerSettings;
  /** The store is not the one written before, NATS took our subscriptions away, or a bug: end the process. */
  readonly onFatal: (error: unknown) => void;
}): Promise<Ledger> {
  const { logger, clock, nats, settings } = deps;
  await readPricingConfig(settings.configFile);
  const clockCheck = checkClock(deps.log, clock);
  const { log } = clockCheck;
  const lanes = createLanes<Account>({
    log,
    fold: { ...ACCOUNT_FOLD, initial: () => freshAccount(settings.rememberedIdsMax) },
    singleWriter: settings.singleWriter,
    onFatal: deps.onFatal,
    onSnapshot: meterSnapshots(deps.metrics, logger),
  });
  const prices = followPrices({ log, logger, timers: REAL_TIMERS });
  const probe = probeStore(log);
  const streams = createJetStream(nats);
  const watermark = watchWatermark({
    nats,
    streams,
    clock,
    timers: REAL_TIMERS,
    quietMs: settings.holdExpiryQuietMs,
    log: logger,
    metrics: deps.metrics,
  });
  const ledger: LedgerDeps = {
    log,
    lanes,
    prices,
    recallTables: deps.recallTables,
    clock,
    timers: REAL_TIMERS,
    logger,
    admins: new Set(settings.admins),
    watermarkMs: () => (clockCheck.isTrusted() ? watermark.current() : null),
    holdGraceMs: settings.holdGraceMs,
    configFile: settings.configFile,
    catalogTurn: createTurn(),
  };
  const config = keepConfigLoaded(ledger);
  const sweeper = startSweeper({
    ledger,
    everyMs: settings.sweepEveryMs,
    mayExpire: clockCheck.isTrusted,
    openSession: deps.openSession,
  });

  const durable = serveDurable({
    ledger,
    nats,
    streams,
    storeTrouble: probe.trouble,
    metrics: deps.metrics,
  });
  const crashLoops = buryCrashLoops({ nats, streams, timers: REAL_TIMERS, log: logger });

  /** At once, and no part waits for another one that hangs. */
  async function stopAll(
    timeoutMs: number,
    parts: Readonly<Record<string, { stop(): Promise<void> }>>,
  ): Promise<void> {
    const stops = Object.entries(parts).map(async ([part, each]) => {
      if (!(await settledWithin(each.stop(), timeoutMs)))
        logger.error({ part, timeoutMs }, 'did not stop in time');
    });
    await Promise.all(stops);
  }

  function ready(): Readiness {
    const store = probe.trouble();
    if (store !== null) return { ok: false, reason: `event store: ${store}` };
    if (!nats.isConnected()) return { ok: false, reason: 'NATS: not connected' };
    if (!config.loaded())
      return {
        ok: false,
        reason: `prices: ${prices.trouble() ?? 'the pricing config is being loaded'}`,
      };
    if (!clockCheck.isTrusted())
      return { ok: false, reason: `clock: ${clockCheck.skewMs()} ms off the event store's` };
    const stored = durable.trouble() ?? watermark.trouble();
    if (stored !== null) return { ok: false, reason: `NATS: ${stored}` };
    return { ok: true };
  }

  async function health(): Promise<Outcome> {
    const { ok, reason } = ready();
    const result = {
      event_store: probe.trouble() === null ? ('up' as const) : ('down' as const),
      caught_up: ok,
      ...(reason === undefined ? {} : { reason }),
    };
    return { ok: true, result, atMs: clock.now() };
  }

  const endpoints = createEndpoints(ledger, health, meter(deps.metrics, lanes));
  const serving = await serve(nats, {
    name: 'ledger',
    version: SERVICE_VERSION,
    endpoints: endpoints.map(({ name, endpoint, handle }) => ({
      name,
      subject: subjectPattern(endpoint),
      queue: LEDGER_QUEUE,
      handler: handle,
    })),
    maxInFlight: IN_FLIGHT_MAX,
    overloaded: (request) => toAnswer(refused('overloaded'), commandIdIn(request.data)),
    // A bug: something may have been written before it showed.
    failed: (request) => toAnswer(refused('outcome_unknown'), commandIdIn(request.data)),
    onBroken: deps.onFatal,
    log: logger,
  });
  return {
    ready,
    sweeper,
    watermarkMs: ledger.watermarkMs,
    async stop() {
      await stopAll(WORK_STOP_TIMEOUT_MS, { serving, durable, crashLoops, sweeper });
      await lanes.close(LANES_CLOSE_TIMEOUT_MS);
      await stopAll(REST_STOP_TIMEOUT_MS, { config, prices, probe, watermark });
    },
  };
}

/** Loads the pricing file into the log once the log can be read; the file itself has been checked already. */
function keepConfigLoaded(ledger: LedgerDeps) {
  const stopping = new AbortController();
  let loaded = false;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted && !loaded) {
      try {
        if (ledger.prices.hasRead()) {
          const { version, changed } = await loadPricingConfig({
            file: ledger.configFile,
            log: ledger.log,
            prices: ledger.prices,
            nowMs: ledger.clock.now(),
            actorId: 'ledger',
          });
          loaded = true;
          ledger.logger.info({ version, changed }, 'pricing config is in force');
          return;
        }
      } catch (error) {
        const level = error instanceof PricingConfigError ? 'error' : 'warn';
        ledger.logger[level](
          { err: error },
          'the pricing config could not be loaded; trying again',
        );
      }
      await sleep(CONFIG_RETRY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    loaded: () => loaded,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

function meter(
  metrics: Metrics,
  lanes: { queued(): number; cached(): number; frozen(): number },
): (answered: Answered) => void {
  const answers = metrics.counter('ledger_answers_total', 'Answers by endpoint and outcome', [
    'endpoint',
    'outcome',
  ]);
  const seconds = metrics.histogram('ledger_answer_seconds', 'Time from request to answer', [
    'endpoint',
  ]);
  const queued = metrics.gauge('ledger_lane_commands_queued', 'Commands waiting in all lanes');
  const cached = metrics.gauge('ledger_lanes_cached', 'Accounts kept in memory');
  const frozen = metrics.gauge(
    'ledger_lanes_frozen',
    'Accounts whose last append has an unknown outcome',
  );
  return ({ endpoint, outcome, durationMs }) => {
    answers.inc({ endpoint, outcome });
    seconds.observe({ endpoint }, durationMs / 1_000);
    queued.set(lanes.queued());
    cached.set(lanes.cached());
    frozen.set(lanes.frozen());
  };
}

/** A snapshot that is of no use costs time only, but so often that somebody should know. */
function meterSnapshots(metrics: Metrics, logger: Log): (notice: SnapshotNotice) => void {
  const notices = metrics.counter('ledger_snapshots_total', 'Snapshots of accounts by outcome', [
    'outcome',
  ]);
  return ({ stream, outcome, reason }) => {
    notices.inc({ outcome });
    if (outcome === 'ignored' || outcome === 'not_written')
      logger.warn({ stream, outcome, err: reason }, 'snapshot of an account');
  };
}

/** For answers given before a request was read properly. */
function commandIdIn(data: Uint8Array): string | undefined {
  if (data.length > MAX_REQUEST_BYTES) return undefined;
  return /"command_id"\s*:\s*"([0-9a-fA-F-]{36})"/.exec(Buffer.from(data).toString('latin1'))?.[1];
}
