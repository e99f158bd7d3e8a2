import { describe, expect, it } from 'vitest';
import { catalogOf, configOf, registered } from '../testing/pricing.ts';
import type { Operation } from './config.ts';
import {
  type HoldTerms,
  type PriceRequest,
  type PriceSources,
  resolvePrice,
} from './resolve-price.ts';

/** What a hold gets besides its price: policies, life, texts. */
const OPERATIONS: Record<string, Operation> = {
  script: { mode: 'fixed', points: 5, per: 'call', description: '【脚本生成】' },
  image: { mode: 'fixed', points: 10, per: 'quantity', failure_policy: 'charge_then_refund' },
  tts: {
    mode: 'duration',
    points_per_second: 1,
    rounding: 'ceil',
    min_points: 1,
    hold_ttl_seconds: 7_200,
  },
  capped: { mode: 'fixed', points: 1, per: 'call', overage: 'cap' },
  dify_chat: { mode: 'catalog', overage: 'reject', description: 'chat {topic}' },
  ai_writing: {
    mode: 'fixed',
    points: 10,
    per: 'call',
    description: 'AI写作 - {tool_type}',
    refund_description: 'AI写作失败退款 - {tool_type}',
  },
};

const SOURCES: PriceSources = {
  catalog: catalogOf(registered()),
  config: configOf(OPERATIONS, { free_services: ['caption'] }),
  configVersion: 'v1',
};

function resolve(request: Partial<PriceRequest>, sources = SOURCES): HoldTerms {
  const terms = resolvePrice({ metadata: {}, ...request }, sources);
  if ('code' in terms) throw new Error(`refused: ${terms.code}`);
  return terms;
}

describe('policies', () => {
  it.each<[Partial<PriceRequest>, Partial<HoldTerms>]>([
    [
      { sourceType: 'script' },
      { overage: 'debt', failurePolicy: 'cancel', ttlMs: 1_800_000, debtFloor: null },
    ],
    [{ sourceType: 'tts' }, { ttlMs: 7_200_000 }],
    [{ sourceType: 'capped' }, { overage: 'cap' }],
    [{ sourceType: 'capped', overage: 'reject' }, { overage: 'reject' }],
    [{ sourceType: 'image' }, { failurePolicy: 'charge_then_refund' }],
    // The operation's policies also hold for a model and a given amount that it labels.
    [{ sourceType: 'dify_chat', model: 'sora_image' }, { overage: 'reject' }],
    [{ sourceType: 'image', amount: 3 }, { failurePolicy: 'charge_then_refund' }],
    [{ model: 'sora_image' }, { overage: 'debt', failurePolicy: 'cancel', ttlMs: 1_800_000 }],
  ])('%j: %j', (request, expected) => {
    expect(resolve(request)).toMatchObject(expected);
  });

  it('the debt floor is the config’s', () => {
    const sources = { ...SOURCES, config: { ...SOURCES.config, overdraft: { floor: 50 } } };
    expect(resolve({ sourceType: 'script' }, sources).debtFloor).toBe(50);
  });
});

describe('descriptions', () => {
  const writing = (metadata: Record<string, string>) =>
    resolve({ sourceType: 'ai_writing', metadata });

  it.each<[Partial<PriceRequest>, string]>([
    [{ sourceType: 'script' }, '【脚本生成】'],
    [{ model: 'sora_image' }, 'Sora'],
    [{ model: 'sora_image', sourceType: 'script' }, '【脚本生成】'],
    [{ model: 'sora_image', sourceType: 'dify_chat', metadata: { topic: 'tea' } }, 'chat tea'],
    [{ amount: 5, sourceType: 'script' }, '【脚本生成】'],
    [{ amount: 5 }, ''],
    [{ sourceType: 'image' }, ''],
    [{ sourceType: 'caption' }, ''],
  ])('%j: %j', (request, description) => {
    expect(resolve(request).description).toBe(description);
  });

  it.each<[Record<string, string>, string]>([
    [{ tool_type: '小红书' }, 'AI写作 - 小红书'],
    [{}, 'AI写作 - '],
    [{ tool_type: '{tool_type} $& $1' }, 'AI写作 - {tool_type} $& $1'],
  ])('placeholders filled from %j: %j', (metadata, description) => {
    expect(writing(metadata).description).toBe(description);
    expect(writing(metadata).refundDescription).toBe(
      description.replace('AI写作', 'AI写作失败退款'),
    );
  });

  it('placeholders that name no metadata of its own stay empty', () => {
    const operation: Operation = {
      mode: 'free',
      description: 'a {constructor}{__proto__} b {not closed {x y}',
    };
    const sources = { ...SOURCES, config: configOf({ x: operation }) };
    expect(resolve({ sourceType: 'x' }, sources).description).toBe('a  b {not closed {x y}');
  });

  it('are cut at 500 code points, never inside one', () => {
    const long = '😀'.repeat(600);
    expect(writing({ tool_type: long }).description).toBe(`AI写作 - ${'😀'.repeat(493)}`);
  });

  it('there is no refund description without a template', () => {
    expect(resolve({ sourceType: 'script' })).not.toHaveProperty('refundDescription');
  });
});
