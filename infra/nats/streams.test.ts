import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DURABLE_VERBS } from '@points/contracts/ledger-subjects';
import { expect, it } from 'vitest';
import { CLIENTS, permissionsOf } from './permissions.ts';
import { CONSUMERS, STREAMS } from './streams.ts';

const DAY_MS = 86_400_000;
/** That may store commands. */
const MOST_CLIENTS = 10;
/** The original headers as JSON, and the rest. */
const LETTER_HEADERS_MAX_BYTES = 8_192 + 1_024;

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

it('clients that fill their part of the dead letters push out nothing of others', () => {
  const letters = STREAMS.find(({ name }) => name === 'LEDGER_DLQ');
  const commands = STREAMS.find(({ name }) => name === 'LEDGER_CMD');
  const {
    maxBytes = 0,
    maxMessagesPerSubject = Infinity,
    maxMessageBytes = Infinity,
  } = letters ?? {};
  const ofOneClient = DURABLE_VERBS.length * maxMessagesPerSubject * maxMessageBytes;
  expect(MOST_CLIENTS * ofOneClient).toBeLessThanOrEqual(maxBytes);
  const mayStore = CLIENTS.filter(({ name, role }) =>
    permissionsOf({ name, role }).publish.includes(`ledger.v1.q.${name}.confirm`),
  );
  expect(mayStore.length).toBeGreaterThan(0);
  expect(mayStore.length).toBeLessThanOrEqual(MOST_CLIENTS);
  const largestCommand = commands?.maxMessageBytes ?? Infinity;
  expect(maxMessageBytes).toBeGreaterThanOrEqual(largestCommand + LETTER_HEADERS_MAX_BYTES);
});

it('every consumer belongs to a stream', () => {
  const names = new Set(STREAMS.map(({ name }) => name));
  expect(CONSUMERS.map(({ stream }) => names.has(stream))).toEqual([true, true]);
});
