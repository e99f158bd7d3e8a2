import { type LedgerEventType, encodeMetadata } from '@points/contracts/stored-events';
import { PRICING_CONFIG_STREAM, aiModelStream } from '@points/contracts/streams';
import type { EventLog, JsonObject } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { toJson } from '../account-fold.ts';
import { readPricingConfig } from '@points/runtime/pricing-config-file';
import { NO_REQUEST } from '../request-hash.ts';
import { fileURLToPath } from 'node:url';
import { v7 } from 'uuid';

const PRICES = fileURLToPath(new URL('../../../../config/points-config.yaml', import.meta.url));

/** Writes what prices are made of, and what they are not made of, straight into a log. */
export interface PriceWriter {
  /** The pricing file, as of that version. */
  loadConfig(version: string): Promise<void>;
  register(modelId: string, pointsCost: number): Promise<void>;
  price(modelId: string, pointsCost: number): Promise<void>;
  /** So many events of accounts, which nobody who follows prices should ever see. */
  unrelated(count: number): Promise<void>;
}

export function createPriceWriter(log: EventLog): PriceWriter {
  let account = 0;

  async function append(stream: string, type: LedgerEventType, data: JsonObject): Promise<void> {
    const last = await log.readLast(stream);
    const revision = last?.revision ?? -1;
    const context = {
      command_id: v7(),
      request_hash: NO_REQUEST,
      index: 0,
      occurred_at: new Date().toISOString(),
    };
    const metadata = encodeMetadata({
      eventType: type,
      context,
      commandName: 'test',
      actorType: 'system',
      actorId: 'test',
      correlationId: context.command_id,
      causationId: context.command_id,
    });
    const events = chainEvents(stream, revision + 1, last?.metadata['hash'] ?? GENESIS_HASH, [
      { type, data, metadata },
    ]);
    await log.append(stream, events, revision < 0 ? 'no_stream' : revision);
  }

  return {
    async loadConfig(version) {
      const content = toJson(await readPricingConfig(PRICES));
      await append(PRICING_CONFIG_STREAM, 'ConfigLoaded', { version, content });
    },
    register: (modelId, pointsCost) =>
      append(aiModelStream(modelId), 'ModelRegistered', {
        model_id: modelId,
        model_name: modelId,
        display_name: modelId,
        description: '',
        points_cost: pointsCost,
        platform: '',
        provider_type: 'openai',
        model_type: '',
        task_type: 'text_to_image',
        is_enabled: true,
        extended_config: {},
      }),
    price: (modelId, pointsCost) =>
      append(aiModelStream(modelId), 'ModelPriced', {
        model_id: modelId,
        points_cost: pointsCost,
        previous_points_cost: 0,
      }),
    async unrelated(count) {
      for (let left = count; left > 0; left -= 250) {
        const stream = `account-u${(account += 1)}`;
        const drafts = Array.from({ length: Math.min(250, left) }, (_, n) => ({
          type: 'PointsHeld',
          data: { n },
          metadata: {},
        }));
        await log.append(stream, chainEvents(stream, 0, GENESIS_HASH, drafts), 'no_stream');
      }
    },
  };
}

export interface CountedLog extends EventLog {
  /** Events that readers and subscribers have been given. */
  events(): number;
  checkpoints(): number;
}

export function countEvents(log: EventLog): CountedLog {
  let events = 0;
  let checkpoints = 0;
  return {
    ...log,
    async *readStream(stream, options) {
      for await (const event of log.readStream(stream, options)) {
        events += 1;
        yield event;
      }
    },
    async readLast(stream) {
      const event = await log.readLast(stream);
      if (event !== null) events += 1;
      return event;
    },
    // Looked at here and not picked out by the server: all of them come over.
    async readAll(options) {
      const page = await log.readAll(options);
      const unfiltered = await log.readAll({ ...options, streamPrefixes: ['a', 'p', 't'] });
      events += unfiltered.events.length;
      return page;
    },
    async *subscribeAll(options) {
      for await (const live of log.subscribeAll(options)) {
        if (live.kind === 'event') events += 1;
        if (live.kind === 'checkpoint') checkpoints += 1;
        yield live;
      }
    },
    events: () => events,
    checkpoints: () => checkpoints,
  };
}
