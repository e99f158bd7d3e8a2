import { openLog } from '@points/audit/open-log';
import { openDatabase } from '@points/read-model/database';
import { type Clock, systemClock } from '@points/runtime/clock';
import type { Log } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import { settledWithin } from '@points/runtime/nats';
import type { TokenKeys } from './auth.ts';
import { buildApp } from './app.ts';
import type { ApiSettings } from './config.ts';
import { openLedgerLink } from './ledger-link.ts';
import { listenForPositions } from './position-listener.ts';
import { createPositionWait } from './position-wait.ts';
import { selectAppliedPosition } from './queries/position.ts';

/** A read that takes longer is given up. */
const STATEMENT_TIMEOUT_MS = 3_000;
/** For requests that are under way when the process is told to stop. */
const FINISH_TIMEOUT_MS = 4_000;
/** A server that does not answer cannot say goodbye. */
const DATABASE_CLOSE_TIMEOUT_MS = 2_000;

export interface Api {
  readonly port: number;
  /** Finishes the requests under way, for 4 s at most, and lets go of everything. Never rejects. */
  readonly stop: () => Promise<void>;
}

/** The port cannot be listened on; `message` is a sentence for the user. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/**
 * Listens, and connects to PostgreSQL, NATS and the event log in the background: it serves what it can and recovers by itself.
 * Throws ListenError.
 */
export async function startApi(
  settings: ApiSettings,
  deps: { log: Log; clock?: Clock },
): Promise<Api> {
  const { log, clock = systemClock } = deps;
  const metrics = createMetrics('api');
  const db = openDatabase({
    url: settings.DATABASE_URL,
    applicationName: 'points-api',
    poolSize: settings.DATABASE_POOL_SIZE,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const positions = createPositionWait({
    metrics,
    readPosition: async () => (await selectAppliedPosition(db)) ?? 0n,
  });
  const listener = listenForPositions({
    url: settings.DATABASE_URL,
    log,
    onPosition: positions.announce,
    onListening: positions.forget,
  });
  const ledger = openLedgerLink({
    natsUrl: settings.NATS_URL,
    natsUser: settings.NATS_USER,
    natsPass: settings.NATS_PASS,
    log,
  });
  const { EVENTSTORE_URL } = settings;
  const eventLog = EVENTSTORE_URL === undefined ? null : openLog(EVENTSTORE_URL);
  const app = buildApp({
    db,
    positions,
    ledgerHealth: ledger.health,
    eventLog,
    readyAtPosition: settings.READY_AT_POSITION,
    tokens: {
      keys: tokenKeys(settings),
      issuer: settings.JWT_ISSUER,
      audience: settings.JWT_AUDIENCE,
    },
    devLogin: settings.AUTH_MODE === 'dev',
    corsOrigins: settings.CORS_ORIGINS,
    clock,
    log,
    metrics,
  });
  const stop = async () => {
    const ledgerStopped = ledger.stop();
    const cut = setTimeout(() => {
      log.warn({ timeoutMs: FINISH_TIMEOUT_MS }, 'requests under way were cut: they took too long');
      app.server.closeAllConnections();
    }, FINISH_TIMEOUT_MS);
    await app.close();
    clearTimeout(cut);
    await listener.stop();
    await settledWithin(db.destroy(), DATABASE_CLOSE_TIMEOUT_MS);
    await ledgerStopped;
    await eventLog?.close();
  };
  try {
    const address = await app.listen({ host: settings.HOST, port: settings.PORT });
    return { port: Number(new URL(address).port), stop };
  } catch (error) {
    await stop();
    throw listenError(settings, error);
  }
}

function tokenKeys({ JWT_SECRET, JWKS_URL }: ApiSettings): TokenKeys {
  if (JWT_SECRET !== undefined)
    return { kind: 'secret', secret: new TextEncoder().encode(JWT_SECRET) };
  if (JWKS_URL !== undefined) return { kind: 'jwks', url: new URL(JWKS_URL) };
  throw new Error('the settings have neither a secret nor a key set');
}

function listenError({ HOST, PORT }: ApiSettings, error: unknown): ListenError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new ListenError(
      `Port ${PORT} of ${HOST} is taken by another program: stop it, or set PORT to a free one.`,
      { cause: error },
    );
  }
  return new ListenError(`Cannot listen on port ${PORT} of ${HOST}: ${String(error)}`, {
    cause: error,
  });
}
