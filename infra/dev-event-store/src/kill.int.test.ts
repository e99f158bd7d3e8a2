import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import type { EventData } from '@eventstore/db-client';
import { expect, it, onTestFinished } from 'vitest';
import { runServer } from './testing/server-process.ts';

const ROUNDS = 3;
const WRITERS = 64;
const ACKNOWLEDGED_PER_ROUND = 1_000;

it('kill -9 under load, again and again: nothing acknowledged is lost, nothing is doubled, retries succeed', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dev-event-store-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  const writers = Array.from({ length: WRITERS }, (_, n): Writer => ({
    stream: `account-${n}`,
    acknowledged: [],
    unknown: null,
  }));
  let port = '0';
  for (let round = 0; round < ROUNDS; round += 1) {
    const server = runServer({ EVENT_STORE_PORT: port, EVENT_STORE_DATA_DIR: folder });
    const url = await server.ready();
    port = /:(\d+)\?/.exec(url)?.[1] ?? '0';
    const client = EventStoreDBClient.connectionString(url);
    await verify(client, writers);
    let left = ACKNOWLEDGED_PER_ROUND;
    const onAcknowledged = (): void => {
      left -= 1;
      if (left === 0) server.kill('SIGKILL');
    };
    await Promise.all(writers.map((writer) => write(client, writer, onAcknowledged)));
    expect(await server.exited).toBe('SIGKILL');
    await client.dispose();
    expect(writers.some(({ unknown }) => unknown !== null)).toBe(true);
  }
  const server = runServer({ EVENT_STORE_PORT: port, EVENT_STORE_DATA_DIR: folder });
  const client = EventStoreDBClient.connectionString(await server.ready());
  await verify(client, writers);
  const total = writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  expect(total).toBeGreaterThanOrEqual(ROUNDS * ACKNOWLEDGED_PER_ROUND);
  await client.dispose();
});

interface Writer {
  readonly stream: string;
  /** Event ids by revision. */
  readonly acknowledged: string[];
  /** What was in flight when the server died. */
  unknown: EventData[] | null;
}

/** Appends one group after another until the server is gone. */
async function write(
  client: EventStoreDBClient,
  writer: Writer,
  onAcknowledged: () => void,
): Promise<void> {
  for (let n = 0; ; n += 1) {
    const group = Array.from({ length: 1 + (n % 3) }, () =>
      jsonEvent({ type: 'Happened', data: { n } }),
    );
    try {
      await appendAt(client, writer, group);
    } catch {
      writer.unknown = group;
      return;
    }
    writer.acknowledged.push(...group.map(({ id }) => id));
    onAcknowledged();
  }
}

/** Sends again what was in flight, then compares the whole stream with what was acknowledged. */
async function verify(client: EventStoreDBClient, writers: readonly Writer[]): Promise<void> {
  for (const writer of writers) {
    if (writer.unknown !== null) {
      const result = await appendAt(client, writer, writer.unknown);
      writer.acknowledged.push(...writer.unknown.map(({ id }) => id));
      writer.unknown = null;
      expect(result.nextExpectedRevision).toBe(BigInt(writer.acknowledged.length - 1));
    }
    if (writer.acknowledged.length === 0) continue;
    const stored: string[] = [];
    for await (const { event } of client.readStream(writer.stream))
      if (event !== undefined) stored.push(event.id);
    expect(stored).toEqual(writer.acknowledged);
  }
}

function appendAt(
  client: EventStoreDBClient,
  { stream, acknowledged }: Writer,
  group: EventData[],
) {
  const expectedRevision =
    acknowledged.length === 0 ? 'no_stream' : BigInt(acknowledged.length - 1);
  return client.appendToStream(stream, group, { expectedRevision });
}
