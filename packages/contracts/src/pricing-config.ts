import type { PricingConfig as DomainPricingConfig } from '@points/domain/pricing/config';
import { z } from 'zod';
import { firstProblem, type Problem } from './first-problem.ts';
import { line, longText, MAX_POINTS, sourceType } from './text.ts';

/**
 * `config/points-config.yaml`: the file as its owner writes it (strict, with defaults), and the content as it is
 * stored in `ConfigLoaded` (everything spelled out, unknown fields ignored).
 */
const MAX_OPERATIONS = 512;
const MAX_DAYS = 36_500;
const MAX_HOLD_TTL_SECONDS = 86_400;
const MAX_OPEN_HOLDS = 100_000;

const days = z.int().min(1).max(MAX_DAYS);
const ttlSeconds = z.int().min(1).max(MAX_HOLD_TTL_SECONDS);
/** At most 6 places, exactly as the ledger's arithmetic holds it. */
const price = z
  .number()
  .min(0)
  .max(MAX_POINTS)
  .refine((value) => /^\d+(\.\d{1,6})?$/.test(String(value)), {
    error: 'must have at most 6 decimals',
  });
const wholePoints = z.int().min(0).max(MAX_POINTS);
/** Such as `5m`. */
const period = z
  .string()
  .regex(/^[1-9]\d{0,5}(s|m|h|d)$/, { error: 'must be a number and s, m, h or d, such as 5m' });

const policies = {
  hold_ttl_seconds: ttlSeconds.exactOptional(),
  member_free: z.boolean().exactOptional(),
  failure_policy: z.enum(['cancel', 'charge_then_refund']).exactOptional(),
  overage: z.enum(['debt', 'cap', 'reject']).exactOptional(),
  on_client_abort: z.enum(['cancel', 'confirm']).exactOptional(),
  description: longText.exactOptional(),
  refund_description: longText.exactOptional(),
};

const per = z.enum(['call', 'quantity']);
const rounding = z.enum(['ceil', 'floor', 'half_up']);

const storedOperation = z.discriminatedUnion('mode', [
  z.object({ mode: z.literal('fixed'), points: z.number(), per, ...policies }),
  z.object({
    mode: z.literal('duration'),
    points_per_second: z.number(),
    rounding,
    min_points: z.int(),
    ...policies,
  }),
  z.object({ mode: z.literal('free'), ...policies }),
  z.object({ mode: z.literal('catalog'), ...policies }),
]);

export type PricedOperation = z.output<typeof storedOperation>;

/** The content of `ConfigLoaded`. */
export const storedPricingConfig = z.object({
  version: z.int().describe("The file's format"),
  timezone: z.string().describe('In which days end'),
  expiry: z.object({
    default_days: z.int().describe('Life of points that come without an end'),
    expiring_soon_days: z.int().describe('From when on users are told'),
    sweep_every: z.string(),
  }),
  holds: z.object({
    ttl_seconds: z.int().describe('Life of a hold, where neither caller nor operation says'),
    sweep_every: z.string(),
    max_open_per_user: z.int(),
  }),
  overdraft: z.object({
    floor: z.int().nullable().describe('Most debt by overage; null = no limit'),
  }),
  operations: z
    .record(z.string(), storedOperation)
    .describe('By source_type: `mode`, its price and its policies'),
  free_services: z.array(z.string()).describe('Source types that never cost anything'),
  membership: z.object({
    fair_use: z.object({
      per_day: z.int().nullable().describe('Uses; null = no cap'),
      per_month: z.int().nullable().describe('Uses; null = no cap'),
    }),
  }),
  payments: z.object({
    mode: z.string(),
    order_ttl: z.string().describe('How long an order waits for its payment'),
    providers: z.array(z.string()),
  }),
}) satisfies z.ZodType<DomainPricingConfig>;

export type PricingConfig = z.output<typeof storedPricingConfig>;

