import cors from '@fastify/cors';
import type { AuditLog } from '@points/audit/open-log';
import type { ReadTables } from '@points/read-model/tables';
import type { Clock } from '@points/runtime/clock';
import type { Log } from '@points/runtime/log';
import type { Metrics } from '@points/runtime/metrics';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Kysely } from 'kysely';
import { type AuthenticationDeps, createAuthentication } from './auth.ts';
import { createAwaitPosition } from './await-position.ts';
import { answerConnectionError, answerError } from './error-body.ts';
import type { FinanceBounds } from './finance/bounds.ts';
import type { LedgerHealth } from './ledger-link.ts';
import { serveOpenApi } from './openapi.ts';
import type { PositionWait } from './position-wait.ts';
import { createReader } from './read-tables.ts';
import { createReadiness } from './readiness.ts';
import { addRequestHooks, refuseAddress, requestId } from './request-hooks.ts';
import { adminRoutes } from './routes/admin.ts';
import { devLoginRoutes } from './routes/auth.ts';
import { financeRoutes } from './routes/finance.ts';
import { healthRoutes } from './routes/health.ts';
import { modelsRoutes } from './routes/models.ts';
import { pointsRoutes } from './routes/points.ts';
import { stopQuickly } from './stop-quickly.ts';

const BODY_LIMIT_BYTES = 65_536;
/** For a whole request to arrive. */
const REQUEST_TIMEOUT_MS = 15_000;

export interface AppDeps {
  readonly db: Kysely<ReadTables>;
  readonly positions: PositionWait;
  /** Rejects with the reason when the ledger does not answer. */
  readonly ledgerHealth: () => Promise<LedgerHealth>;
  /** The log that finance reads; null when this deployment has not set EVENTSTORE_URL. */
  readonly eventLog: AuditLog | null;
  readonly financeBounds?: Partial<FinanceBounds>;
  /** Not ready before the read tables have come so far. */
  readonly readyAtPosition?: bigint;
  readonly tokens: Omit<AuthenticationDeps, 'clock'>;
  /** Whether the fixed users of development can log in; needs a token secret. */
  readonly devLogin: boolean;
  /** Origins whose pages may call this; `*` = all. */
  readonly corsOrigins: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** All HTTP of the system. Connects to nothing by itself and does not listen. */
export function buildApp(deps: AppDeps): FastifyInstance {
  const { db, positions, ledgerHealth, tokens, devLogin, corsOrigins, clock, log, metrics } = deps;
  const logger: FastifyBaseLogger = log;
  const app: FastifyInstance = Fastify({
    loggerInstance: logger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    genReqId: requestId,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { ignoreTrailingSlash: true },
    // While this process stops, what still arrives on open connections is answered like everything before it.
    return503OnClosing: false,
    frameworkErrors: answerError,
    clientErrorHandler: answerConnectionError,
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request) => refuseAddress(app, request));

  if (corsOrigins.length > 0) {
    const origin = corsOrigins.includes('*') ? '*' : [...corsOrigins];
    app.register(cors, {
      origin,
      exposedHeaders: ['X-Ledger-Position', 'X-Request-Id', 'Retry-After'],
    });
  }
  addRequestHooks(app, metrics);
  stopQuickly(app);
  serveOpenApi(app);

  const read = createReader(db);
  const awaitPosition = createAwaitPosition(positions);
  const authentication = createAuthentication({ ...tokens, clock });
  const readiness = createReadiness({
    read,
    ledgerHealth,
    readyAtPosition: deps.readyAtPosition ?? 0n,
  });
  app.register(healthRoutes({ readiness, metrics }));
  app.register(pointsRoutes({ read, clock, authentication, awaitPosition }));
  app.register(modelsRoutes({ read, awaitPosition }));
  app.register(adminRoutes({ read, authentication }));
  app.register(
    financeRoutes({ eventLog: deps.eventLog, read, authentication, bounds: deps.financeBounds }),
  );
  if (devLogin) {
    if (tokens.keys.kind !== 'secret')
      throw new Error('the development login needs a token secret');
    app.register(devLoginRoutes({ secret: tokens.keys.secret, clock }));
  }
  return app;
}
