import type {
  CreditsPrice,
  MembershipPrice,
  PriceListEvent,
  PriceListEventType,
} from '@points/domain/price-list/events';
import { z } from 'zod';

/** The data of the stored events of price lists; see `stored-data.ts`. Money is integer fen. */
type Fields<Data> = { readonly [Key in keyof Data]-?: z.ZodType<Data[Key]> };

const integer = z.int();
const priceId = z.string().describe('The price; never used again in its list');
const creditsKind = z.literal('credits').describe('Which list: packages of points');
const membershipKind = z.literal('membership').describe('Which list: memberships');

const anyPrice = {
  name: z.string().describe('Shown to users'),
  price_fen: integer.describe('What it costs, in fen'),
  sort_order: integer.describe('Smaller ones come first'),
  is_active: z.boolean().describe('Whether it is on offer'),
};

const creditsColumns = {
  ...anyPrice,
  points: integer.describe('Points that it brings'),
  bonus: integer.describe('Points on top of them'),
  validity_days: integer
    .nullable()
    .describe('Days that the points live, from crediting; null = for ever'),
} satisfies Fields<Omit<CreditsPrice, 'kind' | 'price_id'>>;

const membershipColumns = {
  ...anyPrice,
  membership_type: z.string().describe('Unique among the memberships that are not retired'),
  duration_days: integer.describe('Days of membership that it brings'),
  original_price_fen: integer
    .nullable()
    .describe('What it is shown to have cost before; null = nothing is shown'),
  features: z.array(z.string()).describe('Shown to users, a line each'),
} satisfies Fields<Omit<MembershipPrice, 'kind' | 'price_id'>>;

/** One price as it is listed. */
export const listedPrice = z.discriminatedUnion('kind', [
  z.object({ kind: creditsKind, price_id: priceId, ...creditsColumns }),
  z.object({ kind: membershipKind, price_id: priceId, ...membershipColumns }),
]);

type PriceListData<Type extends PriceListEventType> = Extract<
  PriceListEvent,
  { type: Type }
>['data'];

export const PRICE_LIST_EVENT_DATA = {
  PriceListed: listedPrice,
  PriceChanged: z.discriminatedUnion('kind', [
    z.object({ kind: creditsKind, price_id: priceId, ...optionalOf(creditsColumns) }),
    z.object({ kind: membershipKind, price_id: priceId, ...optionalOf(membershipColumns) }),
  ]),
  PriceRetired: z.object({
    kind: z.enum(['credits', 'membership']).describe('Which list'),
    price_id: priceId,
  }),
} satisfies { readonly [Type in PriceListEventType]: z.ZodType<PriceListData<Type>> };

type OptionalOf<Shape extends z.ZodRawShape> = {
  [Key in keyof Shape]: z.ZodExactOptional<Shape[Key]>;
};

/** Only the columns that change are present. */
function optionalOf<Shape extends Record<string, z.ZodType>>(shape: Shape): OptionalOf<Shape> {
  const entries = Object.entries(shape).map(([key, type]) => [
    key,
    z.exactOptional(type).describe(type.description ?? ''),
  ]);
  return Object.fromEntries(entries) as OptionalOf<Shape>;
}
