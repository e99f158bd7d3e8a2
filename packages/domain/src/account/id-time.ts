import { DAY_MS, MINUTE_MS, uuidV7Time } from '../time.ts';

/** An id bounds its own memory: older ones are refused, so nothing older must be remembered. */
export const ID_MAX_AGE_MS = 7 * DAY_MS;
export const ID_MAX_AHEAD_MS = 5 * MINUTE_MS;

/** Judges the time inside a UUIDv7 against the clock; ids of other versions carry none and are `good`. */
export function judgeIdTime(uuid: string, nowMs: number): 'good' | 'too_old' | 'in_future' {
  const madeMs = uuidV7Time(uuid);
  if (madeMs === null) return 'good';
  if (madeMs > nowMs + ID_MAX_AHEAD_MS) return 'in_future';
  return madeMs < nowMs - ID_MAX_AGE_MS ? 'too_old' : 'good';
}
