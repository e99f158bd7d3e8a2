import type { ActualUse } from '../account/commands.ts';
import type { HoldPrice } from '../account/events.ts';
import { multiplyPrice, parseDecimal } from './decimal.ts';

/** Most points one command may move. */
export const MAX_POINTS = 1_000_000_000_000;

const MS_PER_SECOND = 1_000n;

export type PricedUse =
  | { readonly ok: true; readonly points: number }
  /** The use is of another unit than the price, or costs more than `MAX_POINTS`. */
  | { readonly ok: false; readonly field: string };

/**
 * What a use costs by a stored price. Use 0 costs 0; anything more costs at least `min_points`.
 * A price per call charges its unit price once, however much was used.
 */
export function priceUse(
  price: HoldPrice,
  use: Exclude<ActualUse, { kind: 'as_held' }>,
): PricedUse {
  if (use.kind === 'points') return { ok: true, points: use.points };
  const field = use.kind === 'quantity' ? 'actual_quantity' : 'actual_duration';
  if (price.mode === 'free') return { ok: true, points: 0 };
  if (price.mode === 'amount' || (price.unit === 'second') !== (use.kind === 'duration'))
    return { ok: false, field };
  const unitPrice = parseDecimal(price.unit_price);
  if (unitPrice === null) throw new Error(`unit price is not a decimal: ${price.unit_price}`);
  const used = use.kind === 'quantity' ? use.quantity : use.durationMs;
  if (used === 0) return { ok: true, points: 0 };
  const amount = price.unit === 'call' ? 1n : BigInt(used);
  const rounded = multiplyPrice(
    unitPrice,
    amount,
    use.kind === 'duration' ? MS_PER_SECOND : 1n,
    price.rounding,
  );
  const points = rounded < BigInt(price.min_points) ? BigInt(price.min_points) : rounded;
  return points > BigInt(MAX_POINTS) ? { ok: false, field } : { ok: true, points: Number(points) };
}
