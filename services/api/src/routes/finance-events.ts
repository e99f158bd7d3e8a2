import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { invalidArgument } from '../error-body.ts';
import type { FinanceBounds } from '../finance/bounds.ts';
import { clientGone } from '../finance/client-gone.ts';
import type { NeedLog } from '../finance/event-log.ts';
import { eventStream } from '../finance/event-stream.ts';
import {
  eventFormat,
  eventType,
  fromPosition,
  fromTime,
  toPosition,
  toTime,
  userIdFilter,
} from '../finance/parameters.ts';
import { checkedPin, endOfLog } from '../finance/pin.ts';
import { createSlots } from '../finance/slots.ts';
import { POSITION_HEADER } from '../parameters.ts';
import { errorResponses } from './error-responses.ts';

/** Each may read the whole log. */
const MAX_STREAMS = 4;
const RETRY_AFTER_SECONDS = 30;

const CONTENT_TYPES = {
  ndjson: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
} as const;

export interface FinanceEventsDeps {
  readonly needLog: NeedLog;
  readonly bounds: FinanceBounds;
}

/** Events of the log as they are stored. Belongs inside a plugin that has asked for the role. */
export function financeEventsRoutes({
  needLog,
  bounds,
}: FinanceEventsDeps): FastifyPluginCallbackZod {
  const slots = createSlots(MAX_STREAMS, RETRY_AFTER_SECONDS);
  return (app, _, done) => {
    app.get(
      '/api/v1/finance/events',
      {
        // Fastify would answer HEAD by reading everything.
        exposeHeadRoute: false,
        schema: {
          tags: ['finance'],
          security: [{ bearer: [] }],
          summary: 'Events of the log, in its order, as NDJSON (the lines of an export) or CSV',
          description:
            'The header `X-Ledger-Position` says up to which position the answer goes; appends meanwhile are not ' +
            'part of it. An answer without its regular end is cut: go on with `from_position` = the `position` of the ' +
            'last whole line. `from` and `to` are times of events, both included.',
          querystring: z.object({
            user_id: userIdFilter,
            type: eventType,
            from: fromTime,
            to: toTime,
            from_position: fromPosition,
            to_position: toPosition,
            format: eventFormat,
          }),
          response: {
            200: {
              description: 'One event per line',
              content: {
                'application/x-ndjson': { schema: z.unknown() },
                'text/csv': { schema: z.unknown() },
              },
            },
            ...errorResponses(400, 401, 403, 429, 500, 503),
          },
        },
      },
      async ({ query }, reply) => {
        const { user_id: userId, type, from, to, from_position, format } = query;
        if (from !== null && to !== null && from > to) {
          throw invalidArgument('from', { zh: '不能晚于 to', en: 'must not be after to' });
        }
        const log = needLog();
        const giveBack = slots.take();
        try {
          const signal = clientGone(reply);
          const pin = checkedPin(query, await endOfLog(log));
          signal.throwIfAborted();
          const stream = eventStream(
            log,
            { userId, type, from, to, fromPosition: from_position, pin, format },
            { signal, ...bounds },
          );
          // Emitted when the reading has ended, too.
          stream.once('close', giveBack);
          if (pin !== null) reply.header(POSITION_HEADER, pin.toString());
          const name = `events${pin === null ? '' : `-${pin}`}.${format}`;
          reply.header('content-disposition', `attachment; filename="${name}"`);
          return await reply.type(CONTENT_TYPES[format]).send(stream);
        } catch (error) {
          giveBack();
          throw error;
        }
      },
    );
    done();
  };
}