/** What an operation's section may hold; which of the price keys it needs depends on its mode. */
const operationInFile = z
  .strictObject({
    mode: z.enum(['fixed', 'duration', 'free']).optional(),
    price_from: z.literal('catalog').optional(),
    points: price.optional(),
    per: per.optional(),
    points_per_second: price.optional(),
    rounding: rounding.optional(),
    min_points: wholePoints.optional(),
    ...policies,
  })
  .superRefine((operation, context) => {
    const refuse = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    if ((operation.mode === undefined) === (operation.price_from === undefined)) {
      refuse('mode', 'must be given as fixed, duration or free, or else price_from: catalog');
    }
    for (const [key, mode] of PRICE_KEYS) {
      if (operation[key] !== undefined && operation.mode !== mode)
        refuse(key, `belongs to mode ${mode}`);
    }
    if (operation.mode === 'fixed' && operation.points === undefined)
      refuse('points', 'is needed with mode fixed');
    if (operation.mode === 'duration' && operation.points_per_second === undefined) {
      refuse('points_per_second', 'is needed with mode duration');
    }
  });

const PRICE_KEYS = [
  ['points', 'fixed'],
  ['per', 'fixed'],
  ['points_per_second', 'duration'],
  ['rounding', 'duration'],
  ['min_points', 'duration'],
] as const;

const fileShape = z
  .strictObject({
    version: z.literal(1),
    timezone: z.literal('Asia/Shanghai').default('Asia/Shanghai'),
    expiry: z
      .strictObject({
        default_days: days.default(365),
        expiring_soon_days: days.default(7),
        sweep_every: period.default('5m'),
      })
      .prefault({}),
    holds: z
      .strictObject({
        ttl_seconds: ttlSeconds.default(1_800),
        sweep_every: period.default('5m'),
        max_open_per_user: z.int().min(1).max(MAX_OPEN_HOLDS).default(1_000),
      })
      .prefault({}),
    overdraft: z.strictObject({ floor: wholePoints.nullable().default(null) }).prefault({}),
    operations: z
      .record(sourceType, operationInFile)
      .refine((map) => Object.keys(map).length <= MAX_OPERATIONS, {
        error: `must be at most ${MAX_OPERATIONS}`,
      }),
    free_services: z.array(sourceType).max(MAX_OPERATIONS).default([]),
    membership: z
      .strictObject({
        fair_use: z
          .strictObject({
            per_day: z.int().min(1).nullable().default(null),
            per_month: z.int().min(1).nullable().default(null),
          })
          .prefault({}),
      })
      .prefault({}),
    payments: z
      .strictObject({
        mode: z.enum(['mock', 'live']).default('mock'),
        order_ttl: period.default('15m'),
        providers: z.array(line(32)).max(16).default(['alipay', 'wechat']),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const seen = new Set<string>();
    for (const [index, name] of config.free_services.entries()) {
      const path = ['free_services', index];
      if (Object.hasOwn(config.operations, name))
        context.addIssue({
          code: 'custom',
          path,
          message: `${name} is also one of the operations`,
        });
      if (seen.has(name))
        context.addIssue({ code: 'custom', path, message: `${name} is named twice` });
      seen.add(name);
    }
  });

/**
 * Checks the parsed YAML (or JSON) of the file and spells out every default. Unknown keys, negative points, a name
 * both in operations and free_services, and an operation without a mode are refused; the problem names the key.
 */
export function parsePricingConfig(
  file: unknown,
):
  | ({ readonly ok: true } & { readonly value: PricingConfig })
  | ({ readonly ok: false } & Problem) {
  const parsed = fileShape.safeParse(file);
  if (!parsed.success) return { ok: false, ...firstProblem(parsed.error, 'points-config') };
  const operations = Object.entries(parsed.data.operations).map(([name, operation]) => [
    name,
    spelledOut(operation),
  ]);
  return { ok: true, value: { ...parsed.data, operations: Object.fromEntries(operations) } };
}

function spelledOut(operation: z.output<typeof operationInFile>): PricedOperation {
  const {
    mode,
    price_from: _,
    points,
    per: unit,
    points_per_second,
    rounding: round,
    min_points,
    ...rest
  } = operation;
  switch (mode) {
    case 'fixed':
      return { mode, points: needed(points), per: unit ?? 'call', ...rest };
    case 'duration':
      return {
        mode,
        points_per_second: needed(points_per_second),
        rounding: round ?? 'ceil',
        min_points: min_points ?? 0,
        ...rest,
      };
    case 'free':
      return { mode, ...rest };
    case undefined:
      return { mode: 'catalog', ...rest };
    default:
      return mode satisfies never;
  }
}

function needed(value: number | undefined): number {
  if (value === undefined) throw new Error('an operation passed the checks without its price');
  return value;
}
