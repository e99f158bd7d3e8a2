import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Metrics } from '@points/runtime/metrics';
import type { FastifyInstance } from 'fastify';
import { HttpError } from './error-body.ts';

const REQUEST_ID_HEADER = 'x-request-id';
const MS_PER_SECOND = 1_000;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** The caller's own `X-Request-Id` when it is harmless, else a new one. */
export function requestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers[REQUEST_ID_HEADER];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

/** What happens around every request: headers, unknown addresses, one log line, one measurement. */
export function addRequestHooks(app: FastifyInstance, metrics: Metrics): void {
  const seconds = metrics.histogram('http_request_seconds', 'Time to answer a request', [
    'method',
    'route',
    'status',
  ]);

  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      [REQUEST_ID_HEADER]: request.id,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    // Before the body is read: nothing in it can matter.
    if (request.is404) refuseAddress(app, request);
  });

  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? 'unknown';
    const status = reply.statusCode;
    const ms = Math.round(reply.elapsedTime * 10) / 10;
    seconds.observe({ method, route, status }, reply.elapsedTime / MS_PER_SECOND);
    request.log.info({ method, path: pathOf(request.url), status, ms }, 'request');
  });
}

/** 404, or 405 when the address has other methods. */
export function refuseAddress(app: FastifyInstance, request: { readonly url: string }): never {
  const url = pathOf(request.url);
  const allowed = METHODS.filter((method) => app.hasRoute({ method, url }));
  if (allowed.length === 0) throw new HttpError('not_found');
  throw new HttpError('method_not_allowed', { headers: { allow: allowed.join(', ') } });
}

/** Without the query: it may hold what is nobody's business. */
function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
