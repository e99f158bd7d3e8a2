import { describe, expect, it } from 'vitest';
import { parseReportTime, shanghaiDayOf } from './report-time.ts';

describe('parseReportTime', () => {
  it.each<[string, 'start' | 'end', string | null]>([
    ['2026-01-01', 'start', '2025-12-31T16:00:00.000Z'],
    ['2026-01-01', 'end', '2026-01-01T15:59:59.999Z'],
    ['2026-01-01T10:30Z', 'end', '2026-01-01T10:30:00.000Z'],
    ['2026-01-01T10:30:00.5+08:00', 'start', '2026-01-01T02:30:00.500Z'],
    ['2026-01-01T10:30:00', 'start', null],
    ['2026-02-30', 'start', null],
    ['2026-02-30T10:00Z', 'start', null],
    ['2026-01-01T24:00Z', 'start', null],
    ['2026-01-01T10:00+24:00', 'start', null],
    ['1969-12-31', 'start', null],
    ['yesterday', 'start', null],
    ['', 'end', null],
  ])('%j as %s: %s', (text, edge, time) => {
    expect(parseReportTime(text, edge)).toBe(time);
  });

  it('a day in Shanghai begins at 16:00 UTC', () => {
    expect(shanghaiDayOf('2026-01-01T15:59:59.999Z')).toBe('2026-01-01');
    expect(shanghaiDayOf('2026-01-01T16:00:00.000Z')).toBe('2026-01-02');
  });
});
