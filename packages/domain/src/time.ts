/**
 * Time as plain numbers: milliseconds since the epoch inside the domain, ISO-8601 UTC in events.
 * The only file of the domain that may name `Date`, and only as a function of its arguments: no clock is read here.
 */
export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Asia/Shanghai has been UTC+8 without summer time since 1991. */
export const SHANGHAI_OFFSET_MS = 8 * HOUR_MS;

/** The last time that `formatTime` writes with a year of four digits, as every event has it. */
export const LAST_TIME_MS = 253_402_300_799_999;

/** ISO-8601 UTC with milliseconds. Throws RangeError before 1970 and after `LAST_TIME_MS` (a bug: callers bound every time). */
export function formatTime(timeMs: number): string {
  if (!(timeMs >= 0 && timeMs <= LAST_TIME_MS))
    throw new RangeError(`no time of an event: ${timeMs}`);
  return new Date(timeMs).toISOString();
}

/** The inverse of `formatTime`. Throws on anything else. */
export function parseTime(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new RangeError(`not a time: ${text}`);
  return timeMs;
}

/** Day in Asia/Shanghai as `yyyyMMdd`. */
export function shanghaiDay(timeMs: number): string {
  return formatTime(timeMs + SHANGHAI_OFFSET_MS)
    .slice(0, 10)
    .replaceAll('-', '');
}

/** The last millisecond (23:59:59.999) of the Shanghai day that lies `days` days after the one of `timeMs`. */
export function endOfShanghaiDay(timeMs: number, days: number): number {
  const local = timeMs + SHANGHAI_OFFSET_MS;
  return (
    local - (((local % DAY_MS) + DAY_MS) % DAY_MS) + (days + 1) * DAY_MS - 1 - SHANGHAI_OFFSET_MS
  );
}

/** Milliseconds since the epoch that a UUIDv7 was made at (RFC 9562 §5.7), or null for any other version. */
export function uuidV7Time(uuid: string): number | null {
  return uuid[14] === '7' ? Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16) : null;
}

/** Record ids are milliseconds since this moment times 4,096, and a number below that. */
export const RECORD_EPOCH_MS = 1_704_067_200_000;
export const RECORD_IDS_PER_MS = 4_096;

/** Milliseconds since the epoch at which a record id was made. */
export function recordIdTime(recordId: number): number {
  return RECORD_EPOCH_MS + Math.floor(recordId / RECORD_IDS_PER_MS);
}
