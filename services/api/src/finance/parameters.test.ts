import { expect, test } from 'vitest';
import { asOf, fromTime, toTime } from './parameters.ts';

test.each([
  ['2026-01-31', '2026-01-30T16:00:00.000Z', '2026-01-31T15:59:59.999Z'],
  ['2026-01-31T08:00Z', '2026-01-31T08:00:00.000Z', '2026-01-31T08:00:00.000Z'],
  ['2026-01-31T08:00:00 08:00', '2026-01-31T00:00:00.000Z', '2026-01-31T00:00:00.000Z'],
])('%s is the same instant as on the command line', (text, start, end) => {
  expect(fromTime.parse(text)).toBe(start);
  expect(toTime.parse(text)).toBe(end);
  expect(asOf.parse(text)).toBe(end);
});

test.each(['2026-01-31T08:00', '2026-01-31 08:00:00', 'yesterday'])('%s is none', (text) => {
  for (const time of [fromTime, toTime, asOf]) expect(time.safeParse(text).success).toBe(false);
});
