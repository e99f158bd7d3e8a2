import { type Catalog, emptyCatalog, evolveCatalog } from '../catalog/catalog.ts';
import type { ModelEvent, ModelRegistered } from '../catalog/events.ts';
import type { Operation, PricingConfig } from '../pricing/config.ts';

/** For tests: a catalog folded from events, and a config of these operations. */
export function catalogOf(...events: readonly ModelEvent[]): Catalog {
  return events.reduce(
    (catalog, event, n) =>
      evolveCatalog(catalog, event, {
        command_id: `command ${n}`,
        request_hash: `hash ${n}`,
        index: 0,
        occurred_at: '2026-01-01T00:00:00.000Z',
      }),
    emptyCatalog(),
  );
}

export function registered(over: Partial<ModelRegistered> = {}): ModelEvent {
  return { type: 'ModelRegistered', data: model(over) };
}

export function model(over: Partial<ModelRegistered> = {}): ModelRegistered {
  return {
    model_id: 'sora',
    model_name: 'sora_image',
    display_name: 'Sora',
    description: '',
    points_cost: 11,
    platform: 'runninghub',
    provider_type: 'openai',
    model_type: 'image',
    task_type: 'text_to_image',
    is_enabled: true,
    extended_config: {},
    ...over,
  };
}

export function configOf(
  operations: Readonly<Record<string, Operation>>,
  over: Partial<PricingConfig> = {},
): PricingConfig {
  return {
    version: 1,
    timezone: 'Asia/Shanghai',
    expiry: { default_days: 365, expiring_soon_days: 7 },
    holds: { ttl_seconds: 1_800, max_open_per_user: 20 },
    overdraft: { floor: null },
    operations,
    membership: { fair_use: { per_day: null, per_month: null } },
    free_services: [],
    ...over,
  };
}
