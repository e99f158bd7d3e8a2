import {
  modelsByProviderResponse,
  modelsByTypeResponse,
  modelsResponse,
  modelStatsResponse,
} from '@points/contracts/http';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AwaitPosition } from '../await-position.ts';
import { enabledOnly, providerFilter, readHeaders, taskTypeFilter } from '../parameters.ts';
import { countModels, groupByProvider, groupByType, selectModels } from '../queries/models.ts';
import type { Read } from '../read-tables.ts';
import { success } from '../success.ts';
import { errorResponses } from './error-responses.ts';

export interface ModelsRoutesDeps {
  readonly read: Read;
  readonly awaitPosition: AwaitPosition;
}

const shared = { tags: ['models'], headers: readHeaders };
const errors = errorResponses(400, 500, 503);

/** The model catalog; public. */
export function modelsRoutes({ read, awaitPosition }: ModelsRoutesDeps): FastifyPluginCallbackZod {
  return (app, _, done) => {
    app.addHook('preHandler', awaitPosition);

    app.get(
      '/user/ai/models',
      {
        schema: {
          ...shared,
          summary: 'Models',
          querystring: z.object({
            taskType: taskTypeFilter,
            provider: providerFilter,
            enabledOnly,
          }),
          response: { 200: modelsResponse, ...errors },
        },
      },
      async ({ query: { taskType, ...filter } }) =>
        success(await read((db) => selectModels(db, { ...filter, taskTypes: taskType }))),
    );

    app.get(
      '/user/ai/models/group-by-type',
      {
        schema: {
          ...shared,
          summary: 'Models by task type',
          querystring: z.object({ provider: providerFilter, enabledOnly }),
          response: { 200: modelsByTypeResponse, ...errors },
        },
      },
      async ({ query }) => success(groupByType(await read((db) => selectModels(db, query)))),
    );

    app.get(
      '/user/ai/models/group-by-provider',
      {
        schema: {
          ...shared,
          summary: 'Models by provider',
          querystring: z.object({ taskType: taskTypeFilter, enabledOnly }),
          response: { 200: modelsByProviderResponse, ...errors },
        },
      },
      async ({ query: { taskType, ...filter } }) =>
        success(
          groupByProvider(await read((db) => selectModels(db, { ...filter, taskTypes: taskType }))),
        ),
    );

    app.get(
      '/user/ai/models/stats',
      {
        schema: {
          ...shared,
          summary: 'Numbers of models',
          response: { 200: modelStatsResponse, ...errors },
        },
      },
      async () =>
        success(countModels(await read((db) => selectModels(db, { enabledOnly: false })))),
    );
    done();
  };
}
