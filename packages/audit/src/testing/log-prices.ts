import { parsePricingConfig, type PricingConfig } from '@points/contracts/pricing-config';
import type { ModelRegistered } from '@points/domain/catalog/events';
import type { PriceListed } from '@points/domain/price-list/events';

/** `points-config.yaml` of the logs that are made for tests, before its defaults are spelled out. */
export const LOG_PRICES_FILE = {
  version: 1,
  operations: {
    script: { mode: 'fixed', points: 5, description: '【脚本生成】' },
    polish: { mode: 'fixed', points: 1, description: '【文案润色】' },
    tts: {
      mode: 'duration',
      points_per_second: 0.7,
      rounding: 'ceil',
      min_points: 1,
      description: '【配音合成】',
    },
    video: {
      mode: 'duration',
      points_per_second: 1,
      rounding: 'half_up',
      hold_ttl_seconds: 7_200,
      overage: 'cap',
      description: '【视频生成】',
    },
    image: {
      mode: 'fixed',
      points: 10,
      per: 'quantity',
      member_free: true,
      failure_policy: 'charge_then_refund',
      description: 'AI图片生成消费',
    },
    ai_writing: {
      mode: 'fixed',
      points: 10,
      member_free: true,
      failure_policy: 'charge_then_refund',
      description: 'AI写作 - {tool_type}',
      refund_description: 'AI写作失败退款 - {tool_type}',
    },
    help: { mode: 'free' },
    dify_chat: { price_from: 'catalog', description: 'AI对话消费' },
  },
  free_services: ['caption'],
};

/** The same as `ConfigLoaded` holds it. */
export const LOG_PRICES: PricingConfig = spelledOut(LOG_PRICES_FILE);

function spelledOut(file: unknown): PricingConfig {
  const parsed = parsePricingConfig(file);
  if (!parsed.ok) throw new Error(`${parsed.field} ${parsed.message}`);
  return parsed.value;
}

const model = (
  name: string,
  points_cost: number,
  over: Partial<ModelRegistered> = {},
): ModelRegistered => ({
  model_id: name,
  model_name: name,
  display_name: name,
  description: `${name}，按次计费`,
  points_cost,
  platform: '',
  provider_type: 'dify',
  model_type: 'llm',
  task_type: 'llm',
  is_enabled: true,
  extended_config: {},
  ...over,
});

/** The one whose price changes in the course of a log. */
export const DEAR_MODEL = model('qwen-max', 3);

export const LOG_MODELS: readonly ModelRegistered[] = [
  DEAR_MODEL,
  model('qwen-turbo', 1),
  model('intro-chat', 0),
  model('sora_image', 11, {
    platform: 'sora',
    provider_type: 'openai',
    model_type: 'image',
    task_type: 'text_to_image',
    extended_config: { sizes: ['1024x1024'], quality: { default: 'high', steps: 30 } },
  }),
];

const package_ = (points: number, bonus: number, sort_order: number): PriceListed => ({
  kind: 'credits',
  price_id: `credits_${points}`,
  name: `${points}积分`,
  price_fen: points * 10,
  sort_order,
  is_active: true,
  points,
  bonus,
  validity_days: 365,
});

export const LOG_PACKAGES: readonly PriceListed[] = [
  package_(100, 0, 1),
  package_(500, 50, 2),
  package_(2_000, 300, 3),
];
