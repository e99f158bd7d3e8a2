import { errorDefinition } from '@points/contracts/errors';
import type { Metrics } from '@points/runtime/metrics';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { preferredLanguage } from '../language.ts';
import { NEEDED_PARTS, type Parts } from '../readiness.ts';

export interface HealthRoutesDeps {
  readonly readiness: () => Promise<Parts>;
  readonly metrics: Metrics;
}

const partState = z.union([
  z.object({ ok: z.literal(true) }),
  z.object({ ok: z.literal(false), reason: z.string() }),
]);
const partsSchema = z.object({
  ledger: partState,
  event_store: partState,
  postgres: partState,
  projector: partState,
  reconcile: partState.describe(
    'Whether the read tables are what the log says; makes nobody unready',
  ),
});
const ready = z.object({ code: z.literal(200), message: z.literal('ready'), parts: partsSchema });
const notReady = z.object({
  code: z.literal(503),
  message: z.string(),
  msg: z.string(),
  detail: z.string(),
  parts: partsSchema,
});

/** For those who run the system. */
export function healthRoutes({ readiness, metrics }: HealthRoutesDeps): FastifyPluginCallbackZod {
  return (app, _, done) => {
    app.get(
      '/healthz',
      {
        schema: {
          tags: ['operations'],
          summary: 'This process lives',
          response: { 200: z.object({ code: z.literal(200), message: z.literal('ok') }) },
        },
      },
      () => ({ code: 200 as const, message: 'ok' as const }),
    );

    app.get(
      '/readyz',
      {
        schema: {
          tags: ['operations'],
          summary: 'Every part that the system needs works; if not, which one',
          response: { 200: ready, 503: notReady },
        },
      },
      async (request, reply) => {
        const parts = await readiness();
        const down = NEEDED_PARTS.flatMap((part) => {
          const state = parts[part];
          return state.ok ? [] : [`${part}: ${state.reason}`];
        });
        if (down.length === 0) return { code: 200 as const, message: 'ready' as const, parts };
        const language = preferredLanguage(request.headers['accept-language']);
        const message = `${errorDefinition('service_unavailable')[language]} (${down.join('; ')})`;
        return reply
          .code(503)
          .send({ code: 503 as const, message, msg: message, detail: message, parts });
      },
    );

    app.get(
      '/metrics',
      {
        schema: {
          tags: ['operations'],
          summary: 'Metrics for Prometheus',
          response: {
            200: { description: 'Text format', content: { 'text/plain': { schema: z.string() } } },
          },
        },
      },
      async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
    );
    done();
  };
}
