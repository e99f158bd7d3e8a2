import { setImmediate as nextTurn } from 'node:timers/promises';
import serverFeatures from '@eventstore/db-client/generated/serverfeatures_pb.js';
import serverFeaturesRpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import streamsRpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { status } from '@grpc/grpc-js';
import { createBatchAppendHandler } from './batch-append.ts';
import { unary } from './calls.ts';
import { openDatabase } from './database.ts';
import type { Database } from './database.ts';
import { createFaults } from './faults.ts';
import type { FaultControl, Faults } from './faults.ts';
import { startGrpcServer } from './grpc-server.ts';
import type { GrpcCall, GrpcHandler, GrpcServer, ResponseCounters } from './grpc-server.ts';
import type { JournalError } from './journal-error.ts';
import { createReadHandler } from './read-service.ts';
import { callStatus } from './statuses.ts';
import { TOO_SLOW } from './subscription.ts';
import type { SlowSubscriber } from './subscription.ts';
import {
  createAppendHandler,
  createDeleteHandler,
  createTombstoneHandler,
} from './write-service.ts';

/**
 * Starts a small server that speaks EventStoreDB's gRPC protocol, for development and tests only.
 *
 * Rejects with a `JournalError` when the data folder cannot be used or its journal is damaged, and with the system's
 * error (`code` EADDRINUSE and so on) when it cannot listen.
 */
export async function startDevEventStore(options: DevEventStoreOptions): Promise<DevEventStore> {
  const host = options.host ?? '127.0.0.1';
  const log = options.log ?? (() => undefined);
  const subscriptions = new Set<GrpcCall>();
  let running: Running | null = null;
  let port = options.port ?? 0;
  const control = createFaults({
    cutConnections: () => running?.grpc.resetConnections(),
    endSubscriptions: (as) => {
      for (const call of [...subscriptions]) endSubscription(call, as);
    },
  });
  const onFailure = (error: JournalError): void => {
    log(error.message);
    options.onFailure?.(error);
  };
  const start = async (database: Database): Promise<Running> => {
    const slowSubscriber = options.slowSubscriber ?? 'cut';
    const handlers = createHandlers({ database, control, subscriptions, slowSubscriber });
    try {
      const grpc = await startGrpcServer({
        host,
        port,
        handlers,
        onError: (error) => log(error.message),
      });
      port = grpc.port;
      return { database, grpc };
    } catch (error) {
      await database.close();
      throw error;
    }
  };
  const now = options.now ?? Date.now;
  const open = (): Database => openDatabase({ folder: options.dataDir, log, onFailure, now });
  /** A memory-only server keeps its state over a stop. */
  let kept: Database | null = null;

  const stop = async (): Promise<void> => {
    const stopping = running;
    if (stopping === null) return;
    running = null;
    if (options.dataDir === null) kept = stopping.database;
    else await stopping.database.close();
    // The last answers are on their way through two layers of buffers.
    await nextTurn();
    await nextTurn();
    await stopping.grpc.close();
  };
  const resume = async (): Promise<void> => {
    if (running !== null) return;
    kept?.log.forgetRecentIds();
    running = await start(kept ?? open());
  };

  running = await start(open());
  return {
    get port() {
      return port;
    },
    get url() {
      return `esdb://${host}:${port}?tls=false`;
    },
    faults: control.faults,
    get responses() {
      return running?.grpc.responses ?? NO_RESPONSES;
    },
    get openCalls() {
      return running?.grpc.openCalls ?? 0;
    },
    stop,
    start: resume,
    restart: async () => {
      await stop();
      await resume();
    },
    close: async () => {
      control.faults.clear();
      await stop();
    },
  };
}

export interface DevEventStoreOptions {
  /** Folder of the journal, created when missing; null = in memory only. */
  readonly dataDir: string | null;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0 = any free port. */
  readonly port?: number;
  readonly log?: (line: string) => void;
  /** Default `cut`, as 23.10 does. */
  readonly slowSubscriber?: SlowSubscriber;
  /** When events are written, ms since the epoch; default: the machine's clock. */
  readonly now?: () => number;
  /** The journal could not be written: nothing is acknowledged any more. */
  readonly onFailure?: (error: JournalError) => void;
}

export interface DevEventStore {
  readonly port: number;
  /** Connection string for the client. */
  readonly url: string;
  readonly faults: Faults;
  /** How responses went out since the last start; shows whether a client advertises gzip. */
  readonly responses: Readonly<ResponseCounters>;
  /** Calls that neither side has ended: reads left open, subscriptions, batch append streams. */
  readonly openCalls: number;
  /** Goes down: connections are dropped and the port refuses. What has been acknowledged is kept. */
  stop(): Promise<void>;
  /** Comes back on the same port with the same events; the memory of recent ids is gone, as on the real server. */
  start(): Promise<void>;
  /** `stop`, then `start`. */
  restart(): Promise<void>;
  /** Down for good. */
  close(): Promise<void>;
}

interface Running {
  readonly database: Database;
  readonly grpc: GrpcServer;
}

const NO_RESPONSES: ResponseCounters = { compressed: 0, uncompressed: 0, lastAcceptEncoding: null };
/** What it behaves like, with the append limit of 24.10. */
const SERVER_VERSION = '23.10.1';

function createHandlers(deps: {
  database: Database;
  control: FaultControl;
  subscriptions: Set<GrpcCall>;
  slowSubscriber: SlowSubscriber;
}): ReadonlyMap<string, GrpcHandler> {
  const { database, control, subscriptions, slowSubscriber } = deps;
  const { StreamsService } = streamsRpc;
  const writing = { database, faults: control };
  return new Map([
    [
      serverFeaturesRpc.ServerFeaturesService.getSupportedMethods.path,
      createFeaturesHandler(control),
    ],
    [StreamsService.batchAppend.path, createBatchAppendHandler(writing)],
    [StreamsService.append.path, createAppendHandler(writing)],
    [StreamsService.delete.path, createDeleteHandler(writing)],
    [StreamsService.tombstone.path, createTombstoneHandler(writing)],
    [
      StreamsService.read.path,
      createReadHandler({ log: database.log, faults: control, slowSubscriber, subscriptions }),
    ],
  ]);
}

function createFeaturesHandler(control: FaultControl): GrpcHandler {
  const features = new serverFeatures.SupportedMethods().setEventStoreServerVersion(SERVER_VERSION);
  for (const method of ['read', 'append', 'delete', 'tombstone', 'batchappend']) {
    const supported = new serverFeatures.SupportedMethod().setMethodName(method);
    features.addMethods(supported.setServiceName('event_store.client.streams.streams'));
  }
  const answer = features.serializeBinary();
  return unary((_request, call) => {
    const taken = control.takeFeatures();
    if (taken?.fault === 'internal')
      return call.fail({ code: status.INTERNAL, details: 'failed by a fault switch' });
    const send = (): void => {
      call.write([answer]);
      call.end();
    };
    if (taken === null) send();
    else taken.onRelease(send);
  });
}

function endSubscription(call: GrpcCall, as: 'ok' | 'too_slow' | 'unavailable'): void {
  if (as === 'ok') call.end();
  else call.fail(as === 'too_slow' ? TOO_SLOW : callStatus.notReady());
}
