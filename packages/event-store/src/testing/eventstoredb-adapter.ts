import { randomUUID } from 'node:crypto';
import { startDevEventStore } from '@points/dev-event-store/server';
import type { DevEventStore } from '@points/dev-event-store/server';
import type {
  AppendResult,
  EventLog,
  EventToAppend,
  ExpectedRevision,
  StoredEvent,
} from '../event-log.ts';
import { connectEventStoreDb } from '../eventstoredb.ts';
import type { EventStoreDbBounds } from '../eventstoredb.ts';
import { startFreezingProxy } from './freezing-proxy.ts';
import type { FreezingProxy } from './freezing-proxy.ts';

/**
 * The adapter on a stand-in server of its own, in memory, patient. `settings` are appended to the connection
 * string, each as `&name=value`.
 */
export async function startAdapter(
  bounds: Partial<EventStoreDbBounds> = {},
  settings = '',
): Promise<AdapterUnderTest> {
  const server = await startDevEventStore({ dataDir: null });
  const proxy = await startFreezingProxy(server.port);
  const warnings: string[] = [];
  const log = connectEventStoreDb({
    url: `esdb://127.0.0.1:${proxy.port}?tls=false${settings}`,
    log: { warn: (details, message) => warnings.push(`${message} ${JSON.stringify(details)}`) },
    bounds: { ...PATIENT, ...bounds },
  });
  return {
    server,
    proxy,
    log,
    warnings,
    async stop() {
      await log.close();
      await proxy.close();
      await server.close();
    },
  };
}

export interface AdapterUnderTest {
  readonly server: DevEventStore;
  /** Between the two. */
  readonly proxy: FreezingProxy;
  readonly log: EventLog;
  readonly warnings: readonly string[];
  readonly stop: () => Promise<void>;
}

/** Long enough for a busy machine to answer in; a test that waits for a timer sets that one shorter. */
export const PATIENT: Partial<EventStoreDbBounds> = {
  appendTimeoutMs: 20_000,
  openTimeoutMs: 20_000,
  reconnectPauseMs: 10,
  readTimeoutMs: 20_000,
  subscribeTimeoutMs: 20_000,
};

/** For timers that must not be what settles a promise: the test would run into its own time limit first. */
export const NEVER_MS = 600_000;

export function newEvents(count = 1): EventToAppend[] {
  return Array.from({ length: count }, (_value, index) => ({
    id: randomUUID(),
    type: 'PointsCounted',
    data: { points: index },
    metadata: { command_id: randomUUID() },
  }));
}

/** Sends the identical append until it is appended or refused for good, as the ledger does. */
export async function appendUntilSettled(
  log: EventLog,
  stream: string,
  events: readonly EventToAppend[],
  expectedRevision: ExpectedRevision,
): Promise<AppendResult> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await log.append(stream, events, expectedRevision);
    } catch (error) {
      if (attempt === 50) throw error;
    }
  }
}

export async function readStream(log: EventLog, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.readStream(stream, { fromRevision: 0 })) events.push(event);
  return events;
}

/** What a promise that should fail fails with; null when it does not. Takes the failure at once, so it is never unhandled. */
export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => null,
    (error: unknown) => error,
  );
}

/** One length-delimited protobuf field (shorter than 128 bytes), for messages that a test makes by hand. */
export function protobufField(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}
