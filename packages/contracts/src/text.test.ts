import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  id,
  jsonObject,
  line,
  lineOrEmpty,
  longText,
  metadata,
  points,
  prose,
  recordId,
  seconds,
  secondsToMs,
  sourceType,
  time,
  uuid,
  uuidV7,
} from './text.ts';

/** Hundreds of runs take their time on a busy machine. */
const PROPERTY_TIMEOUT_MS = 60_000;

const POOH = '😀';
const V7 = '019a9d3c-7a02-7c1e-8f2a-5b6c7d8e9f02';

describe.each<[string, z.ZodType, unknown[], unknown[]]>([
  [
    'id',
    id,
    ['a', 'A_z-9', 'x'.repeat(64)],
    ['', 'a b', 'a.b', 'é', 'a\n', 'x'.repeat(65), 5, null],
  ],
  [
    'line',
    line(4),
    ['a', '积分不足', POOH.repeat(4), ' ', '\u007f', '\ud83d\ude00'],
    ['', 'abcde', POOH.repeat(5), 'a\nb', 'a\u0000', 'a\tb', '\ud800', '\udc00\ud800', 5],
  ],
  ['lineOrEmpty', lineOrEmpty(2), ['', 'ab'], ['abc', '\n']],
  [
    'prose',
    prose(4),
    ['', 'a\nb', '\n\n\n\n', POOH.repeat(4)],
    ['abcde', 'a\rb', 'a\tb', 'a\u0000b', '\ud800', POOH.repeat(5)],
  ],
  ['longText', longText, ['字'.repeat(500), POOH.repeat(500)], ['字'.repeat(501)]],
  ['sourceType', sourceType, ['tts', '字'.repeat(32)], ['', 'x'.repeat(33)]],
  [
    'uuidV7',
    uuidV7,
    [V7, V7.toUpperCase()],
    [
      '',
      V7.replace('7c1e', '4c1e'),
      V7.replace('8f2a', 'cf2a'),
      `${V7}0`,
      V7.replaceAll('-', ''),
      `{${V7}}`,
      `${V7}\n`,
      null,
    ],
  ],
  [
    'uuid',
    uuid,
    [V7, '5b5cfb6e-2c7a-5d1f-9c3e-0a1b2c3d4e5f'],
    ['5b5cfb6e-2c7a-9d1f-9c3e-0a1b2c3d4e5f', 'x'],
  ],
  ['points from 0', points(0), [0, 1, 1e12], [-1, 0.5, 1e12 + 1, '1', NaN, Infinity, 2 ** 60]],
  ['points from 1', points(1), [1, 1e12], [0, -1]],
  ['recordId', recordId, [1, Number.MAX_SAFE_INTEGER], [0, -1, 1.5, 2 ** 53, '1']],
  [
    'seconds',
    seconds,
    [0, 0.001, 12.3, 9_999_999.999, 10_000_000],
    [-0.001, 0.0001, 12.3456, 10_000_000.001, NaN, Infinity, '1'],
  ],
  [
    'time',
    time,
    [
      '2026-12-31T15:59:59.999Z',
      '2026-12-31T23:59:59+08:00',
      '2028-02-29T00:00:00Z',
      '1970-01-01T00:00:00Z',
      '9998-12-31T23:59:59.9Z',
    ],
    [
      '2026-12-31',
      '2026-02-30T00:00:00Z',
      '2026-12-31T23:59:59',
      '2026-12-31T15:59:59.9999Z',
      '9999-01-01T00:00:00Z',
      '1969-12-31T23:59:59Z',
      '1970-01-01T00:00:00+08:00',
      '+012026-01-01T00:00:00Z',
      5,
      null,
    ],
  ],
  [
    'metadata',
    metadata,
    [
      {},
      { a: '' },
      { tool_type: '文章\n二' },
      Object.fromEntries(Array.from({ length: 16 }, (_, key) => [`k${key}`, 'v'])),
      { k: 'x'.repeat(2_040) },
    ],
    [
      { a: 1 },
      { '': 'v' },
      { 'a\n': 'v' },
      { a: '\u0000' },
      { a: '\udfff' },
      Object.fromEntries(Array.from({ length: 17 }, (_, key) => [`k${key}`, 'v'])),
      { k: 'x'.repeat(2_041) },
      { k: '字'.repeat(700) },
      [],
      null,
    ],
  ],
  [
    'jsonObject',
    jsonObject,
    [
      {},
      { a: [1, -2.5, true, null, { b: 'x\ny' }] },
      { a: { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } } },
    ],
    [
      { a: '\u0000' },
      { '\u0000': 1 },
      { a: ['\ud800'] },
      { a: Infinity },
      { a: undefined },
      { a: { a: { a: { a: { a: { a: { a: { a: {} } } } } } } } },
      { a: 'x'.repeat(4_100) },
      [],
      null,
    ],
  ],
])('%s', (_, schema, good, bad) => {
  it.each(good.map(labeled))('accepts %s', (_label, value) => {
    expect(schema.safeParse(value)).toMatchObject({ success: true });
  });
  it.each(bad.map(labeled))('refuses %s', (_label, value) => {
    expect(schema.safeParse(value)).toMatchObject({ success: false });
  });
});

/** A value with a name that fits on a line. */
function labeled(value: unknown): [string, unknown] {
  return [(JSON.stringify(value) ?? String(value)).slice(0, 80), value];
}

describe('what is accepted', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  /** Any UTF-16 at all, broken or not, mostly short. */
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    fc
      .array(fc.constantFrom('a', '\n', '\u0000', '\ud800', '\udc00', POOH, '字'))
      .map((parts) => parts.join('')),
  );
  const storable = (text: string): boolean =>
    !/\p{Surrogate}/u.test(text) &&
    ![...text].some((character) => character < ' ' && character !== '\n');

  it('goes through UTF-8 and JSON unchanged and can be stored', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(line(8), prose(8), lineOrEmpty(8)), (text, schema) => {
        if (!schema.safeParse(text).success) return;
        expect(
          new TextDecoder('utf-8', { fatal: true }).decode(new TextEncoder().encode(text)),
        ).toBe(text);
        expect(JSON.parse(JSON.stringify(text))).toBe(text);
        expect(storable(text)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('is all that can be stored and fits', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const fits = [...text].length <= 8;
        expect(prose(8).safeParse(text).success).toBe(fits && storable(text));
      }),
      { numRuns: 1_000 },
    );
  });

  it('counts every thousandth of a second exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000_000_000 }), (ms) => {
        const value = Number(`${Math.trunc(ms / 1_000)}.${String(ms % 1_000).padStart(3, '0')}`);
        expect(seconds.safeParse(value).success).toBe(true);
        expect(secondsToMs(value)).toBe(ms);
      }),
    );
  });

  it('is one id in lower case', () => {
    expect(uuidV7.parse(V7.toUpperCase())).toBe(V7);
  });
});
