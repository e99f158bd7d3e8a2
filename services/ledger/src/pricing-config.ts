import { hash } from 'node:crypto';
import { encodeMetadata } from '@points/contracts/stored-events';
import { PRICING_CONFIG_STREAM } from '@points/contracts/streams';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { EventLog } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { REAL_TIMERS } from '@points/event-store/timers';
import { PricingConfigError, readPricingConfig } from '@points/runtime/pricing-config-file';
import { toJson } from './account-fold.ts';
import { mintCommandId } from './ids.ts';
import type { FollowedPrices } from './price-sources.ts';
import { NO_REQUEST } from './request-hash.ts';

export interface LoadedConfig {
  readonly version: string;
  /** False when the log held the same content already. */
  readonly changed: boolean;
}

/** Another replica may load at the same moment: look again, so often. */
const ATTEMPTS_MAX = 5;

/**
 * Loads the file into the log when it differs from what the log holds. Throws `PricingConfigError`, and what the event
 * log throws.
 */
export async function loadPricingConfig(deps: {
  readonly file: string;
  readonly log: EventLog;
  readonly prices: FollowedPrices;
  readonly nowMs: number;
  readonly actorId: string;
  readonly commandId?: string;
}): Promise<LoadedConfig> {
  const content = await readPricingConfig(deps.file);
  const version = hash('sha256', canonicalJson(toJson(content)), 'hex');
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    await deps.prices.refresh();
    const current = deps.prices.config();
    if (current?.version === version) return { version, changed: attempt > 1 };
    const commandId = deps.commandId ?? mintCommandId(deps.nowMs, REAL_TIMERS);
    const metadata = encodeMetadata({
      eventType: 'ConfigLoaded',
      context: {
        command_id: commandId,
        request_hash: NO_REQUEST,
        index: 0,
        occurred_at: new Date(deps.nowMs).toISOString(),
      },
      commandName: 'reload_config',
      actorType: deps.actorId === 'ledger' ? 'system' : 'client',
      actorId: deps.actorId,
      correlationId: commandId,
      causationId: commandId,
    });
    const draft = { type: 'ConfigLoaded', data: { version, content: toJson(content) }, metadata };
    const revision = current === null ? 0 : current.revision + 1;
    const events = chainEvents(PRICING_CONFIG_STREAM, revision, current?.hash ?? GENESIS_HASH, [
      draft,
    ]);
    await deps.log.append(
      PRICING_CONFIG_STREAM,
      events,
      current === null ? 'no_stream' : current.revision,
    );
    // Appended or not, the next look at the log tells what is in force.
  }
  throw new PricingConfigError('another replica keeps loading another config', 'file');
}
