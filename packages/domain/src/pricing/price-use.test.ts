import { describe, expect, it } from 'vitest';
import type { HoldPrice } from '../account/events.ts';
import { MAX_POINTS, priceUse } from './price-use.ts';

const FIXED: HoldPrice = {
  mode: 'fixed',
  unit: 'quantity',
  unit_price: '1',
  min_points: 0,
  rounding: 'ceil',
  source: 'operation:x',
  config_version: 'v',
};
const perSecond = (
  unit_price: string,
  min_points = 0,
  rounding: HoldPrice['rounding'] = 'ceil',
) => ({
  ...FIXED,
  mode: 'duration' as const,
  unit: 'second' as const,
  unit_price,
  min_points,
  rounding,
});
const perPiece = (unit_price: string, rounding: HoldPrice['rounding'] = 'ceil') => ({
  ...FIXED,
  unit_price,
  rounding,
});
const ms = (durationMs: number) => ({ kind: 'duration' as const, durationMs });
const pieces = (quantity: number) => ({ kind: 'quantity' as const, quantity });

describe('priceUse', () => {
  it.each([
    { price: perSecond('1', 1), use: ms(12_300), points: 13 },
    { price: perSecond('1', 1), use: ms(200), points: 1 },
    { price: perSecond('1', 1), use: ms(60_400), points: 61 },
    { price: perSecond('1', 1), use: ms(0), points: 0 },
    { price: perPiece('0.07'), use: pieces(100), points: 7 },
    { price: perPiece('1.1'), use: pieces(50), points: 55 },
    { price: perPiece('0.29', 'floor'), use: pieces(100), points: 29 },
    { price: perPiece('10'), use: pieces(3), points: 30 },
    // min_points only when anything was used, and only upwards
    { price: perSecond('1', 5), use: ms(1), points: 5 },
    { price: perSecond('1', 5), use: ms(5_000), points: 5 },
    { price: perSecond('1', 5), use: ms(5_001), points: 6 },
    { price: perSecond('0.001', 0, 'floor'), use: ms(1_000), points: 0 },
    { price: perSecond('0.001', 1, 'floor'), use: ms(1_000), points: 1 },
    { price: perSecond('0.5', 0, 'half_up'), use: ms(1_000), points: 1 },
    { price: perSecond('0.499999', 0, 'half_up'), use: ms(1_000), points: 0 },
    // per call: once, however much
    { price: { ...FIXED, unit: 'call' as const, unit_price: '7' }, use: pieces(3), points: 7 },
    { price: { ...FIXED, unit: 'call' as const, unit_price: '7' }, use: pieces(0), points: 0 },
    // free: nothing, in any unit
    { price: { ...FIXED, mode: 'free' as const, unit_price: '0' }, use: pieces(3), points: 0 },
    { price: { ...FIXED, mode: 'free' as const, unit_price: '0' }, use: ms(3_000), points: 0 },
    // points speak for themselves, whatever the price
    { price: perSecond('1', 5), use: { kind: 'points' as const, points: 3 }, points: 3 },
    {
      price: { ...FIXED, mode: 'amount' as const, unit: 'call' as const },
      use: { kind: 'points' as const, points: 0 },
      points: 0,
    },
    // up to the largest
    { price: perPiece('1'), use: pieces(MAX_POINTS), points: MAX_POINTS },
    { price: perPiece(String(MAX_POINTS)), use: pieces(1), points: MAX_POINTS },
    { price: perPiece('0.000001'), use: pieces(MAX_POINTS), points: 1_000_000 },
  ])(
    '$price.unit_price per $price.unit, $price.rounding, min $price.min_points; $use: $points',
    ({ price, use, points }) => {
      expect(priceUse(price, use)).toEqual({ ok: true, points });
    },
  );

  it.each([
    { price: perPiece('1'), use: ms(1_000), field: 'actual_duration' },
    { price: { ...FIXED, unit: 'call' as const }, use: ms(0), field: 'actual_duration' },
    { price: perSecond('1'), use: pieces(1), field: 'actual_quantity' },
    {
      price: { ...FIXED, mode: 'amount' as const, unit: 'call' as const },
      use: pieces(1),
      field: 'actual_quantity',
    },
    {
      price: { ...FIXED, mode: 'amount' as const, unit: 'call' as const },
      use: ms(1_000),
      field: 'actual_duration',
    },
    { price: perPiece('1.000001'), use: pieces(MAX_POINTS), field: 'actual_quantity' },
    { price: perPiece('999999999999.999999'), use: pieces(MAX_POINTS), field: 'actual_quantity' },
    { price: perSecond('1000000000000'), use: ms(1_001), field: 'actual_duration' },
  ])(
    '$price.unit_price per $price.unit ($price.mode), $use: refused, $field',
    ({ price, use, field }) => {
      expect(priceUse(price, use)).toEqual({ ok: false, field });
    },
  );

  it('a price that is no decimal is a damaged log', () => {
    expect(() => priceUse(perPiece('a lot'), pieces(1))).toThrow(
      'unit price is not a decimal: a lot',
    );
  });
});
