/**
 * The events of the two price lists, one stream `priceList-<kind>` each: packages of points, and memberships. Storage
 * format: never renamed. Money is integer fen (a hundredth of a yuan), points are integers.
 */
export type PriceListEvent =
  | { readonly type: 'PriceListed'; readonly data: PriceListed }
  | { readonly type: 'PriceChanged'; readonly data: PriceChanged }
  | { readonly type: 'PriceRetired'; readonly data: PriceRetired };

export type PriceListEventType = PriceListEvent['type'];

export const PRICE_KINDS = ['credits', 'membership'] as const;
export type PriceKind = (typeof PRICE_KINDS)[number];

/** What can be bought, with every column. */
export type PriceListed = CreditsPrice | MembershipPrice;
/** Only the columns that change are present, beside the two that name the price. */
export type PriceChanged = Changed<CreditsPrice> | Changed<MembershipPrice>;

export interface PriceRetired {
  readonly kind: PriceKind;
  readonly price_id: string;
}

interface PriceColumns {
  /** Never used again in its list, also after it was retired. */
  readonly price_id: string;
  readonly name: string;
  readonly price_fen: number;
  /** Smaller ones come first. */
  readonly sort_order: number;
  /** Whether it is on offer. */
  readonly is_active: boolean;
}

/** A package of points. */
export interface CreditsPrice extends PriceColumns {
  readonly kind: 'credits';
  readonly points: number;
  /** Points on top of it. */
  readonly bonus: number;
  /** Days that the points live, from crediting; null = for ever. */
  readonly validity_days: number | null;
}

export interface MembershipPrice extends PriceColumns {
  readonly kind: 'membership';
  /** Unique among the memberships that are not retired. */
  readonly membership_type: string;
  readonly duration_days: number;
  /** What it is shown to have cost before; null = nothing is shown. */
  readonly original_price_fen: number | null;
  /** Shown to users, a line each. */
  readonly features: readonly string[];
}

type Changed<Price extends PriceListed> = Price extends PriceListed
  ? Pick<Price, 'kind' | 'price_id'> & Partial<Omit<Price, 'kind' | 'price_id'>>
  : never;
