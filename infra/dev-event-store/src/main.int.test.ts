import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { expect, it, onTestFinished } from 'vitest';
import { FILE_HEADER } from './journal-record.ts';
import { JOURNAL_FILE } from './journal.ts';
import { runServer } from './testing/server-process.ts';

it.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: says once that it is ready, ends with 0, keeps what it took',
  async (signal) => {
    const folder = newFolder();
    const server = runServer({ EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: folder });
    const url = await server.ready();
    expect(server.output()).toMatch(
      /^dev-event-store \(for development and tests only\) ready on \S+, journal in \S+\n$/,
    );
    const client = EventStoreDBClient.connectionString(url);
    await client.appendToStream('account-1', jsonEvent({ type: 'Happened', data: {} }), {
      expectedRevision: 'no_stream',
    });
    await client.dispose();
    server.kill(signal);
    expect(await server.exited).toBe(0);
    expect(fs.readdirSync(folder)).toEqual([JOURNAL_FILE]);
    expect(fs.statSync(path.join(folder, JOURNAL_FILE)).size).toBeGreaterThan(FILE_HEADER.length);
  },
);

it('no data folder: says that nothing outlives it', async () => {
  const server = runServer({ EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: '' });
  await server.ready();
  expect(server.output()).toContain('in memory only, nothing outlives it');
});

it.each<[name: string, env: Record<string, string>, sentence: string | RegExp]>([
  [
    'port that is no number',
    { EVENT_STORE_PORT: 'http' },
    'EVENT_STORE_PORT must be a port number from 0 (any free one) to 65535, not "http"',
  ],
  ['port out of range', { EVENT_STORE_PORT: '70000' }, 'EVENT_STORE_PORT must be a port number'],
  [
    'unknown way with slow subscribers',
    { EVENT_STORE_SLOW_SUBSCRIBER: 'drop' },
    'EVENT_STORE_SLOW_SUBSCRIBER must be cut or catch_up, not "drop"',
  ],
  [
    'host that this machine is not',
    { EVENT_STORE_HOST: '192.0.2.1' },
    'cannot listen on EVENT_STORE_HOST 192.0.2.1: this machine has no such address',
  ],
  [
    'folder that cannot be made',
    { EVENT_STORE_DATA_DIR: '/etc/hostname/below' },
    'cannot use the data folder /etc/hostname/below',
  ],
])('%s: one sentence and exit code 1', async (_name, env, sentence) => {
  const server = runServer({ EVENT_STORE_PORT: '0', ...env });
  expect(await server.exited).toBe(1);
  expect(server.output()).toContain(`dev-event-store: ${sentence}`);
  expect(server.output().trim().split('\n')).toHaveLength(1);
});

it('taken port: one sentence that names it', async () => {
  const listener = net.createServer();
  onTestFinished(() => void listener.close());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const server = runServer({ EVENT_STORE_PORT: port });
  expect(await server.exited).toBe(1);
  expect(server.output()).toBe(
    `dev-event-store: port ${port} on 127.0.0.1 is taken; stop what listens there or set EVENT_STORE_PORT to another one\n`,
  );
});

it('damaged journal: one sentence with file and byte', async () => {
  const folder = newFolder();
  const file = path.join(folder, JOURNAL_FILE);
  fs.writeFileSync(file, 'something else, but long enough to be looked at');
  const server = runServer({ EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: folder });
  expect(await server.exited).toBe(1);
  expect(server.output()).toBe(
    `dev-event-store: ${file} is damaged at byte 0: it does not begin as a journal of this version\n`,
  );
});

it('folder in use by another process: one sentence that names it', async () => {
  const folder = newFolder();
  const first = runServer({ EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: folder });
  await first.ready();
  const second = runServer({ EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: folder });
  expect(await second.exited).toBe(1);
  expect(second.output()).toMatch(
    /^dev-event-store: cannot use the data folder \S+: it is in use by process \d+\n$/,
  );
});

it('disk that takes no more: nothing is acknowledged, one sentence and exit code 1', async () => {
  const folder = newFolder();
  // 512-byte blocks: less than the journal grows by at a time.
  const server = runServer(
    { EVENT_STORE_PORT: '0', EVENT_STORE_DATA_DIR: folder },
    'ulimit -f 4096;',
  );
  const client = EventStoreDBClient.connectionString(await server.ready());
  const pending = client.appendToStream('account-1', jsonEvent({ type: 'Happened', data: {} }));
  await expect(pending).rejects.toMatchObject({ type: 'unavailable' });
  expect(await server.exited).toBe(1);
  expect(server.output()).toContain(
    `dev-event-store: cannot write ${path.join(folder, JOURNAL_FILE)}: EFBIG`,
  );
});

function newFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dev-event-store-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}
