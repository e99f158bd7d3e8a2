import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePricingConfig, storedPricingConfig } from './pricing-config.ts';

/** Hundreds of runs take their time on a busy machine. */
const PROPERTY_TIMEOUT_MS = 60_000;

const SMALLEST = { version: 1, operations: {} };

describe('parsePricingConfig', () => {
  it('spells out every default', () => {
    expect(parsePricingConfig(SMALLEST)).toEqual({
      ok: true,
      value: {
        version: 1,
        timezone: 'Asia/Shanghai',
        expiry: { default_days: 365, expiring_soon_days: 7, sweep_every: '5m' },
        holds: { ttl_seconds: 1_800, sweep_every: '5m', max_open_per_user: 1_000 },
        overdraft: { floor: null },
        operations: {},
        free_services: [],
        membership: { fair_use: { per_day: null, per_month: null } },
        payments: { mode: 'mock', order_ttl: '15m', providers: ['alipay', 'wechat'] },
      },
    });
  });

  it.each([
    [
      { mode: 'fixed', points: 5 },
      { mode: 'fixed', points: 5, per: 'call' },
    ],
    [
      { mode: 'fixed', points: 0.07, per: 'quantity', member_free: true },
      { mode: 'fixed', points: 0.07, per: 'quantity', member_free: true },
    ],
    [
      { mode: 'duration', points_per_second: 0.000001 },
      { mode: 'duration', points_per_second: 0.000001, rounding: 'ceil', min_points: 0 },
    ],
    [
      {
        mode: 'duration',
        points_per_second: 1,
        rounding: 'half_up',
        min_points: 1,
        hold_ttl_seconds: 7_200,
        overage: 'cap',
      },
      {
        mode: 'duration',
        points_per_second: 1,
        rounding: 'half_up',
        min_points: 1,
        hold_ttl_seconds: 7_200,
        overage: 'cap',
      },
    ],
    [
      { mode: 'free', description: '【字幕】' },
      { mode: 'free', description: '【字幕】' },
    ],
    [
      { price_from: 'catalog', on_client_abort: 'cancel' },
      { mode: 'catalog', on_client_abort: 'cancel' },
    ],
  ])('reads the operation %j', (operation, stored) => {
    expect(parsePricingConfig({ ...SMALLEST, operations: { op: operation } })).toMatchObject({
      ok: true,
      value: { operations: { op: stored } },
    });
  });

  it.each<[string, unknown, string]>([
    ['nothing', null, 'points-config'],
    ['a list', [], 'points-config'],
    ['no version', { operations: {} }, 'version'],
    ['another version', { ...SMALLEST, version: 2 }, 'version'],
    ['no operations', { version: 1 }, 'operations'],
    ['an unknown key', { ...SMALLEST, operation: {} }, 'operation'],
    ...['expiry', 'holds', 'overdraft', 'membership', 'payments'].map(
      (section): [string, unknown, string] => [
        `an unknown key in ${section}`,
        { ...SMALLEST, [section]: { ttl: 5 } },
        `${section}.ttl`,
      ],
    ),
    [
      'an unknown key deeper',
      { ...SMALLEST, membership: { fair_use: { per_year: 1 } } },
      'membership.fair_use.per_year',
    ],
    ['another time zone', { ...SMALLEST, timezone: 'UTC' }, 'timezone'],
    [
      'a hold that lives too long',
      { ...SMALLEST, holds: { ttl_seconds: 86_401 } },
      'holds.ttl_seconds',
    ],
    ['a negative floor', { ...SMALLEST, overdraft: { floor: -1 } }, 'overdraft.floor'],
    ['a period without unit', { ...SMALLEST, expiry: { sweep_every: '5' } }, 'expiry.sweep_every'],
    [
      'a name in operations and free_services',
      { ...SMALLEST, operations: { a: { mode: 'free' } }, free_services: ['a'] },
      'free_services.0',
    ],
    [
      'a name twice in free_services',
      { ...SMALLEST, free_services: ['a', 'b', 'a'] },
      'free_services.2',
    ],
    [
      'an operation name too long',
      { ...SMALLEST, operations: { ['x'.repeat(33)]: { mode: 'free' } } },
      `operations.${'x'.repeat(33)}`,
    ],
  ])('refuses %s and names the key', (_, file, field) => {
    expect(parsePricingConfig(file)).toMatchObject({ ok: false, field });
  });

  it.each<[unknown, string]>([
    [{}, 'mode'],
    [{ points: 5 }, 'mode'],
    [{ mode: 'per_call', points: 5 }, 'mode'],
    [{ mode: 'fixed', price_from: 'catalog', points: 5 }, 'mode'],
    [{ mode: 'fixed' }, 'points'],
    [{ mode: 'fixed', points: -1 }, 'points'],
    [{ mode: 'fixed', points: '5' }, 'points'],
    [{ mode: 'fixed', points: 0.0000001 }, 'points'],
    [{ mode: 'fixed', points: 1.2345678 }, 'points'],
    [{ mode: 'fixed', points: 5, rounding: 'ceil' }, 'rounding'],
    [{ mode: 'fixed', points: 5, points_per_second: 1 }, 'points_per_second'],
    [{ mode: 'fixed', points: 5, per: 'second' }, 'per'],
    [{ mode: 'duration' }, 'points_per_second'],
    [{ mode: 'duration', points_per_second: -0.5 }, 'points_per_second'],
    [{ mode: 'duration', points_per_second: 1, points: 5 }, 'points'],
    [{ mode: 'duration', points_per_second: 1, min_points: 0.5 }, 'min_points'],
    [{ mode: 'free', points: 0 }, 'points'],
    [{ price_from: 'catalog', points: 5 }, 'points'],
    [{ mode: 'free', member_free: 'yes' }, 'member_free'],
    [{ mode: 'free', description: 'a\tb' }, 'description'],
    [{ mode: 'free', price: 5 }, 'price'],
  ])('refuses the operation %j and names %s', (operation, field) => {
    expect(parsePricingConfig({ ...SMALLEST, operations: { op: operation } })).toMatchObject({
      ok: false,
      field: `operations.op.${field}`,
    });
  });

  it('keeps operations that are named like properties of every object', () => {
    const parsed = parsePricingConfig({
      ...SMALLEST,
      operations: { constructor: { mode: 'free' }, toString: { mode: 'fixed', points: 1 } },
    });
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        operations: { constructor: { mode: 'free' }, toString: { mode: 'fixed', points: 1 } },
      },
    });
  });

  it(
    'gives content that can be stored and read again as the same',
    { timeout: PROPERTY_TIMEOUT_MS },
    () => {
      const operation = fc.oneof(
        fc.record(
          {
            mode: fc.constant('fixed'),
            points: fc.nat(),
            per: fc.constantFrom('call', 'quantity'),
          },
          { requiredKeys: ['mode', 'points'] },
        ),
        fc.record(
          {
            mode: fc.constant('duration'),
            points_per_second: fc.nat({ max: 1_000_000 }).map((micro) => micro / 1_000_000),
            overage: fc.constant('cap'),
          },
          { requiredKeys: ['mode', 'points_per_second'] },
        ),
        fc.record(
          { mode: fc.constant('free'), description: fc.string() },
          { requiredKeys: ['mode'] },
        ),
        fc.constant({ price_from: 'catalog' }),
      );
      fc.assert(
        fc.property(
          fc.dictionary(fc.string({ minLength: 1, maxLength: 32 }), operation),
          (operations) => {
            const parsed = parsePricingConfig({ ...SMALLEST, operations });
            expect(parsed.ok).toBe(true);
            if (parsed.ok)
              expect(storedPricingConfig.parse(JSON.parse(JSON.stringify(parsed.value)))).toEqual(
                parsed.value,
              );
          },
        ),
      );
    },
  );

  it('never throws', { timeout: PROPERTY_TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.jsonValue()),
        (file) => parsePricingConfig(file).ok === false,
      ),
    );
  });
});
