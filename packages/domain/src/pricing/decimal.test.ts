import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Rounding, multiplyPrice, parseDecimal } from './decimal.ts';

describe('parseDecimal', () => {
  it.each<[string, bigint | null]>([
    ['0', 0n],
    ['1', 1_000_000n],
    ['0.07', 70_000n],
    ['0.000001', 1n],
    ['1.100000', 1_100_000n],
    ['007.5', 7_500_000n],
    ['999999999999.999999', 999_999_999_999_999_999n],
    ['1000000000000', 1_000_000_000_000_000_000n],
    ['1000000000000.000000', 1_000_000_000_000_000_000n],
    ['10000000000000', null],
    ['0.0000001', null],
    ['', null],
    ['.5', null],
    ['5.', null],
    ['-1', null],
    ['+1', null],
    ['1e3', null],
    ['1,5', null],
    [' 1', null],
    ['1\n', null],
    ['٣', null],
    ['NaN', null],
  ])('%j is %s micro-points', (text, micro) => {
    expect(parseDecimal(text)).toBe(micro);
  });
});

describe('multiplyPrice', () => {
  it.each<[string, number, number, Rounding, number | bigint]>([
    // 1 point per second: milliseconds per 1000
    ['1', 12_300, 1_000, 'ceil', 13],
    ['1', 200, 1_000, 'ceil', 1],
    ['1', 60_400, 1_000, 'ceil', 61],
    ['1', 60_000, 1_000, 'ceil', 60],
    ['1', 0, 1_000, 'ceil', 0],
    // where floating point goes wrong
    ['0.07', 100, 1, 'ceil', 7],
    ['1.1', 50, 1, 'ceil', 55],
    ['0.29', 100, 1, 'floor', 29],
    ['10', 3, 1, 'ceil', 30],
    ['0.1', 3, 1, 'ceil', 1],
    ['0.1', 3, 1, 'floor', 0],
    ['0.1', 3, 1, 'half_up', 0],
    ['0.1', 5, 1, 'half_up', 1],
    ['0.499999', 1, 1, 'half_up', 0],
    ['0.5', 3, 1, 'half_up', 2],
    ['2.5', 1, 1, 'half_up', 3],
    ['0.000001', 1, 1_000, 'ceil', 1],
    ['0.000001', 1, 1_000, 'floor', 0],
    ['999999999999.999999', 1_000_000_000_000, 1, 'floor', 999_999_999_999_999_999_000_000n],
  ])('%s × %i ÷ %i, %s: %s', (price, amount, perUnit, rounding, points) => {
    const product = multiplyPrice(
      parseDecimal(price) ?? -1n,
      BigInt(amount),
      BigInt(perUnit),
      rounding,
    );
    expect(product).toBe(BigInt(points));
  });

  it('rounds the exact rational once, whatever the numbers', () => {
    const inputs = {
      micro: fc.bigInt({ min: 0n, max: 1_000_000_000_000_000_000n }),
      amount: fc.bigInt({ min: 0n, max: 1_000_000_000_000n }),
      perUnit: fc.constantFrom(1n, 1_000n),
      rounding: fc.constantFrom<Rounding[]>('ceil', 'floor', 'half_up'),
    };
    fc.assert(
      fc.property(fc.record(inputs), ({ micro, amount, perUnit, rounding }) => {
        expect(multiplyPrice(micro, amount, perUnit, rounding)).toBe(
          byLongDivision(micro * amount, 1_000_000n * perUnit, rounding),
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

/** Digit by digit, as on paper; then one look at what is left over. */
function byLongDivision(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  let quotient = '';
  let left = 0n;
  for (const digit of numerator.toString()) {
    left = left * 10n + BigInt(digit);
    let times = 0;
    while (left >= denominator) {
      left -= denominator;
      times++;
    }
    quotient += String(times);
  }
  const up = { floor: false, ceil: left > 0n, half_up: left + left >= denominator }[rounding];
  return BigInt(quotient) + (up ? 1n : 0n);
}
