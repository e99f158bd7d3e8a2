import { projectionsResponse } from '@points/contracts/http';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import type { Authentication } from '../auth.ts';
import { selectProjections } from '../queries/projections.ts';
import type { Read } from '../read-tables.ts';
import { success } from '../success.ts';
import { errorResponses } from './error-responses.ts';

export interface AdminRoutesDeps {
  readonly read: Read;
  readonly authentication: Authentication;
}

/** For those who run the system and have the role admin. */
export function adminRoutes({ read, authentication }: AdminRoutesDeps): FastifyPluginCallbackZod {
  return (app, _, done) => {
    app.addHook('onRequest', authentication.requireRole('admin'));

    app.get(
      '/api/v1/admin/projections',
      {
        schema: {
          tags: ['admin'],
          security: [{ bearer: [] }],
          summary: 'How far the read tables are, and where they differ from the log',
          response: { 200: projectionsResponse, ...errorResponses(401, 403, 500, 503) },
        },
      },
      async () => success(await read(selectProjections)),
    );
    done();
  };
}
