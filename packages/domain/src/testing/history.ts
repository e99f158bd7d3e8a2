import fc from 'fast-check';
import type { AccountLimits, ActualUse, CancelHold, Recharge } from '../account/commands.ts';
import type { HoldPrice } from '../account/events.ts';
import type { HoldTerms } from '../pricing/resolve-price.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../time.ts';
import { charged } from './book.ts';

/**
 * Random histories of one account, as plain data that shrinks well; `narrate.ts` makes commands of them. Holds,
 * recharges and commands are named by small numbers, so that histories meet their own past: settle a hold again, reuse
 * an id, send a payload under another id.
 */
export interface History {
  /** One unit of waiting: histories run over seconds, hours or days. */
  readonly scaleMs: number;
  readonly limits: AccountLimits;
  /** Ids that the account remembers: few, so that it forgets while it lives. */
  readonly rememberedIds: number;
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly do: 'wait'; readonly units: number }
  | { readonly do: 'clock back'; readonly seconds: number }
  /** How far the watermark lies behind the clock; null = unknown. */
  | { readonly do: 'watermark'; readonly unitsBehind: number | null }
  | ({ readonly do: 'recharge'; readonly ref: number; readonly expiry: Expires } & Pick<
      Recharge,
      'points' | 'bonusPoints' | 'source'
    >)
  | ({ readonly do: 'hold' } & Placed)
  | ({ readonly do: 'consume'; readonly actual: ActualUse } & Placed)
  | { readonly do: 'confirm'; readonly hold: Named; readonly by: By; readonly actual: ActualUse }
  | {
      readonly do: 'cancel';
      readonly hold: Named;
      readonly by: By;
      readonly reason: CancelHold['reason'];
    }
  | { readonly do: 'extend'; readonly hold: Named; readonly by: By; readonly ttlUnits: number }
  /** `points` null = all that is left of the charge. */
  | { readonly do: 'refund'; readonly hold: Named; readonly points: number | null }
  /** `latest` counts recharges back from the latest, whatever became of them. */
  | { readonly do: 'reverse'; readonly latest: number }
  | { readonly do: 'adjust'; readonly delta: number; readonly forced: boolean }
  | { readonly do: 'freeze' | 'unfreeze' | 'revoke' | 'sweep' }
  | { readonly do: 'grant'; readonly order: number; readonly days: number }
  /** The account is opened anew from a snapshot with so many of its ids. */
  | { readonly do: 'reopen'; readonly ids: number }
  | {
      readonly do: 'again';
      readonly back: number;
      readonly as: 'same' | 'new id' | 'other payload';
    };

export type Expires = 'never' | { readonly units: number } | { readonly days: number };
/** The n-th latest hold id of this history (0 = the latest), the record id itself, or a hold nobody has named yet. */
export type Named = { readonly latest: number } | { readonly record: number } | 'unknown';
export type By = 'owner' | 'stranger' | 'admin';

export interface Placed {
  /** null = a hold id of its own; else the n-th latest, whatever it was used for. */
  readonly latest: number | null;
  readonly record: number;
  readonly terms: HoldTerms | 'price_not_found';
  readonly ttlUnits: number | null;
  readonly maxAmount: number | null;
}

const price = (over: Partial<HoldPrice>): HoldPrice => ({
  ...charged(1).price,
  mode: 'fixed',
  ...over,
});

const PRICES: readonly HoldPrice[] = [
  charged(1).price,
  price({ unit: 'quantity', unit_price: '2.5' }),
  price({ unit: 'call', unit_price: '7' }),
  price({
    mode: 'duration',
    unit: 'second',
    unit_price: '0.3',
    min_points: 2,
    rounding: 'half_up',
  }),
];

/** Null mostly; `fc.option` is the other way round. */
function seldom<Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | null> {
  return fc.oneof({ weight: 7, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
}

const few = fc.integer({ min: 1, max: 12 });
const huge = fc.integer({ min: 1, max: 1_000_000_000_000 });
/** What a recharge brings and a hold takes: few, so that accounts run dry. */
const points = fc.oneof({ weight: 60, arbitrary: few }, { weight: 1, arbitrary: huge });

const actualPoints = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 12, arbitrary: few },
  { weight: 10, arbitrary: fc.integer({ min: 10, max: 80 }) },
  { weight: 1, arbitrary: huge },
);

