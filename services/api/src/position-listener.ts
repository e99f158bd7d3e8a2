import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { POSITION_CHANNEL } from '@points/read-model/coordination';
import type { Log } from '@points/runtime/log';
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_AFTER_MS = 10_000;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;

export interface PositionListenerDeps {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  readonly log: Log;
  readonly onPosition: (position: bigint) => void;
  /** Announcements before this moment are lost: at the start, and after the connection was. */
  readonly onListening: () => void;
}

export interface PositionListener {
  /** Never rejects. */
  readonly stop: () => Promise<void>;
}

/** Listens for the projector's announcements on a connection of its own, and connects again for ever when it is lost. */
export function listenForPositions(deps: PositionListenerDeps): PositionListener {
  const stopped = new AbortController();
  const running = listenForEver(deps, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

async function listenForEver(deps: PositionListenerDeps, stopped: AbortSignal): Promise<void> {
  let retryMs = FIRST_RETRY_MS;
  while (!stopped.aborted) {
    try {
      await listenOnce(
        { ...deps, onListening: () => ((retryMs = FIRST_RETRY_MS), deps.onListening()) },
        stopped,
      );
    } catch (error) {
      // Once per outage: the next tries differ in nothing.
      if (retryMs === FIRST_RETRY_MS)
        deps.log.warn({ err: error }, 'cannot listen for positions; trying again');
    }
    await sleep(retryMs * (0.5 + Math.random() / 2), undefined, { signal: stopped }).catch(
      () => undefined,
    );
    retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
  }
}

/** Resolves when the connection has ended; rejects when there was none. */
async function listenOnce(deps: PositionListenerDeps, stopped: AbortSignal): Promise<void> {
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: deps.url,
    application_name: 'points-api positions',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    stream: () => socket,
  });
  // 'end' follows every 'error'; the listener only keeps the error from ending the process.
  client.on('error', () => undefined);
  client.on('notification', ({ payload }) => {
    if (payload !== undefined && /^\d+$/.test(payload)) deps.onPosition(BigInt(payload));
  });
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()));
  const cut = () => socket.destroy();
  stopped.addEventListener('abort', cut, { once: true });
  try {
    await client.connect();
    await client.query(`listen ${POSITION_CHANNEL}`);
    deps.onListening();
    await ended;
  } finally {
    stopped.removeEventListener('abort', cut);
    socket.destroy();
  }
}
