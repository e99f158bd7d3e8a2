import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogOf, configOf, registered } from '../testing/pricing.ts';
import type { Operation } from './config.ts';
import { MAX_POINTS } from './price-use.ts';
import {
  type HoldTerms,
  type PriceRequest,
  type PriceSources,
  resolvePrice,
} from './resolve-price.ts';

const OPERATIONS: Record<string, Operation> = {
  script: { mode: 'fixed', points: 5, per: 'call', description: '【脚本生成】' },
  image: {
    mode: 'fixed',
    points: 10,
    per: 'quantity',
    failure_policy: 'charge_then_refund',
    member_free: true,
  },
  tts: {
    mode: 'duration',
    points_per_second: 1,
    rounding: 'ceil',
    min_points: 1,
    hold_ttl_seconds: 7_200,
  },
  cents: {
    mode: 'duration',
    points_per_second: 0.000001,
    rounding: 'half_up',
    min_points: 0,
    overage: 'cap',
  },
  gift: { mode: 'free', description: 'gift' },
  zero: { mode: 'fixed', points: 0, per: 'call' },
  dify_chat: { mode: 'catalog', overage: 'reject', description: 'chat {topic}' },
  dear: { mode: 'fixed', points: MAX_POINTS, per: 'quantity' },
  ai_writing: {
    mode: 'fixed',
    points: 10,
    per: 'call',
    description: 'AI写作 - {tool_type}',
    refund_description: 'AI写作失败退款 - {tool_type}',
  },
};

const SOURCES: PriceSources = {
  catalog: catalogOf(
    registered(),
    registered({
      model_id: 'off',
      model_name: 'off',
      platform: 'x',
      model_type: 'off',
      is_enabled: false,
    }),
    registered({ model_id: 'gone', model_name: 'gone', platform: 'x', model_type: 'gone' }),
    { type: 'ModelRemoved', data: { model_id: 'gone' } },
    registered({
      model_id: 'nil',
      model_name: 'nil',
      platform: '',
      model_type: '',
      points_cost: 0,
    }),
    registered({
      model_id: 'dear',
      model_name: 'dear',
      platform: 'x',
      model_type: 'dear',
      points_cost: MAX_POINTS,
    }),
    // Named like an operation.
    registered({
      model_id: 'sc',
      model_name: 'script',
      platform: 'x',
      model_type: 'script',
      points_cost: 3,
    }),
  ),
  config: configOf(OPERATIONS, { free_services: ['caption', 'auto_align'] }),
  configVersion: 'v1',
};

function resolve(request: Partial<PriceRequest>, sources = SOURCES): HoldTerms {
  const terms = resolvePrice({ metadata: {}, ...request }, sources);
  if ('code' in terms) throw new Error(`refused: ${terms.code}`);
  return terms;
}

/** `<amount> <mode>/<unit> <source>`, or the refusal. */
function summary(request: Partial<PriceRequest>): string {
  const terms = resolvePrice({ metadata: {}, ...request }, SOURCES);
  if ('code' in terms) return [terms.code, ...Object.values(terms.details ?? {})].join(' ');
  const { price } = terms;
  return `${terms.amount} ${price.mode}/${price.unit}@${price.unit_price} ${price.source}`;
}

