import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createMetrics } from '@points/runtime/metrics';
import { createPositionWait } from './position-wait.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Read tables that stand at `position`, and count how often they are asked. */
function tablesAt(position: bigint) {
  const tables = {
    metrics: createMetrics('api'),
    position,
    reads: 0,
    readPosition: () => {
      tables.reads += 1;
      return Promise.resolve(tables.position);
    },
  };
  return tables;
}

/** Lets everything run that waits for nothing. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test('answers at once when the tables are far enough', async () => {
  const tables = tablesAt(10n);
  const positions = createPositionWait(tables);
  expect(await positions.waitFor(10n)).toBe(10n);
});

test('asks the tables no more once it knows', async () => {
  const tables = tablesAt(10n);
  const positions = createPositionWait(tables);
  positions.announce(10n);
  expect(await positions.waitFor(9n)).toBe(10n);
  expect(tables.reads).toBe(0);
});

test('answers when the position is announced', async () => {
  const positions = createPositionWait(tablesAt(5n));
  const answer = positions.waitFor(10n);
  await settle();
  positions.announce(9n);
  await settle();
  positions.announce(12n);
  expect(await answer).toBe(12n);
});

test('after the timeout answers with what is applied by then', async () => {
  const tables = tablesAt(5n);
  const positions = createPositionWait(tables);
  const answer = positions.waitFor(10n);
  await settle();
  tables.position = 7n;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await answer).toBe(7n);
});

test('finds at the timeout what was never announced', async () => {
  const tables = tablesAt(5n);
  const positions = createPositionWait(tables);
  const answer = positions.waitFor(10n);
  await settle();
  tables.position = 10n;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await answer).toBe(10n);
});

test('looks again when announcements may have been missed', async () => {
  const tables = tablesAt(5n);
  const positions = createPositionWait(tables);
  const answer = positions.waitFor(10n);
  await settle();
  tables.position = 10n;
  positions.forget();
  await settle();
  expect(await answer).toBe(10n);
});

test('does not believe an old announcement after it was told to forget', async () => {
  const tables = tablesAt(50n);
  const positions = createPositionWait(tables);
  positions.announce(100n);
  positions.forget();
  const answer = positions.waitFor(80n);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await answer).toBe(50n);
});

test('fails when the tables cannot be read', async () => {
  const positions = createPositionWait({
    metrics: createMetrics('api'),
    readPosition: () => Promise.reject(new Error('down')),
  });
  await expect(positions.waitFor(10n)).rejects.toThrow('down');
  expect(vi.getTimerCount()).toBe(0);
});

test('refuses one waiter more than it can hold, and takes one again after another has gone', async () => {
  const positions = createPositionWait({ ...tablesAt(0n), maxWaiters: 2 });
  const first = positions.waitFor(1n);
  const second = positions.waitFor(2n);
  await settle();
  await expect(positions.waitFor(3n)).rejects.toMatchObject({ code: 'overloaded' });
  positions.announce(1n);
  expect(await first).toBe(1n);
  const third = positions.waitFor(3n);
  await settle();
  positions.announce(3n);
  expect(await Promise.all([second, third])).toEqual([3n, 3n]);
  expect(vi.getTimerCount()).toBe(0);
});
