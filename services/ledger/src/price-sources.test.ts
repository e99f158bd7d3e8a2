import { PRICE_SNAPSHOT_STREAM } from '@points/contracts/streams';
import { emptyCatalog, findModel } from '@points/domain/catalog/catalog';
import { emptyPriceList } from '@points/domain/price-list/price-list';
import type { EventLog, JsonObject, StoredEvent } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import { type InMemoryEventLog, createInMemoryEventLog } from '@points/event-store/in-memory';
import { SNAPSHOT_TYPE } from '@points/event-store/snapshot-event';
import { REAL_TIMERS } from '@points/event-store/timers';
import { createLog } from '@points/runtime/log';
import { describe, expect, it, onTestFinished } from 'vitest';
import { savePrices } from './price-snapshot.ts';
import { type FollowedPrices, followPrices } from './price-sources.ts';
import { type PriceWriter, countEvents, createPriceWriter } from './testing/price-log.ts';

const logger = createLog('test', 'silent');

function follow(log: EventLog, snapshotEveryCheckpoints = 20): FollowedPrices {
  const prices = followPrices({ log, logger, timers: REAL_TIMERS, snapshotEveryCheckpoints });
  onTestFinished(() => prices.stop());
  return prices;
}

async function caughtUp(prices: FollowedPrices): Promise<unknown> {
  await expect.poll(() => prices.hasRead(), { interval: 5 }).toBe(true);
  return view(prices);
}

function view(prices: FollowedPrices): unknown {
  const catalog = prices.catalog();
  return {
    config: prices.config()?.version,
    costs: ['m-1', 'm-2'].map((modelId) => findModel(catalog, modelId)?.pointsCost),
  };
}

const NOW = { config: 'v2', costs: [7, 9] };

/** Two configs and two models, one priced again, far apart in the log. */
async function longLog(between: number): Promise<{ log: InMemoryEventLog; writer: PriceWriter }> {
  const log = createInMemoryEventLog();
  const writer = createPriceWriter(log);
  await writer.loadConfig('v1');
  await writer.register('m-1', 5);
  await writer.unrelated(between);
  await writer.register('m-2', 9);
  await writer.loadConfig('v2');
  await writer.price('m-1', 7);
  await writer.unrelated(between);
  return { log, writer };
}

async function snapshotOf(log: EventLog): Promise<StoredEvent> {
  follow(log);
  await expect.poll(() => log.readLast(PRICE_SNAPSHOT_STREAM), { interval: 5 }).not.toBeNull();
  const snapshot = await log.readLast(PRICE_SNAPSHOT_STREAM);
  if (snapshot === null) throw new Error('no snapshot');
  return snapshot;
}

async function replace(log: EventLog, data: JsonObject, type = SNAPSHOT_TYPE): Promise<void> {
  const last = await log.readLast(PRICE_SNAPSHOT_STREAM);
  const revision = last?.revision ?? -1;
  const hash = last?.metadata['hash'] ?? GENESIS_HASH;
  const events = chainEvents(PRICE_SNAPSHOT_STREAM, revision + 1, hash, [
    { type, data, metadata: {} },
  ]);
  await log.append(PRICE_SNAPSHOT_STREAM, events, revision < 0 ? 'no_stream' : revision);
}

describe('prices followed from a log of 20,000 events of accounts', () => {
  it('are caught up with the few events that they are made of', async () => {
    const { log } = await longLog(10_000);
    const counted = countEvents(log);
    const prices = follow(counted, 1e9);
    expect(await caughtUp(prices)).toEqual(NOW);
    expect(counted.events()).toBe(5);
    expect(prices.sources()?.configVersion).toBe('v2');
  });

  it('are not looked for in all of it again when there is a snapshot', async () => {
    const { log, writer } = await longLog(10_000);
    await snapshotOf(log);
    await writer.unrelated(100);
    await writer.price('m-2', 10);
    const counted = countEvents(log);
    expect(await caughtUp(follow(counted))).toEqual({ config: 'v2', costs: [7, 10] });
    // The snapshot, the event that it names, the new price.
    expect(counted.events()).toBe(3);
    expect(counted.checkpoints()).toBeLessThan(10);
    const [only, ...others] = await readAll(log);
    expect([only?.type, others]).toEqual([SNAPSHOT_TYPE, []]);
  });
});

async function readAll(log: EventLog, stream = PRICE_SNAPSHOT_STREAM): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.readStream(stream, { fromRevision: 0 })) events.push(event);
  return events;
}

