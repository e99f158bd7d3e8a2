import { shanghaiDay } from '../time.ts';
import type { FreeUse } from './account.ts';

const MONTH_DIGITS = 6;

/** Counts one more free use of a member at that time. */
export function countFreeUse(use: FreeUse, atMs: number): FreeUse {
  const now = freeUseAt(use, atMs);
  return { ...now, inDay: now.inDay + 1, inMonth: now.inMonth + 1 };
}

/** A free use that was canceled does not count, as long as its day and month are the ones being counted. */
export function uncountFreeUse(use: FreeUse, placedMs: number): FreeUse {
  const day = shanghaiDay(placedMs);
  return {
    day: use.day,
    inDay: day === use.day ? use.inDay - 1 : use.inDay,
    inMonth: sameMonth(day, use.day) ? use.inMonth - 1 : use.inMonth,
  };
}

/** The counts of the day and month of that time. */
export function freeUseAt(use: FreeUse, atMs: number): FreeUse {
  const day = shanghaiDay(atMs);
  if (day === use.day) return use;
  return { day, inDay: 0, inMonth: sameMonth(day, use.day) ? use.inMonth : 0 };
}

function sameMonth(a: string, b: string): boolean {
  return a.slice(0, MONTH_DIGITS) === b.slice(0, MONTH_DIGITS);
}
