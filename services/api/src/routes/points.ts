import { balanceResponse, logsResponse, statsResponse } from '@points/contracts/http';
import type { Clock } from '@points/runtime/clock';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Authentication } from '../auth.ts';
import { invalidArgument } from '../error-body.ts';
import {
  changeTypeFilter,
  endTime,
  keyword,
  page,
  readHeaders,
  size,
  startTime,
} from '../parameters.ts';
import { selectBalance } from '../queries/balance.ts';
import { selectLogs } from '../queries/logs.ts';
import { selectStats } from '../queries/stats.ts';
import type { Read } from '../read-tables.ts';
import { success } from '../success.ts';
import type { AwaitPosition } from '../await-position.ts';
import { errorResponses } from './error-responses.ts';

export interface PointsRoutesDeps {
  readonly read: Read;
  readonly clock: Clock;
  readonly authentication: Authentication;
  readonly awaitPosition: AwaitPosition;
}

const logsQuery = z.object({
  page,
  size,
  changeType: changeTypeFilter,
  startTime,
  endTime,
  keyword,
});

const shared = { tags: ['points'], security: [{ bearer: [] }], headers: readHeaders };
const errors = errorResponses(400, 401, 403, 500, 503);

/** The caller's own points: balance, statement, totals. */
export function pointsRoutes(deps: PointsRoutesDeps): FastifyPluginCallbackZod {
  const { read, clock, authentication, awaitPosition } = deps;
  const now = () => new Date(clock.now());
  return (app, _, done) => {
    app.addHook('onRequest', authentication.requireRole('user'));
    app.addHook('preHandler', awaitPosition);

    app.get(
      '/user/points/consumption/balance',
      {
        schema: {
          ...shared,
          summary: 'Current points and their expiry',
          response: { 200: balanceResponse, ...errors },
        },
      },
      async (request) => {
        const { accountId } = authentication.principalOf(request);
        return success(await read((db) => selectBalance(db, accountId, now())));
      },
    );

    app.get(
      '/user/points/consumption/logs',
      {
        schema: {
          ...shared,
          summary: 'Statement, newest first',
          querystring: logsQuery,
          response: { 200: logsResponse, ...errors },
        },
      },
      async (request) => {
        const { accountId } = authentication.principalOf(request);
        const { query } = request;
        if (
          query.startTime !== undefined &&
          query.endTime !== undefined &&
          query.startTime >= query.endTime
        ) {
          throw invalidArgument('startTime', {
            zh: '不能晚于 endTime',
            en: 'must not be after endTime',
          });
        }
        return success(await read((db) => selectLogs(db, accountId, query)));
      },
    );

    app.get(
      '/user/points/consumption/stats',
      {
        schema: {
          ...shared,
          summary: 'Totals since the first event',
          response: { 200: statsResponse, ...errors },
        },
      },
      async (request) => {
        const { accountId } = authentication.principalOf(request);
        return success(await read((db) => selectStats(db, accountId, now())));
      },
    );
    done();
  };
}
