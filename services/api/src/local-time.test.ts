import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLocalTime, parseTimeSpan, wholeDaysUntil } from './local-time.ts';

describe('formatLocalTime', () => {
  test.each([
    ['2025-12-31T15:59:59.999Z', '2025-12-31T23:59:59'],
    ['2025-10-22T02:30:00.000Z', '2025-10-22T10:30:00'],
    ['2025-12-31T16:00:00.000Z', '2026-01-01T00:00:00'],
  ])('%s is %s in Shanghai', (utc, local) => {
    expect(formatLocalTime(new Date(utc))).toBe(local);
  });
});

describe('wholeDaysUntil', () => {
  test.each([
    ['2025-10-22T02:30:00.001Z', 0],
    ['2025-10-23T02:29:59.999Z', 0],
    ['2025-10-23T02:30:00.000Z', 1],
    ['2025-12-31T15:59:59.999Z', 70],
  ])('%s is %i days away', (time, days) => {
    expect(wholeDaysUntil(new Date(time), new Date('2025-10-22T02:30:00.000Z'))).toBe(days);
  });
});

describe('parseTimeSpan', () => {
  test.each([
    ['2025-10-22', '2025-10-21T16:00:00.000Z', '2025-10-22T16:00:00.000Z'],
    ['2025-10-22T10:30', '2025-10-22T02:30:00.000Z', '2025-10-22T02:31:00.000Z'],
    ['2025-10-22T10:30:05', '2025-10-22T02:30:05.000Z', '2025-10-22T02:30:06.000Z'],
    ['2025-10-22 10:30:05', '2025-10-22T02:30:05.000Z', '2025-10-22T02:30:06.000Z'],
    ['2025-10-22T10:30:05.25', '2025-10-22T02:30:05.250Z', '2025-10-22T02:30:05.260Z'],
    ['2025-10-22T10:30:05.257', '2025-10-22T02:30:05.257Z', '2025-10-22T02:30:05.258Z'],
    ['2025-10-22T10:30:05Z', '2025-10-22T10:30:05.000Z', '2025-10-22T10:30:06.000Z'],
    ['2025-10-22T10:30:05+09:30', '2025-10-22T01:00:05.000Z', '2025-10-22T01:00:06.000Z'],
    ['2025-10-22T10:30:05 08:00', '2025-10-22T02:30:05.000Z', '2025-10-22T02:30:06.000Z'],
    ['2025-10-22T10:30:05-01:00', '2025-10-22T11:30:05.000Z', '2025-10-22T11:30:06.000Z'],
    ['2024-02-29', '2024-02-28T16:00:00.000Z', '2024-02-29T16:00:00.000Z'],
  ])('%s covers %s to %s', (text, start, end) => {
    expect(parseTimeSpan(text)).toEqual({ start: new Date(start), end: new Date(end) });
  });

  test.each([
    '',
    'yesterday',
    '2025',
    '2025-10',
    '2025-13-01',
    '2025-02-29',
    '2025-02-30T00:00:00',
    '2025-10-22T24:00:00',
    '2025-10-22T10:60',
    '2025-10-22T10:30:60',
    '2025-10-22T10:30:05.1234',
    '2025-10-22T10:30:05+24:00',
    '2025-10-22T10:30:05+08:60',
    '2025-10-22Z',
    '20251022',
    '1969-12-31',
    '9999-01-02',
    '2025-10-22T10:30:05\u0000',
  ])('%j is no time', (text) => {
    expect(parseTimeSpan(text)).toBeNull();
  });

  test('reads back what was shown', () => {
    const times = fc.date({
      min: new Date(0),
      max: new Date(Date.UTC(9998, 11, 30)),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(times, (time) => {
        const span = parseTimeSpan(formatLocalTime(time));
        expect(span !== null && span.start <= time && time < span.end).toBe(true);
      }),
    );
  });
});