describe('resolvePrice', () => {
  it.each<[Partial<PriceRequest>, string]>([
    // the given amount first: the rest only labels the hold
    [{ amount: 42 }, '42 amount/call@42 amount'],
    [{ amount: 42, model: 'sora_image' }, '42 amount/call@42 amount'],
    [{ amount: 42, model: 'nobody', sourceType: 'nothing' }, '42 amount/call@42 amount'],
    [{ amount: 42, sourceType: 'gift' }, '42 amount/call@42 amount'],
    [{ amount: 42, quantity: 3 }, '42 amount/call@42 amount'],
    [{ amount: MAX_POINTS }, `${MAX_POINTS} amount/call@${MAX_POINTS} amount`],
    // then the named model, per piece
    [{ model: 'sora_image' }, '11 fixed/quantity@11 model:sora'],
    [{ model: 'sora_image', quantity: 4 }, '44 fixed/quantity@11 model:sora'],
    [{ platform: 'runninghub', modelType: 'image' }, '11 fixed/quantity@11 model:sora'],
    [{ model: 'sora_image', sourceType: 'script' }, '11 fixed/quantity@11 model:sora'],
    [{ model: 'sora_image', sourceType: 'caption' }, '11 fixed/quantity@11 model:sora'],
    [{ model: 'script', sourceType: 'script' }, '3 fixed/quantity@3 model:sc'],
    [
      { model: 'sora_image', platform: 'x', modelType: 'script' },
      '11 fixed/quantity@11 model:sora',
    ],
    [{ model: 'nil' }, '0 free/call@0 model:nil'],
    [{ model: 'dear' }, `${MAX_POINTS} fixed/quantity@${MAX_POINTS} model:dear`],
    // a named model never falls through to the operation
    [{ model: 'nobody', sourceType: 'script' }, 'price_not_found'],
    [{ model: '', sourceType: 'script' }, 'price_not_found'],
    [{ model: 'sora', sourceType: 'script' }, 'price_not_found'],
    [{ model: 'gone', sourceType: 'script' }, 'price_not_found'],
    [{ model: 'off', sourceType: 'script' }, 'model_disabled off'],
    [{ platform: 'x', modelType: 'off', sourceType: 'script' }, 'model_disabled off'],
    [{ platform: 'x', modelType: 'gone', sourceType: 'script' }, 'price_not_found'],
    [{ platform: 'runninghub', modelType: 'video', sourceType: 'script' }, 'price_not_found'],
    [{ platform: 'runninghub', sourceType: 'script' }, 'price_not_found'],
    [{ platform: '', modelType: '', sourceType: 'script' }, 'price_not_found'],
    // then the operation
    [{ sourceType: 'script' }, '5 fixed/call@5 operation:script'],
    [{ sourceType: 'script', quantity: 9 }, '5 fixed/call@5 operation:script'],
    [{ sourceType: 'image' }, '10 fixed/quantity@10 operation:image'],
    [{ sourceType: 'image', quantity: 3 }, '30 fixed/quantity@10 operation:image'],
    [{ sourceType: 'tts', estimatedDurationMs: 12_300 }, '13 duration/second@1 operation:tts'],
    [
      { sourceType: 'tts', estimatedDurationMs: 12_300, quantity: 7 },
      '13 duration/second@1 operation:tts',
    ],
    [{ sourceType: 'gift' }, '0 free/call@0 operation:gift'],
    [{ sourceType: 'zero', quantity: 5 }, '0 free/call@0 operation:zero'],
    [{ sourceType: 'caption' }, '0 free/call@0 operation:caption'],
    [{ sourceType: 'auto_align', estimatedDurationMs: 5 }, '0 free/call@0 operation:auto_align'],
    // an estimate of nothing still holds one point
    [{ sourceType: 'tts' }, '1 duration/second@1 operation:tts'],
    [{ sourceType: 'tts', estimatedDurationMs: 0 }, '1 duration/second@1 operation:tts'],
    [
      { sourceType: 'cents', estimatedDurationMs: 1_000 },
      '1 duration/second@0.000001 operation:cents',
    ],
    [{ sourceType: 'image', quantity: 0 }, '1 fixed/quantity@10 operation:image'],
    // and nothing else
    [{ sourceType: 'dify_chat' }, 'price_not_found'],
    [{ sourceType: 'dify_chat', model: 'sora_image' }, '11 fixed/quantity@11 model:sora'],
    [{ sourceType: 'unknown' }, 'price_not_found'],
    [{ sourceType: '' }, 'price_not_found'],
    [{}, 'price_not_found'],
    [{ sourceType: 'constructor' }, 'price_not_found'],
    [{ sourceType: '__proto__' }, 'price_not_found'],
    [{ sourceType: 'toString' }, 'price_not_found'],
    [{ model: '__proto__' }, 'price_not_found'],
    // more than the largest
    [
      { sourceType: 'dear', quantity: 1 },
      `${MAX_POINTS} fixed/quantity@${MAX_POINTS} operation:dear`,
    ],
    [{ sourceType: 'dear', quantity: 2 }, 'invalid_argument quantity'],
    [{ model: 'dear', quantity: 2 }, 'invalid_argument quantity'],
    [{ sourceType: 'tts', estimatedDurationMs: 1e15 + 1 }, 'invalid_argument estimated_duration'],
  ])('%j: %s', (request, expected) => {
    expect(summary(request)).toBe(expected);
  });

  it.each([
    { request: { sourceType: 'script' }, chargeMode: 'charged', listPrice: 5 },
    { request: { sourceType: 'tts' }, chargeMode: 'charged', listPrice: 0 },
    { request: { sourceType: 'gift' }, chargeMode: 'free', listPrice: 0 },
    { request: { sourceType: 'caption' }, chargeMode: 'free', listPrice: 0 },
    { request: { model: 'nil' }, chargeMode: 'free', listPrice: 0 },
    { request: { amount: 9, sourceType: 'gift' }, chargeMode: 'charged', listPrice: 9 },
  ])('$request is $chargeMode, list price $listPrice', ({ request, ...expected }) => {
    expect(resolve(request)).toMatchObject(expected);
  });

  it('the config version is part of every price but a given amount', () => {
    expect(resolve({ sourceType: 'script' }).price.config_version).toBe('v1');
    expect(resolve({ sourceType: 'gift' }).price.config_version).toBe('v1');
    expect(resolve({ model: 'sora_image' }).price.config_version).toBe('v1');
    expect(resolve({ model: 'nil' }).price.config_version).toBe('v1');
    expect(resolve({ amount: 1 }).price.config_version).toBe('');
  });

  it('min_points and rounding come from the operation', () => {
    expect(resolve({ sourceType: 'cents' }).price).toMatchObject({
      rounding: 'half_up',
      min_points: 0,
    });
    expect(resolve({ sourceType: 'tts' }).price).toMatchObject({ rounding: 'ceil', min_points: 1 });
  });

  it.each([
    0.07,
    1.1,
    0.29,
    8_765_432_109.123457,
    123_456_789_012.12346,
    999_999_999_999.99,
    MAX_POINTS,
  ])('the unit price %d is kept as it was written', (points) => {
    const sources = { ...SOURCES, config: configOf({ x: { mode: 'fixed', points, per: 'call' } }) };
    expect(resolve({ sourceType: 'x' }, sources).price.unit_price).toBe(String(points));
  });
});

