import type { Clock } from '@points/runtime/clock';

/** A clock that stands still until a test moves it. */
export interface SettableClock extends Clock {
  nowMs: number;
}

export function settableClock(startMs: number): SettableClock {
  const clock: SettableClock = { nowMs: startMs, now: () => clock.nowMs };
  return clock;
}
