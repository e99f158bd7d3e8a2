import { accountEventsUpTo } from '@points/audit/pinned-log';
import { balanceAsOf } from '@points/audit/balance-as-of';
import { type StatementPart, statement } from '@points/audit/statement';
import { statementCsv } from '@points/audit/statement-csv';
import { statementHtml } from '@points/audit/statement-html';
import { statementJson } from '@points/audit/statement-json';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { invalidArgument } from '../error-body.ts';
import type { FinanceBounds } from '../finance/bounds.ts';
import { clientGone } from '../finance/client-gone.ts';
import { type NeedLog, toLogAnswer } from '../finance/event-log.ts';
import { pacedText } from '../finance/paced-text.ts';
import {
  accountParams,
  asOf,
  fromTime,
  statementFormat,
  toPosition,
  toTime,
} from '../finance/parameters.ts';
import { checkedPin, endOfLog } from '../finance/pin.ts';
import { inTurns, withDeadline } from '../finance/report-run.ts';
import { createSlots } from '../finance/slots.ts';
import { type Language, preferredLanguage } from '../language.ts';
import { POSITION_HEADER } from '../parameters.ts';
import { success } from '../success.ts';
import { errorResponses } from './error-responses.ts';
import { reportResponse } from './report-response.ts';

/** Each reads all of one account and keeps its batches, holds and ids in memory. */
const MAX_REPORTS = 8;
const RETRY_AFTER_SECONDS = 5;

const CONTENT_TYPES = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  html: 'text/html; charset=utf-8',
} as const;

type StatementFormat = keyof typeof CONTENT_TYPES;

export interface FinanceAccountDeps {
  readonly needLog: NeedLog;
  readonly bounds: FinanceBounds;
}

const statementQuery = z.object({
  from: fromTime,
  to: toTime,
  to_position: toPosition,
  format: statementFormat,
});

const shared = { tags: ['finance'], security: [{ bearer: [] }], params: accountParams };
const errors = errorResponses(400, 401, 403, 429, 500, 503);

/** Reports of one account, folded from its events alone. Belongs inside a plugin that has asked for the role. */
export function financeAccountRoutes({
  needLog,
  bounds,
}: FinanceAccountDeps): FastifyPluginCallbackZod {
  const slots = createSlots(MAX_REPORTS, RETRY_AFTER_SECONDS);

  async function sendStatement(
    request: FastifyRequest,
    reply: FastifyReply,
    userId: string,
    query: z.output<typeof statementQuery>,
    format: StatementFormat,
  ): Promise<FastifyReply> {
    const { from, to, to_position } = query;
    if (from !== null && to !== null && from > to)
      throw invalidArgument('from', { zh: '不能晚于 to', en: 'must not be after to' });
    const log = needLog();
    const giveBack = slots.take();
    try {
      const gone = clientGone(reply);
      const pin = checkedPin({ to_position }, await endOfLog(log));
      gone.throwIfAborted();
      const asked = {
        from,
        to,
        position: pin,
      };
      const language = preferredLanguage(request.headers['accept-language']);
      const text = pacedText(
        (signal) => {
          const events = inTurns(accountEventsUpTo(log, userId, { pin, signal }), signal);
          return answering(written(statement(userId, events, asked), format, language));
        },
        { signal: gone, stallTimeoutMs: bounds.stallTimeoutMs },
      );
      text.once('close', giveBack);
      if (pin !== null) reply.header(POSITION_HEADER, pin.toString());
      if (format === 'csv')
        reply.header('content-disposition', `attachment; filename="statement-${userId}.csv"`);
      if (format === 'html')
        reply.header(
          'content-security-policy',
          "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        );
      return await reply.type(CONTENT_TYPES[format]).send(text);
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  return (app, _, done) => {
    app.get(
      '/api/v1/finance/accounts/:userId/balance',
      {
        exposeHeadRoute: false,
        schema: {
          ...shared,
          summary: 'What an account had at a time: points, batches, open holds, debts, membership',
          description:
            'An account without events has nothing. Every event on the way is checked: hashes, chain and books.',
          querystring: z.object({ as_of: asOf, to_position: toPosition }),
          response: {
            200: reportResponse({
              report: z.literal('balance'),
              account_id: z.string(),
              balance: z.int(),
              held: z.int(),
              available: z.int(),
              debt: z.int(),
            }),
            ...errors,
            ...errorResponses(504),
          },
        },
      },
      async ({ params: { userId }, query: { as_of, to_position } }, reply) => {
        const log = needLog();
        const giveBack = slots.take();
        try {
          const gone = clientGone(reply);
          const pin = checkedPin({ to_position }, await endOfLog(log));
          const result = await withDeadline(gone, bounds.accountDeadlineMs, (signal) => {
            const events = inTurns(accountEventsUpTo(log, userId, { pin, signal }), signal);
            return balanceAsOf(userId, events, { asOf: as_of, position: pin });
          });
          if (pin !== null) reply.header(POSITION_HEADER, pin.toString());
          return success({ ...result });
        } finally {
          giveBack();
        }
      },
    );

    const statementAnswer = {
      description: 'The statement; names and explanations in Chinese or English',
      content: {
        'application/json': { schema: z.unknown() },
        'text/csv': { schema: z.unknown() },
        'text/html': { schema: z.unknown() },
      },
    };
    app.get(
      '/api/v1/finance/statements/:userId',
      {
        exposeHeadRoute: false,
        schema: {
          ...shared,
          summary: 'Every movement of one account in a time, with its price, batches and hold',
          querystring: statementQuery,
          response: { 200: statementAnswer, ...errors },
        },
      },
      (request, reply) => {
        const { params, query } = request;
        return sendStatement(request, reply, params.userId, query, query.format);
      },
    );

    app.get(
      '/api/v1/finance/statements/:userId.csv',
      {
        exposeHeadRoute: false,
        schema: {
          ...shared,
          summary: 'The same as CSV (RFC 4180, with byte order mark)',
          querystring: statementQuery.omit({ format: true }),
          response: {
            200: { description: 'CSV', content: { 'text/csv': { schema: z.unknown() } } },
            ...errors,
          },
        },
      },
      (request, reply) => {
        const { params, query } = request;
        return sendStatement(request, reply, params.userId, { ...query, format: 'csv' }, 'csv');
      },
    );
    done();
  };
}

function written(
  parts: AsyncIterable<StatementPart>,
  format: StatementFormat,
  language: Language,
): AsyncIterable<string> {
  if (format === 'json') return enveloped(statementJson(parts));
  return format === 'csv' ? statementCsv(parts, language) : statementHtml(parts, language);
}

async function* enveloped(json: AsyncIterable<string>): AsyncGenerator<string, void> {
  yield '{"code":200,"message":"success","data":';
  yield* json;
  yield '}';
}

async function* answering(parts: AsyncIterable<string>): AsyncGenerator<string, void> {
  try {
    yield* parts;
  } catch (error) {
    throw toLogAnswer(error);
  }
}
