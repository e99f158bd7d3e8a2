import { EventStoreDBClient } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { type AdapterUnderTest, startAdapter } from './testing/eventstoredb-adapter.ts';
import { SNAPSHOT_PREFIX, countReads, eventsOf, startReplica } from './testing/tally.ts';

const STREAM = 'tally-a';
const CACHE = `${SNAPSHOT_PREFIX}a`;
const EVENTS = 3_000;
const TALLY = { sum: EVENTS, count: EVENTS };

let adapter: AdapterUnderTest;

beforeEach(async () => {
  adapter = await startAdapter();
  const writer = startReplica(adapter.log);
  const ones = Array.from({ length: 100 }, () => 1);
  for (let written = 0; written < EVENTS; written += ones.length) await writer.add(STREAM, ...ones);
  await writer.heard('written');
});
afterEach(() => adapter.stop());

it('a cold stream of many events is opened with few, over the wire', async () => {
  const counted = countReads(adapter.log);
  const cold = startReplica(counted);
  expect(await cold.ask(STREAM)).toEqual(TALLY);
  expect(cold.notices[0]).toEqual({ stream: STREAM, outcome: 'used' });
  expect(counted.eventsRead()).toBeLessThanOrEqual(1 + 1_000);
  expect(await eventsOf(adapter.log, CACHE)).toHaveLength(1);
});

it.each(['deleteStream', 'tombstoneStream'] as const)(
  'an operator may remove a snapshot: %s',
  async (remove) => {
    const client = EventStoreDBClient.connectionString(adapter.server.url);
    onTestFinished(() => client.dispose());
    await client[remove](CACHE);
    const cold = startReplica(adapter.log);
    expect(await cold.ask(STREAM)).toEqual(TALLY);
    expect((await cold.add(STREAM, 1)).count).toBe(EVENTS + 1);
    // A stream that was buried never comes back; one that was only deleted does.
    await cold.heard(remove === 'tombstoneStream' ? 'not_written' : 'written');
    expect(await startReplica(adapter.log).ask(STREAM)).toEqual({
      sum: EVENTS + 1,
      count: EVENTS + 1,
    });
  },
);

it('snapshots outlive a restart of the store', async () => {
  await adapter.server.restart();
  const cold = startReplica(adapter.log);
  await expect.poll(() => cold.ask(STREAM).catch(() => null)).toEqual(TALLY);
  expect(cold.notices.map(({ outcome }) => outcome)).toContain('used');
});
