import { encodeMetadata } from '@points/contracts/stored-events';
import { PRICING_CONFIG_STREAM } from '@points/contracts/streams';
import type { JsonObject } from '@points/event-store/event-log';
import type { EventDraft } from '@points/event-store/hash-chain';
import { NO_REQUEST } from '@points/ledger/request-hash';
import type { Random } from './random.ts';
import type { Store } from './store.ts';

/** Loads other prices, as an operator would. */
export function changePrices(store: Store, random: Random, nowMs: number): Promise<void> {
  const command_id = random.uuid(nowMs);
  const version = Array.from({ length: 64 }, () => random.integer(0, 15).toString(16)).join('');
  const metadata = encodeMetadata({
    eventType: 'ConfigLoaded',
    context: {
      command_id,
      request_hash: NO_REQUEST,
      index: 0,
      occurred_at: new Date(nowMs).toISOString(),
    },
    commandName: 'reload_config',
    actorType: 'system',
    actorId: 'ledger',
    correlationId: command_id,
    causationId: command_id,
  });
  const draft: EventDraft = {
    type: 'ConfigLoaded',
    data: { version, content: somePrices(random) },
    metadata,
  };
  return store.write(PRICING_CONFIG_STREAM, draft);
}

/** The content of a pricing file. */
function somePrices(random: Random): JsonObject {
  return {
    version: 1,
    timezone: 'Asia/Shanghai',
    expiry: { default_days: 365, expiring_soon_days: 7, sweep_every: '5m' },
    holds: { ttl_seconds: 30, sweep_every: '5m', max_open_per_user: random.pick([2, 4, 50]) },
    overdraft: { floor: random.pick([null, null, 3, 20]) },
    operations: {
      script: { mode: 'fixed', per: 'call', points: random.integer(1, 6) },
      image: {
        mode: 'fixed',
        per: 'quantity',
        points: random.integer(1, 4),
        member_free: true,
        failure_policy: 'charge_then_refund',
      },
      tts: {
        mode: 'duration',
        points_per_second: random.pick([0.3, 0.5, 1, 1.25]),
        rounding: random.pick(['ceil', 'floor', 'half_up']),
        min_points: random.integer(0, 2),
      },
    },
    free_services: ['caption'],
    payments: { mode: 'mock', order_ttl: '15m', providers: ['alipay', 'wechat'] },
    membership: {
      fair_use: { per_day: random.pick([null, 2]), per_month: random.pick([null, 5]) },
    },
  };
}
