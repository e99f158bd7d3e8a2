import type { AppendResult, EventLog, EventToAppend, ExpectedRevision } from './event-log.ts';
import type { Timers } from './timers.ts';

/**
 * How long an append waits for others while a burst is in flight. Appends that arrive together at the store share a
 * flush and its thread hops there; alone they cost it up to ten times the processor time.
 */
export const BURST_LINGER_MS = 3;

export type Append = (
  stream: string,
  events: readonly EventToAppend[],
  expectedRevision: ExpectedRevision,
) => Promise<AppendResult>;

interface Waiting {
  readonly send: () => Promise<AppendResult>;
  readonly resolve: (result: Promise<AppendResult>) => void;
}

/**
 * Sends appends of different streams in bursts: everything that became ready while the last burst was in flight leaves
 * together, after at most `BURST_LINGER_MS`; nothing waits while nothing is in flight.
 *
 * How many appends wait is bounded by the lanes (one per lane), how many are in flight by the log.
 */
export function createBursts(log: Pick<EventLog, 'append'>, timers: Timers): Append {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let stopLingering: (() => void) | null = null;
  let scheduled = false;

  function leave(): void {
    stopLingering?.();
    stopLingering = null;
    scheduled = false;
    const burst = waiting;
    waiting = [];
    inFlight += burst.length;
    for (const { send, resolve } of burst) {
      const sent = send();
      sent.then(landed, landed);
      resolve(sent);
    }
  }

  function landed(): void {
    inFlight -= 1;
    if (inFlight === 0 && waiting.length > 0) leave();
  }

  return (stream, events, expectedRevision) =>
    new Promise((resolve) => {
      waiting.push({ send: () => log.append(stream, events, expectedRevision), resolve });
      if (inFlight > 0) stopLingering ??= timers.after(BURST_LINGER_MS, leave);
      else if (!scheduled) {
        // Whatever becomes ready in the same turn leaves together too.
        scheduled = true;
        timers.defer(() => {
          if (scheduled) leave();
        });
      }
    });
}
