import { PRICE_SNAPSHOT_STREAM } from '@points/contracts/streams';
import { startDevEventStore } from '@points/dev-event-store/server';
import { findModel } from '@points/domain/catalog/catalog';
import type { EventLog } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { REAL_TIMERS } from '@points/event-store/timers';
import { createLog } from '@points/runtime/log';
import { expect, it, onTestFinished } from 'vitest';
import { followPrices } from './price-sources.ts';
import { countEvents, createPriceWriter } from './testing/price-log.ts';

/** The log of a server that holds prices and 20,000 events of accounts. */
async function longLog(): Promise<EventLog> {
  const server = await startDevEventStore({ dataDir: null });
  const log = connectEventStoreDb({ url: server.url });
  onTestFinished(async () => {
    await log.close();
    await server.close();
  });
  const writer = createPriceWriter(log);
  await writer.loadConfig('v1');
  await writer.register('m-1', 5);
  await writer.unrelated(20_000);
  await writer.price('m-1', 7);
  return log;
}

async function priceOf(log: EventLog, snapshotEveryCheckpoints: number): Promise<unknown> {
  const logger = createLog('test', 'silent');
  const prices = followPrices({ log, logger, timers: REAL_TIMERS, snapshotEveryCheckpoints });
  onTestFinished(() => prices.stop());
  await expect.poll(() => prices.hasRead()).toBe(true);
  return findModel(prices.catalog(), 'm-1')?.pointsCost;
}

it('prices are caught up over the wire without reading what is not theirs', async () => {
  const log = await longLog();
  const first = countEvents(log);
  expect(await priceOf(first, 100)).toBe(7);
  expect(first.events()).toBe(3);
  await expect.poll(() => log.readLast(PRICE_SNAPSHOT_STREAM)).not.toBeNull();
  const second = countEvents(log);
  expect(await priceOf(second, 100)).toBe(7);
  // The snapshot and the event that it names.
  expect(second.events()).toBe(2);
  expect(second.checkpoints()).toBeLessThan(10);
});
