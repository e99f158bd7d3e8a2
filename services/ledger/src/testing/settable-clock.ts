import type { Clock } from '@points/runtime/clock';
import { HOUR_MS } from '@points/domain/time';

/** A clock that stands still until a test moves it. */
export interface SettableClock extends Clock {
  nowMs: number;
  /** Hours since the clock's start, as the golden examples count them. */
  at(hours: number): number;
  setTo(hours: number): void;
}

export function settableClock(startMs: number): SettableClock {
  const clock: SettableClock = {
    nowMs: startMs,
    now: () => clock.nowMs,
    at: (hours) => startMs + hours * HOUR_MS,
    setTo: (hours) => {
      clock.nowMs = clock.at(hours);
    },
  };
  return clock;
}
