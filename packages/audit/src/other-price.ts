import type { HoldConfirmed, HoldPrice, PointsHeld } from '@points/domain/account/events';
import type { PricingConfig } from '@points/domain/pricing/config';
import { emptyCatalog } from '@points/domain/catalog/catalog';
import { priceUse } from '@points/domain/pricing/price-use';
import { resolvePrice } from '@points/domain/pricing/resolve-price';

/** What a hold says of a use, and its price under another list. */
export interface HeldUse {
  readonly sourceType: string;
  readonly model: string;
  readonly isCharged: boolean;
  readonly heldAmount: number;
  /** Was priced by the second. */
  readonly isTimed: boolean;
  readonly quantity: number;
  /** Null = nobody said. */
  readonly estimatedMs: number | null;
  readonly other: OtherTerms;
}

type OtherTerms =
  | { readonly outcome: 'priced'; readonly price: HoldPrice; readonly amount: number }
  | { readonly outcome: Exclude<OtherPrice['outcome'], 'priced'> };

export type OtherPrice =
  | { readonly outcome: 'priced'; readonly points: number }
  /** The hold's amount or the actual amount came from a trusted service: no list says what it would have been. */
  | { readonly outcome: 'named_by_caller'; readonly points: number }
  | { readonly outcome: 'price_not_found'; readonly points: null }
  /** The other list prices by the second, and nobody said how long the use took. */
  | { readonly outcome: 'not_measured'; readonly points: null }
  /** More than one command may move. */
  | { readonly outcome: 'too_large'; readonly points: null };

/** `isMember`: when the hold was placed. */
export function useOf(held: PointsHeld, isMember: boolean, config: PricingConfig): HeldUse {
  return {
    sourceType: held.source_type ?? '',
    model: held.model ?? modelIdOf(held.price.source) ?? '',
    isCharged: held.charge_mode === 'charged',
    heldAmount: held.amount,
    isTimed: held.price.unit === 'second',
    quantity: held.quantity ?? 1,
    estimatedMs: held.estimated_duration_ms ?? null,
    other: otherTerms(held, isMember, config),
  };
}

/** What the use would have cost. Pure arithmetic of the domain: the same rounding, minimum and rules of use 0. */
export function priceAgain(use: HeldUse, confirmed: HoldConfirmed): OtherPrice {
  const { requested_amount, quantity, duration_ms } = confirmed;
  const { other } = use;
  if (other.outcome === 'named_by_caller') return named(requested_amount);
  const isAsHeld = quantity === undefined && duration_ms === undefined;
  // A caller that named just what was held has confirmed it as held; the log makes no difference.
  if (isAsHeld && use.isCharged && requested_amount !== use.heldAmount)
    return named(requested_amount);
  if (other.outcome !== 'priced') return { outcome: other.outcome, points: null };
  const { price, amount } = other;
  if (price.mode === 'free') return { outcome: 'priced', points: 0 };
  if (isAsHeld)
    return price.unit === 'second' && use.estimatedMs === null && !use.isTimed
      ? { outcome: 'not_measured', points: null }
      : { outcome: 'priced', points: amount };
  const used = usedIn(price, use, confirmed);
  if (used === null) return { outcome: 'not_measured', points: null };
  const cost = priceUse(price, used);
  return cost.ok
    ? { outcome: 'priced', points: cost.points }
    : { outcome: 'too_large', points: null };
}

function named(points: number): OtherPrice {
  return { outcome: 'named_by_caller', points };
}

function otherTerms(held: PointsHeld, isMember: boolean, config: PricingConfig): OtherTerms {
  if (held.price.mode === 'amount') return { outcome: 'named_by_caller' };
  const terms =
    modelIdOf(held.price.source) === null ? operationTerms(held, config) : modelTerms(held, config);
  if (terms.outcome !== 'priced') return terms;
  return terms.memberFree && isMember
    ? { outcome: 'priced', price: FREE, amount: 0 }
    : { outcome: 'priced', price: terms.price, amount: terms.amount };
}

type Terms =
  | (Extract<OtherTerms, { readonly outcome: 'priced' }> & { readonly memberFree: boolean })
  | Exclude<OtherTerms, { readonly outcome: 'priced' }>;

/** The hold has stored what the model cost then; the list only says whether its members pay. */
function modelTerms({ price, list_price, source_type }: PointsHeld, config: PricingConfig): Terms {
  const amount = price.mode === 'free' ? 0 : Math.max(1, list_price);
  return { outcome: 'priced', price, amount, memberFree: isFreeToMembers(config, source_type) };
}

function operationTerms(held: PointsHeld, config: PricingConfig): Terms {
  const terms = resolvePrice(
    {
      sourceType: held.source_type,
      quantity: held.quantity,
      estimatedDurationMs: held.estimated_duration_ms,
      metadata: held.metadata,
    },
    { catalog: emptyCatalog(), config, configVersion: '' },
  );
  if ('code' in terms)
    return { outcome: terms.code === 'price_not_found' ? 'price_not_found' : 'too_large' };
  const { price, amount, memberFree } = terms;
  return { outcome: 'priced', price, amount, memberFree };
}

const MODEL = 'model:';

/** Of a price that came from the catalog; null = it came from elsewhere. */
function modelIdOf(source: string): string | null {
  return source.startsWith(MODEL) ? source.slice(MODEL.length) : null;
}

function isFreeToMembers(config: PricingConfig, sourceType: string | undefined): boolean {
  if (sourceType === undefined || config.free_services.includes(sourceType)) return false;
  const { operations } = config;
  return Object.hasOwn(operations, sourceType) && operations[sourceType]?.member_free === true;
}

const FREE: HoldPrice = {
  mode: 'free',
  unit: 'call',
  unit_price: '0',
  min_points: 0,
  rounding: 'ceil',
  source: '',
  config_version: '',
};

/** The use in the unit of that price: as measured, else as estimated. Null = nobody said. */
function usedIn(price: HoldPrice, use: HeldUse, { quantity, duration_ms }: HoldConfirmed) {
  const isNothing = quantity === 0 || duration_ms === 0;
  if (price.unit !== 'second')
    return { kind: 'quantity' as const, quantity: isNothing ? 0 : (quantity ?? use.quantity) };
  const durationMs = isNothing ? 0 : (duration_ms ?? use.estimatedMs);
  return durationMs === null ? null : { kind: 'duration' as const, durationMs };
}