describe('any request', () => {
  it('has a price or a refusal, and a charged price holds 1 to 1e12 points', () => {
    const request = fc.record(
      {
        amount: fc.integer({ min: 1, max: MAX_POINTS }),
        sourceType: fc.constantFrom(...Object.keys(OPERATIONS), 'caption', 'unknown', '__proto__'),
        model: fc.constantFrom('sora_image', 'off', 'gone', 'nil', 'dear', 'nobody'),
        platform: fc.constantFrom('runninghub', 'x', ''),
        modelType: fc.constantFrom('image', 'off', ''),
        quantity: fc.integer({ min: 0, max: 1_000_000_000_000 }),
        estimatedDurationMs: fc.integer({ min: 0, max: 10_000_000_000 }),
        overage: fc.constantFrom('debt' as const, 'cap' as const, 'reject' as const),
        metadata: fc.dictionary(fc.string(), fc.string()),
      },
      { requiredKeys: ['metadata'] },
    );
    fc.assert(
      fc.property(request, (asked) => {
        const terms = resolvePrice(asked, SOURCES);
        if ('code' in terms) return;
        const free = terms.chargeMode === 'free';
        expect(terms.amount >= (free ? 0 : 1) && terms.amount <= (free ? 0 : MAX_POINTS)).toBe(
          true,
        );
        expect(Number.isSafeInteger(terms.amount) && Number.isSafeInteger(terms.listPrice)).toBe(
          true,
        );
      }),
      { numRuns: 500 },
    );
  });
});
