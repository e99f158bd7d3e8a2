import { COMMAND_STREAM } from '@points/contracts/ledger-subjects';
import { type Timers, sleepOn } from '@points/event-store/timers';
import type { Clock } from '@points/runtime/clock';
import { type JetStream, JetStreamError } from '@points/runtime/jetstream';
import type { Log } from '@points/runtime/log';
import type { Metrics } from '@points/runtime/metrics';
import type { Nats } from '@points/runtime/nats';

/** How often NATS is asked. */
const ASK_EVERY_MS = 500;
/** A settlement that has waited longer is a reason to look. */
const ALARM_AGE_MS = 300_000;
/** The same as between this process and the event store. */
const MAX_CLOCK_SKEW_MS = 5_000;
const MS_PER_SECOND = 1_000;

export interface Watermark {
  /** Every settlement stored before this time has been decided; null = not known. */
  current(): number | null;
  /** Why it is not known though NATS is connected; null = it is, or NATS is not connected. */
  trouble(): string | null;
  stop(): Promise<void>;
}

/**
 * Up to when settlements are known to have been decided: until the oldest one that still waits in its stream, or until
 * now when none does. After a time without NATS, however short, and after every question that it did not answer, callers'
 * outboxes first get `quietMs` to empty; meanwhile nothing is known and no hold expires.
 */
export function watchWatermark(deps: {
  readonly nats: Pick<Nats, 'isConnected' | 'disconnects'>;
  readonly streams: Pick<JetStream, 'streamState'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly quietMs: number;
  readonly log: Log;
  readonly metrics: Metrics;
}): Watermark {
  const { nats, clock, log } = deps;
  const stopping = new AbortController();
  const waiting = deps.metrics.gauge(
    'ledger_stored_commands_waiting',
    'Stored settlements that are not decided yet',
  );
  const age = deps.metrics.gauge(
    'ledger_stored_commands_age_seconds',
    'How long the oldest of them has waited',
  );
  /** Since when nothing has been wrong between NATS and us; null while it is. */
  let quietSinceMs: number | null = null;
  let disconnects = nats.disconnects();
  let knownMs: number | null = null;
  let trouble: string | null = 'not asked yet';
  let isLate = false;

  const forget = (): void => {
    quietSinceMs = null;
    knownMs = null;
  };

  const look = (): void => {
    const seen = nats.disconnects();
    if (!nats.isConnected() || seen !== disconnects) forget();
    disconnects = seen;
    if (nats.isConnected()) quietSinceMs ??= clock.now();
  };

  async function ask(): Promise<void> {
    // Taken before asking: whatever is stored from now on must not count as decided.
    const askedMs = clock.now();
    try {
      const { messages, firstMs } = await deps.streams.streamState(COMMAND_STREAM);
      waiting.set(messages);
      const ageMs = firstMs === null ? 0 : askedMs - firstMs;
      age.set(Math.max(0, ageMs) / MS_PER_SECOND);
      warnOfAge(ageMs, messages);
      if (ageMs < -MAX_CLOCK_SKEW_MS) {
        knownMs = null;
        trouble = `the clock of the NATS server is ${-ageMs} ms ahead`;
      } else {
        knownMs = Math.min(askedMs, firstMs ?? askedMs);
        trouble = null;
      }
    } catch (error) {
      if (!(error instanceof JetStreamError)) throw error;
      forget();
      trouble = error.message;
    }
  }

  function warnOfAge(ageMs: number, messages: number): void {
    if (ageMs > ALARM_AGE_MS === isLate) return;
    isLate = !isLate;
    if (isLate) log.error({ ageMs, messages }, 'stored settlements wait for too long');
    else log.info({ messages }, 'stored settlements are decided in time again');
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      look();
      if (nats.isConnected()) await ask();
      look();
      await sleepOn(deps.timers, ASK_EVERY_MS, stopping.signal).catch(() => undefined);
    }
  }

  look();
  const running = run();
  return {
    current() {
      look();
      const isQuiet = quietSinceMs === null || clock.now() - quietSinceMs < deps.quietMs;
      return isQuiet ? null : knownMs;
    },
    trouble: () => (nats.isConnected() ? trouble : null),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
