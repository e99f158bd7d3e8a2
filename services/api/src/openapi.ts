import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';

/** Where the page is on which requests can be tried. */
export const DOCS_PATH = '/docs';

/** `/openapi.json`, and a page to try it. Must be called before the routes that it shall list. */
export function serveOpenApi(app: FastifyInstance): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'points-ledger',
        version: '1',
        description:
          'Points of an account and what AI models cost. Errors carry `code`, `message`, `msg`, `detail` (one text ' +
          'under three names, Chinese or English by `Accept-Language`) and `data.error`, the name of the error.',
      },
      components: {
        securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    },
    transform: jsonSchemaTransform,
  });
  app.register(swaggerUi, { routePrefix: DOCS_PATH, staticCSP: true });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
