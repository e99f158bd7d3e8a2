/**
 * Times as the points queries speak them: Asia/Shanghai without a zone, whole seconds. China has had one zone and no
 * summer time since 1992, so the offset is a constant.
 */
const SHANGHAI_OFFSET_MS = 8 * 3_600_000;
const MS_PER_SECOND = 1_000;
const MS_PER_MINUTE = 60_000;
const MS_PER_DAY = 86_400_000;
const FIRST_TIME_MS = 0;
const LAST_TIME_MS = Date.UTC(9999, 0, 1);

/** `2025-12-31T23:59:59`; fractions of a second are cut off. */
export function formatLocalTime(time: Date): string {
  return new Date(time.getTime() + SHANGHAI_OFFSET_MS).toISOString().slice(0, 19);
}

/** Whole days from `now` until `time`, 0 when it is less than one. */
export function wholeDaysUntil(time: Date, now: Date): number {
  return Math.floor((time.getTime() - now.getTime()) / MS_PER_DAY);
}

/** What a text such as a day or a second covers: from `start`, included, to `end`, excluded. */
export interface TimeSpan {
  readonly start: Date;
  readonly end: Date;
}

// In a query string an unescaped `+` arrives as a blank.
const TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(Z|[+\- ]\d\d:\d\d)?)?$/;

/**
 * Reads `2025-10-22`, `2025-10-22T10:30`, `2025-10-22T10:30:00` or `2025-10-22T10:30:00.000`, a blank instead of the
 * `T` allowed: Shanghai time unless it ends in `Z` or an offset. null = not a time between 1970 and 9998.
 */
export function parseTimeSpan(text: string): TimeSpan | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const [, day = '', minute, second, fraction, zone] = match;
  const clock = `${day}T${minute ?? '00:00'}:${second ?? '00'}`;
  const clockMs = Date.parse(`${clock}Z`);
  // The parser lets 30 February and 24:00 pass, as the day after.
  if (Number.isNaN(clockMs) || !new Date(clockMs).toISOString().startsWith(clock)) return null;
  const offsetMs = offsetOf(zone);
  if (offsetMs === null) return null;
  const startMs = clockMs - offsetMs + Number((fraction ?? '').padEnd(3, '0'));
  if (startMs < FIRST_TIME_MS || startMs >= LAST_TIME_MS) return null;
  return { start: new Date(startMs), end: new Date(startMs + lengthMs(minute, second, fraction)) };
}

function lengthMs(
  minute: string | undefined,
  second: string | undefined,
  fraction: string | undefined,
): number {
  if (minute === undefined) return MS_PER_DAY;
  if (second === undefined) return MS_PER_MINUTE;
  if (fraction === undefined) return MS_PER_SECOND;
  return 10 ** (3 - fraction.length);
}

/** null = more than a day has hours or an hour has minutes. */
function offsetOf(zone: string | undefined): number | null {
  if (zone === undefined) return SHANGHAI_OFFSET_MS;
  if (zone === 'Z') return 0;
  const [hours, minutes] = zone.slice(1).split(':').map(Number);
  if (hours === undefined || minutes === undefined || hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MS_PER_MINUTE;
}
