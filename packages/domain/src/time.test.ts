import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DAY_MS,
  LAST_TIME_MS,
  endOfShanghaiDay,
  formatTime,
  parseTime,
  shanghaiDay,
  uuidV7Time,
} from './time.ts';

describe('formatTime and parseTime', () => {
  it.each([
    [0, '1970-01-01T00:00:00.000Z'],
    [1_767_225_599_999, '2025-12-31T23:59:59.999Z'],
    [LAST_TIME_MS, '9999-12-31T23:59:59.999Z'],
  ])('%i is %s', (timeMs, text) => {
    expect(formatTime(timeMs)).toBe(text);
    expect(parseTime(text)).toBe(timeMs);
  });

  it.each([-1, LAST_TIME_MS + 1, 8.64e15, Infinity, Number.NaN])(
    '%d is no time of an event',
    (timeMs) => {
      expect(() => formatTime(timeMs)).toThrow(RangeError);
    },
  );

  it.each(['', 'yesterday', '2026-13-01T00:00:00.000Z'])('%j is no time', (text) => {
    expect(() => parseTime(text)).toThrow(`not a time: ${text}`);
  });

  it('the order of the texts is the order of the times', () => {
    const time = fc.integer({ min: 0, max: LAST_TIME_MS });
    fc.assert(
      fc.property(time, time, (a, b) => {
        expect(formatTime(a) < formatTime(b)).toBe(a < b);
      }),
    );
  });
});

describe('days in Shanghai', () => {
  // UTC 15:59:59.999 is the last millisecond of the day there.
  it.each([
    {
      at: '2026-01-01T15:59:59.999Z',
      day: '20260101',
      end: '2026-01-01T15:59:59.999Z',
      later: '2026-01-31T15:59:59.999Z',
    },
    {
      at: '2026-01-01T16:00:00.000Z',
      day: '20260102',
      end: '2026-01-02T15:59:59.999Z',
      later: '2026-02-01T15:59:59.999Z',
    },
    {
      at: '2026-01-01T00:00:00.000Z',
      day: '20260101',
      end: '2026-01-01T15:59:59.999Z',
      later: '2026-01-31T15:59:59.999Z',
    },
    {
      at: '2025-12-31T15:59:59.999Z',
      day: '20251231',
      end: '2025-12-31T15:59:59.999Z',
      later: '2026-01-30T15:59:59.999Z',
    },
    {
      at: '2025-12-31T16:00:00.000Z',
      day: '20260101',
      end: '2026-01-01T15:59:59.999Z',
      later: '2026-01-31T15:59:59.999Z',
    },
    {
      at: '2028-02-28T16:00:00.000Z',
      day: '20280229',
      end: '2028-02-29T15:59:59.999Z',
      later: '2028-03-30T15:59:59.999Z',
    },
    {
      at: '1970-01-01T00:00:00.000Z',
      day: '19700101',
      end: '1970-01-01T15:59:59.999Z',
      later: '1970-01-31T15:59:59.999Z',
    },
  ])('$at is on $day, which ends at $end', ({ at, day, end, later }) => {
    expect(shanghaiDay(parseTime(at))).toBe(day);
    expect(formatTime(endOfShanghaiDay(parseTime(at), 0))).toBe(end);
    expect(formatTime(endOfShanghaiDay(parseTime(at), 30))).toBe(later);
  });

  it('every time lies on the day that it ends on, and the next millisecond does not', () => {
    const time = fc.integer({ min: 0, max: LAST_TIME_MS - 2 * DAY_MS });
    fc.assert(
      fc.property(time, (timeMs) => {
        const end = endOfShanghaiDay(timeMs, 0);
        expect(end - timeMs).toBeGreaterThanOrEqual(0);
        expect(end - timeMs).toBeLessThan(DAY_MS);
        expect(shanghaiDay(end)).toBe(shanghaiDay(timeMs));
        expect(shanghaiDay(end + 1)).not.toBe(shanghaiDay(timeMs));
        expect(endOfShanghaiDay(timeMs, 1)).toBe(end + DAY_MS);
      }),
    );
  });
});

describe('uuidV7Time', () => {
  it.each([
    // RFC 9562, appendix A.6
    ['017f22e2-79b0-7cc3-98c4-dc0c0c07398f', Date.UTC(2022, 1, 22, 19, 22, 22)],
    ['00000000-0000-7000-8000-000000000000', 0],
    ['ffffffff-ffff-7fff-bfff-ffffffffffff', 2 ** 48 - 1],
    // versions 1, 4, 5 and 8 carry no time that we read
    ['c232ab00-9414-11ec-b3c8-9f6bdeced846', null],
    ['919108f7-52d1-4320-9bac-f847db4148a8', null],
    ['2ed6657d-e927-568b-95e1-2665a8aea6a2', null],
    ['2489e9ad-2ee2-8e00-8ec9-32d5f69181c0', null],
  ])('%s: %s', (uuid, timeMs) => {
    expect(uuidV7Time(uuid)).toBe(timeMs);
  });
});
