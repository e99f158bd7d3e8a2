import { setTimeout as sleep } from 'node:timers/promises';
import { PRICING_CONFIG_STREAM } from '@points/contracts/streams';
import type { EventLog } from '@points/event-store/event-log';

const PROBE_EVERY_MS = 1_000;
/** An answer that takes longer counts as none. */
const PROBE_PATIENCE_MS = 2_500;

export interface StoreProbe {
  /** Null while the event store answers, else why it does not. */
  trouble(): string | null;
  stop(): Promise<void>;
}

/** Asks the event store something small every second, so that readiness is known without asking when it is wanted. */
export function probeStore(log: EventLog): StoreProbe {
  const stopping = new AbortController();
  let trouble: string | null = 'not asked yet';

  async function ask(): Promise<string | null> {
    const silence = new AbortController();
    const silent = sleep(PROBE_PATIENCE_MS, 'it does not answer', { signal: silence.signal });
    const answered = log.readLast(PRICING_CONFIG_STREAM).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    const result = await Promise.race([answered, silent.catch(() => null)]);
    silence.abort();
    return result;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      trouble = await ask();
      await sleep(PROBE_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    trouble: () => trouble,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
