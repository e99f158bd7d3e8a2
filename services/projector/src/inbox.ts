import type { StoredEvent } from '@points/event-store/event-log';
import type { Timers } from '@points/event-store/timers';
import type { EventBatch } from './follow-log.ts';

export interface InboxLimits {
  /** Most events in one batch. */
  readonly batchEvents: number;
  /** Events that may wait; more means that we are behind. */
  readonly waitingEvents: number;
  /** How long the first event of a batch waits for company. */
  readonly lingerMs: number;
}

/** Between the subscription, which must not wait, and the transactions, which take their time. */
export interface Inbox {
  /** False when no more may come. */
  put(event: StoredEvent): boolean;
  /** Nothing of ours lies before this position. */
  lookedTo(position: bigint): void;
  /** Nothing more will come. */
  close(): void;
  /** The next batch, or null when the inbox is closed and empty. For one taker. */
  take(): Promise<EventBatch | null>;
  waiting(): number;
}

export function createInbox(
  { batchEvents, waitingEvents, lingerMs }: InboxLimits,
  timers: Timers,
): Inbox {
  const events: StoredEvent[] = [];
  let looked: bigint | null = null;
  let closed = false;
  // What `take` waits for, when it waits.
  let wake: (() => void) | null = null;

  const nothingYet = () => events.length === 0 && looked === null && !closed;
  const worthWaiting = () => events.length < batchEvents && !closed;

  /** Returns when `waits` is no longer true, or after `ms`. */
  const wait = (waits: () => boolean, ms?: number) =>
    new Promise<void>((resolve) => {
      if (!waits()) {
        resolve();
        return;
      }
      const stopTimer = ms === undefined ? undefined : timers.after(ms, done);
      function done(): void {
        stopTimer?.();
        wake = null;
        resolve();
      }
      wake = () => {
        if (!waits()) done();
      };
    });

  return {
    put(event) {
      events.push(event);
      looked = event.position;
      wake?.();
      return events.length < waitingEvents;
    },
    lookedTo(position) {
      looked = position;
      wake?.();
    },
    close() {
      closed = true;
      wake?.();
    },
    async take() {
      await wait(nothingYet);
      await wait(worthWaiting, lingerMs);
      const taken = events.splice(0, batchEvents);
      const last = taken.at(-1)?.position ?? null;
      // While events wait, what was looked at lies beyond them.
      const position = events.length > 0 ? last : looked;
      if (events.length === 0) looked = null;
      return position === null ? null : { events: taken, position };
    },
    waiting: () => events.length,
  };
}