describe('a snapshot of the prices', () => {
  const LIE = { catalog: { models: [], byName: [], byPlatform: [] }, config: null };
  type Spoil = (log: InMemoryEventLog, truth: StoredEvent) => Promise<unknown>;
  const at = (truth: StoredEvent): JsonObject => truth.data['at'] as JsonObject;
  const last = (truth: StoredEvent): JsonObject => at(truth)['last'] as JsonObject;

  it.each<[string, Spoil]>([
    ['of another type', (log, truth) => replace(log, { ...truth.data, state: LIE }, 'Other')],
    ['without fields', (log) => replace(log, {})],
    [
      'of another version',
      (log, truth) => replace(log, { ...truth.data, version: '0', state: LIE }),
    ],
    [
      'of other streams',
      async (log, truth) => {
        const place = last(truth);
        const position = BigInt(String(place['position']));
        const event = (await readAll(log, String(place['stream']))).at(-1);
        if (event === undefined) throw new Error('no event');
        await savePrices(log, ['aiModel-'], {
          catalog: emptyCatalog(),
          priceLists: {
            credits: emptyPriceList('credits'),
            membership: emptyPriceList('membership'),
          },
          config: null,
          position,
          last: { ...event, hash: event.metadata['hash'] ?? '' },
        });
      },
    ],
    [
      'of another event',
      (log, truth) =>
        replace(log, {
          ...truth.data,
          at: { ...at(truth), last: { ...last(truth), hash: 'f'.repeat(64) } },
          state: LIE,
        }),
    ],
    [
      'of an event at another place of the log',
      (log, truth) =>
        replace(log, {
          ...truth.data,
          at: { ...at(truth), last: { ...last(truth), position: '1' } },
          state: LIE,
        }),
    ],
    [
      'of an event that is not there',
      (log, truth) =>
        replace(log, {
          ...truth.data,
          at: { ...at(truth), last: { ...last(truth), revision: 99 } },
          state: LIE,
        }),
    ],
    [
      'that looks into the future',
      (log, truth) =>
        replace(log, {
          ...truth.data,
          at: { ...at(truth), position: String(2n ** 60n) },
          state: LIE,
        }),
    ],
    [
      'that was read less far than its own last event',
      (log, truth) => replace(log, { ...truth.data, at: { ...at(truth), position: '1' } }),
    ],
    ['that lacks a part', (log, truth) => replace(log, { ...truth.data, state: { catalog: {} } })],
    [
      'that was changed later',
      async (log, truth) => {
        const hash = truth.metadata['hash'] ?? '';
        const events = chainEvents(PRICE_SNAPSHOT_STREAM, truth.revision + 1, hash, [
          { type: SNAPSHOT_TYPE, data: truth.data, metadata: {} },
        ]).map((event) => ({ ...event, data: { ...event.data, state: LIE } }));
        await log.append(PRICE_SNAPSHOT_STREAM, events, truth.revision);
      },
    ],
  ])('changes no price when it is one %s', async (_what, spoil) => {
    const { log } = await longLog(1_000);
    await spoil(log, await snapshotOf(log));
    const counted = countEvents(log);
    expect(await caughtUp(follow(counted, 1e9))).toEqual(NOW);
    expect(counted.events()).toBeGreaterThanOrEqual(5);
  });

  it('is used by a process that starts while the store is away', async () => {
    const { log } = await longLog(1_000);
    await snapshotOf(log);
    const counted = countEvents(log);
    log.faults.setDown(true);
    const prices = follow(counted, 1e9);
    await expect.poll(() => prices.trouble(), { interval: 5 }).toContain('down');
    log.faults.setDown(false);
    expect(await caughtUp(prices)).toEqual(NOW);
    expect(counted.events()).toBe(2);
  });

  it('may be written by several processes', async () => {
    const { log, writer } = await longLog(1_000);
    const replicas = [follow(log), follow(log), follow(log)];
    for (let round = 1; round <= 20; round += 1) {
      await writer.unrelated(250);
      await writer.price('m-1', round);
    }
    for (const prices of replicas)
      await expect
        .poll(() => view(prices), { interval: 5 })
        .toEqual({ config: 'v2', costs: [20, 9] });
    const counted = countEvents(log);
    expect(await caughtUp(follow(counted, 1e9))).toEqual({ config: 'v2', costs: [20, 9] });
    expect(counted.events()).toBeLessThan(2 + 20);
  });

  it('is done without when it cannot be written', async () => {
    const { log } = await longLog(1_000);
    const prices = follow({ ...log, keepLastOnly: () => Promise.reject(new Error('no right')) });
    expect(await caughtUp(prices)).toEqual(NOW);
    expect(await log.readLast(PRICE_SNAPSHOT_STREAM)).toBeNull();
    expect(prices.trouble()).toBeNull();
  });
});
