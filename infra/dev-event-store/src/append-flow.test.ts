import { randomUUID } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { settleWrite } from './append-flow.ts';
import type { AppendAnswer } from './append-flow.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { createFaults } from './faults.ts';

it('more writes at once than may wait: the rest are answered busy, and it goes on afterwards', async () => {
  const database = newDatabase();
  const answers = await Promise.all(Array.from({ length: 20_000 }, () => write(database)));
  expect(answers.slice(0, 16_384).every(({ kind }) => kind === 'success')).toBe(true);
  expect(answers.slice(16_384).every(({ kind }) => kind === 'busy')).toBe(true);
  expect(database.log.length).toBe(16_384);
  expect((await write(database)).kind).toBe('success');
});

it('a database that closes: answered not ready, nothing written', async () => {
  const database = newDatabase();
  const before = write(database);
  const closed = database.close();
  expect((await write(database)).kind).toBe('not_ready');
  await closed;
  expect((await before).kind).toBe('success');
  expect(database.log.length).toBe(1);
});

function newDatabase(): Database {
  const database = openDatabase({
    folder: null,
    log: () => undefined,
    onFailure: () => undefined,
    now: Date.now,
  });
  onTestFinished(() => database.close());
  return database;
}

function write(database: Database): Promise<AppendAnswer> {
  const faults = createFaults({
    cutConnections: () => undefined,
    endSubscriptions: () => undefined,
  });
  const events = [
    { id: randomUUID(), type: 'Happened', isJson: true, payload: Buffer.from('{}'), dataBytes: 2 },
  ];
  const request = { stream: 'account-1', expected: 'any', events, nowMs: Date.now() } as const;
  return new Promise((resolve) => {
    settleWrite({ database, faults }, () => database.log.append(request), resolve);
  });
}
