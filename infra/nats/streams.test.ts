import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CONSUMERS, STREAMS } from './streams.ts';

const DAY_MS = 86_400_000;

it('all streams full at once fit into the server', () => {
  const config = readFileSync(fileURLToPath(new URL('nats.conf', import.meta.url)), 'utf8');
  const room = Number(/max_file_store: (\d+)/.exec(config)?.[1]);
  const sum = STREAMS.reduce((total, { maxBytes }) => total + maxBytes, 0);
  expect(sum).toBeGreaterThan(0);
  expect(sum).toBeLessThanOrEqual(room);
});

it('a stored command never outlives the time for which its id is accepted', () => {
  const commands = STREAMS.find(({ name }) => name === 'LEDGER_CMD');
  expect(commands?.maxAgeMs).toBe(7 * DAY_MS);
  expect(commands?.discard).toBe('new');
});

it('every consumer belongs to a stream', () => {
  const names = new Set(STREAMS.map(({ name }) => name));
  expect(CONSUMERS.map(({ stream }) => names.has(stream))).toEqual([true, true]);
});
