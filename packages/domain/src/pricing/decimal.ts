/**
 * Exact price arithmetic: unit prices are integer micro-points, durations integer milliseconds, one rounding at the
 * end. BigInt, because 1e12 points are 1e18 micro-points.
 */
const MICRO_DIGITS = 6;
const MICRO = 1_000_000n;
const DECIMAL = /^(\d{1,13})(?:\.(\d{1,6}))?$/;

export type Rounding = 'ceil' | 'floor' | 'half_up';

/** Micro-points of a decimal string with at most 6 places, or null when it is not one. */
export function parseDecimal(text: string): bigint | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  return BigInt(match[1] ?? '') * MICRO + BigInt((match[2] ?? '').padEnd(MICRO_DIGITS, '0'));
}

/**
 * unitPrice × amount ÷ perUnit in whole points, rounded once.
 * For a duration: micro-points per second × milliseconds ÷ 1000.
 */
export function multiplyPrice(
  unitPriceMicro: bigint,
  amount: bigint,
  perUnit: bigint,
  rounding: Rounding,
): bigint {
  const numerator = unitPriceMicro * amount;
  const denominator = MICRO * perUnit;
  switch (rounding) {
    case 'floor':
      return numerator / denominator;
    case 'ceil':
      return (numerator + denominator - 1n) / denominator;
    case 'half_up':
      return (2n * numerator + denominator) / (2n * denominator);
    default:
      return rounding satisfies never;
  }
}
