import type { EventLog } from '@points/event-store/event-log';
import type { Clock } from '@points/runtime/clock';

/** More than this apart from the store's clock, and this process is not ready and expires nothing. */
export const CLOCK_SKEW_MAX_MS = 5_000;
const CHECK_EVERY_MS = 10_000;

export interface ClockCheck {
  /** The log with its appends watched. */
  readonly log: EventLog;
  /** How far our clock is ahead of the store's (negative: behind), as last seen; 0 before the first append. */
  skewMs(): number;
  isTrusted(): boolean;
}

/**
 * Compares this process' clock with the store's: now and then, right after an own append, the time that the store gave
 * the event must lie between sending it and hearing of it.
 */
export function checkClock(log: EventLog, clock: Clock): ClockCheck {
  let skewMs = 0;
  let nextMs = 0;
  let checking = false;

  async function check(stream: string, id: string, sentMs: number, ackedMs: number): Promise<void> {
    const last = await log.readLast(stream);
    if (last === null || last.id !== id) return;
    skewMs = Math.max(0, sentMs - last.createdMs) + Math.min(0, ackedMs - last.createdMs);
    nextMs = ackedMs + CHECK_EVERY_MS;
  }

  return {
    log: {
      ...log,
      async append(stream, events, expectedRevision) {
        const sentMs = clock.now();
        const result = await log.append(stream, events, expectedRevision);
        const id = events.at(-1)?.id;
        const ackedMs = clock.now();
        // A clock that was set back makes `nextMs` wait; the difference then shows at the next look all the same.
        const due = ackedMs >= nextMs || ackedMs < nextMs - CHECK_EVERY_MS;
        if (result.outcome === 'appended' && id !== undefined && due && !checking) {
          checking = true;
          void check(stream, id, sentMs, ackedMs)
            .catch(() => undefined)
            .finally(() => {
              checking = false;
            });
        }
        return result;
      },
    },
    skewMs: () => skewMs,
    isTrusted: () => Math.abs(skewMs) <= CLOCK_SKEW_MAX_MS,
  };
}
