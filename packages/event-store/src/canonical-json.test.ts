import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import type { JsonValue } from './event-log.ts';

/** The reference implementation. Loaded this way because its type file does not match what it exports. */
const require = createRequire(import.meta.url);
const canonicalize: (value: unknown) => string | undefined = require('canonicalize');

/** Any JSON value over all of Unicode, with numbers of every magnitude and members that are undefined. */
const { value: anyJson } = fc.letrec<{ value: JsonValue }>((tie) => {
  const text = fc.string({ unit: 'binary', maxLength: 12 });
  const leaf = fc.oneof(
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
  );
  const member = fc.oneof(
    { weight: 5, arbitrary: tie('value') },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
  return {
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(
        fc.oneof(text, fc.constantFrom('__proto__', '10', '9', 'a"b', 'a\\b')),
        member,
        { maxKeys: 6 },
      ),
    ),
  };
});

describe('canonicalJson', () => {
  it('writes what the reference implementation of RFC 8785 writes', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same before a value is stored and after it was read back', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const readBack: JsonValue = JSON.parse(JSON.stringify(value));
        expect(canonicalJson(readBack)).toBe(canonicalJson(value));
      }),
      { numRuns: 1000 },
    );
  });

  it('writes the examples of RFC 8785', () => {
    // Section 3.2.2 and 3.2.3 of the RFC.
    const numbers = [
      Number('333333333.33333329'),
      1e30,
      4.5,
      2e-3,
      0.000000000000000000000000001,
      -0,
    ];
    expect(canonicalJson(numbers)).toBe('[333333333.3333333,1e+30,4.5,0.002,1e-27,0]');
    const members = {
      '\u20ac': 1,
      '\r': 2,
      '\ufb33': 3,
      '1': 4,
      '\u{1f600}': 5,
      '\u0080': 6,
      '\u00f6': 7,
    };
    expect(canonicalJson(members)).toBe(
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
    );
    expect(canonicalJson('\u20ac$\u000f\nA\'B"\\\\"/')).toBe(
      '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"',
    );
  });

  it('keeps text that only looks like an escaped surrogate', () => {
    expect(canonicalJson('\\ud800')).toBe('"\\\\ud800"');
  });

  it.each([
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['negative infinity', Number.NEGATIVE_INFINITY],
    ['a lone high surrogate', 'a\ud800'],
    ['a lone low surrogate', '\udc00a'],
    ['a lone surrogate in a member name', { '\ud800': 1 }],
    ['undefined', undefined],
    ['undefined in a list', [1, undefined]],
    ['a bigint', { points: 10n }],
    ['a function', { toJSON: () => 1 }],
    ['a symbol', [Symbol('s')]],
    ['a Date', { at: new Date(0) }],
    ['a Map', new Map([['a', 1]])],
  ])('refuses %s', (_name, value) => {
    // A caller that is not type-checked can hand over any of these.
    const untyped: (value: never) => string = canonicalJson;
    expect(() => Reflect.apply(untyped, null, [value])).toThrow(TypeError);
  });
});
