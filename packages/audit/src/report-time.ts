import { DAY_MS, LAST_TIME_MS, SHANGHAI_OFFSET_MS } from '@points/domain/time';

const FIRST_TIME_MS = 0;

const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/**
 * A time as people name one in a report: ISO-8601 with its zone, or a date, which is a day in Asia/Shanghai: its first
 * millisecond (`edge` start) or its last (`end`). Gives ISO-8601 UTC with milliseconds, as events have it; null = it is
 * neither, or outside 1970 to 9999.
 */
export function parseReportTime(text: string, edge: 'start' | 'end'): string | null {
  if (DATE.test(text)) {
    const startMs = realTime(`${text}T00:00`);
    if (startMs === null) return null;
    const timeMs = startMs - SHANGHAI_OFFSET_MS + (edge === 'end' ? DAY_MS - 1 : 0);
    return inBounds(timeMs);
  }
  const match = TIME.exec(text);
  // The parser lets 30 February and 24:00 pass, as the day after.
  if (match === null || realTime(match[1] ?? '') === null) return null;
  return inBounds(Date.parse(text));
}

/** Day in Asia/Shanghai, `yyyy-MM-dd`, of a time as events have it. */
export function shanghaiDayOf(time: string): string {
  return new Date(Date.parse(time) + SHANGHAI_OFFSET_MS).toISOString().slice(0, 10);
}

/** The same time as a clock in Shanghai shows it: ISO-8601 with milliseconds and +08:00. */
export function shanghaiTimeOf(time: string): string {
  return new Date(Date.parse(time) + SHANGHAI_OFFSET_MS).toISOString().replace('Z', '+08:00');
}

function realTime(minute: string): number | null {
  const timeMs = Date.parse(`${minute}Z`);
  if (Number.isNaN(timeMs) || !new Date(timeMs).toISOString().startsWith(minute)) return null;
  return timeMs;
}

function inBounds(timeMs: number): string | null {
  if (!(timeMs >= FIRST_TIME_MS && timeMs <= LAST_TIME_MS)) return null;
  return new Date(timeMs).toISOString();
}
