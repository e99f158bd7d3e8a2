import { randomUUID } from 'node:crypto';
import { createAppender } from './eventstoredb-append.ts';
import type { AppenderBounds } from './eventstoredb-append.ts';
import { checkConnectionString, createConnection } from './eventstoredb-connection.ts';
import type { AdapterLog, Connection } from './eventstoredb-connection.ts';
import { encodeAppend, guardStream } from './eventstoredb-guards.ts';
import { createReader } from './eventstoredb-read.ts';
import { createReadCalls } from './eventstoredb-read-calls.ts';
import type { ReadBounds } from './eventstoredb-read-calls.ts';
import { subscribeToLog } from './eventstoredb-subscription.ts';
import { StoreUnavailableError, SubscriptionEndedError } from './event-log.ts';
import type { EventLog, EventToAppend, LiveEvent, SubscribeAllOptions } from './event-log.ts';

/**
 * The event log on EventStoreDB / KurrentDB, over `@eventstore/db-client` 6.2.1.
 *
 * Two connections: one for appends, one for reads and subscriptions, so that neither waits behind the other's data nor
 * counts against its limit of calls. Nothing connects before the first call, and nothing is retried here: a caller gets
 * the outcome and knows best what to do with it. A server that went away and came back is found again by the next call.
 *
 * What the client leaves open is closed in the file where it happens: appends in `eventstoredb-append.ts`, what a
 * failed append means in `eventstoredb-errors.ts`, reads in `eventstoredb-read-calls.ts` and `eventstoredb-pull.ts`,
 * subscriptions in `eventstoredb-subscription.ts`, compression and settings in `eventstoredb-connection.ts`.
 *
 * Throws an `Error` that says what is wrong when `url` is not a valid `esdb://` connection string.
 */
export function connectEventStoreDb({
  url,
  log = SILENT,
  bounds = {},
}: EventStoreDbOptions): EventLog {
  checkConnectionString(url);
  const limits: EventStoreDbBounds = { ...EVENT_STORE_DB_BOUNDS, ...bounds };
  const appender = createAppender({ connect: () => createConnection(url), bounds: limits, log });
  let reading = createConnection(url);
  let closed = false;

  const readCalls = createReadCalls({
    current: currentConnection,
    rebuild() {
      const old = reading;
      reading = createConnection(url);
      void old.dispose();
    },
    bounds: limits,
    log,
  });
  const reader = createReader(readCalls);

  function currentConnection(): Connection {
    if (closed) throw new StoreUnavailableError('the event log is closed');
    return reading;
  }

  async function* subscribeAll(options: SubscribeAllOptions): AsyncGenerator<LiveEvent, void> {
    if (closed) throw new SubscriptionEndedError('the event log is closed');
    yield* subscribeToLog(reading, options, limits.subscribeTimeoutMs);
  }

  return {
    async append(stream, events, expectedRevision) {
      return appender.append(
        stream,
        encodeAppend(stream, events, expectedRevision),
        expectedRevision,
      );
    },
    async keepLastOnly(stream) {
      guardStream(stream);
      const metadata: EventToAppend = {
        id: randomUUID(),
        type: '$metadata',
        data: { $maxCount: 1 },
        metadata: {},
      };
      // A conflict: the stream has metadata already.
      const metadataStream = `$$${stream}`;
      await appender.append(
        metadataStream,
        encodeAppend(metadataStream, [metadata], 'no_stream'),
        'no_stream',
      );
    },
    readStream: reader.readStream,
    readLast: reader.readLast,
    readAll: reader.readAll,
    readLastPosition: reader.readLastPosition,
    subscribeAll,
    async close() {
      closed = true;
      await Promise.all([appender.close(), reading.dispose()]);
    },
  };
}

export interface EventStoreDbOptions {
  /** `esdb://host:port?tls=false` and the like. */
  readonly url: string;
  readonly log?: AdapterLog;
  readonly bounds?: Partial<EventStoreDbBounds>;
}

export interface EventStoreDbBounds extends AppenderBounds, ReadBounds {
  /** Longest wait for the server's confirmation of a subscription. */
  readonly subscribeTimeoutMs: number;
}

export const EVENT_STORE_DB_BOUNDS: EventStoreDbBounds = {
  // The server itself gives up after 2 s; what is unanswered after 5 s will hardly be answered.
  appendTimeoutMs: 5_000,
  openTimeoutMs: 3_000,
  reconnectPauseMs: 100,
  appendsInFlightMax: 256,
  appendsWaitingMax: 8_192,
  unansweredBeforeRebuild: 3,
  readTimeoutMs: 5_000,
  readsInFlightMax: 64,
  readsWaitingMax: 8_192,
  timeoutsBeforeRebuild: 3,
  subscribeTimeoutMs: 5_000,
};

const SILENT: AdapterLog = { warn: () => undefined };