const actual: fc.Arbitrary<ActualUse> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<ActualUse>({ kind: 'as_held' }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('points'), points: actualPoints }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('quantity'),
      quantity: fc.integer({ min: 0, max: 9 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('duration'),
      durationMs: fc.integer({ min: 0, max: 90_000 }),
    }),
  },
);

const terms: fc.Arbitrary<HoldTerms> = fc
  .record({
    amount: points,
    overage: fc.constantFrom('debt', 'debt', 'cap', 'reject'),
    debtFloor: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 30 })),
    price: fc.constantFrom(...PRICES),
    chargeMode: fc.constantFrom('charged', 'charged', 'charged', 'free', 'member_free'),
    failurePolicy: fc.constantFrom('cancel', 'charge_then_refund'),
  })
  .map(({ amount, ...over }) => charged(over.chargeMode === 'charged' ? amount : 0, over));

const placed: fc.Arbitrary<Placed> = fc.record({
  latest: seldom(fc.nat(3)),
  record: fc.integer({ min: 1, max: 40 }),
  terms: fc.oneof(
    { weight: 15, arbitrary: terms },
    { weight: 1, arbitrary: fc.constant('price_not_found') },
  ),
  ttlUnits: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 4 })),
  maxAmount: seldom(fc.integer({ min: 0, max: 12 })),
});

const named: fc.Arbitrary<Named> = fc.oneof(
  { weight: 16, arbitrary: fc.record({ latest: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ record: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.constant('unknown') },
);

const by: fc.Arbitrary<By> = fc.oneof(
  { weight: 12, arbitrary: fc.constant('owner') },
  { weight: 1, arbitrary: fc.constantFrom('stranger', 'admin') },
);

const expiry: fc.Arbitrary<Expires> = fc.oneof(
  fc.constant('never'),
  { weight: 3, arbitrary: fc.record({ units: fc.integer({ min: 1, max: 6 }) }) },
  fc.record({ days: fc.integer({ min: 0, max: 8 }) }),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait'), units: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('clock back'),
      seconds: fc.integer({ min: 1, max: 10 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('watermark'),
      unitsBehind: fc.option(fc.nat(2), { freq: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('recharge'),
      ref: fc.nat(60),
      points,
      bonusPoints: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9 })),
      source: fc.constantFrom('order', 'reward', 'admin'),
      expiry,
    }),
  },
  { weight: 5, arbitrary: placed.map((hold) => ({ do: 'hold' as const, ...hold })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(placed, actual)
      .map(([hold, use]) => ({ do: 'consume' as const, ...hold, actual: use })),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('confirm'), hold: named, by, actual }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('cancel'),
      hold: named,
      by,
      reason: fc.constantFrom('caller', 'failed', 'client_abort', 'admin'),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ do: 'sweep' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('extend'),
      hold: named,
      by,
      ttlUnits: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('refund'),
      hold: fc.oneof({ weight: 9, arbitrary: fc.record({ latest: fc.nat(3) }) }, named),
      points: fc.option(few, { freq: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reverse'), latest: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('adjust'),
      delta: fc.oneof(
        few,
        few.map((number) => -number),
      ),
      forced: fc.boolean(),
    }),
  },
  // Rarely frozen, soon thawed: a frozen account does little.
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('freeze', 'unfreeze', 'unfreeze', 'unfreeze', 'unfreeze', 'revoke'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reopen'),
      ids: fc.constantFrom(0, 1, 5, 10_000, 10_000, 10_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('grant'),
      order: fc.nat(9),
      days: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('again'),
      back: fc.nat(12),
      as: fc.constantFrom('same', 'new id', 'other payload'),
    }),
  },
);

/** Histories of at most `maxSteps` steps. */
export function histories(maxSteps: number): fc.Arbitrary<History> {
  return fc.record({
    scaleMs: fc.constantFrom(
      SECOND_MS,
      20 * SECOND_MS,
      MINUTE_MS,
      15 * MINUTE_MS,
      HOUR_MS,
      12 * HOUR_MS,
      DAY_MS,
      3 * DAY_MS,
    ),
    limits: fc.record({
      openHolds: fc.constantFrom(2, 5, 1_000),
      holdGraceMs: fc.constantFrom(0, 60_000),
      fairUse: fc.record({
        perDay: fc.constantFrom(null, 1),
        perMonth: fc.constantFrom(null, 3),
      }),
    }),
    rememberedIds: fc.constantFrom(1, 4, 10_000),
    steps: fc.array(step, { maxLength: maxSteps, size: 'max' }),
  });
}
