import { eventsUpTo } from '@points/audit/pinned-log';
import { type TrialBalance, trialBalance } from '@points/audit/trial-balance';
import { projectionsResponse } from '@points/contracts/http';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { invalidArgument } from '../error-body.ts';
import type { FinanceBounds } from '../finance/bounds.ts';
import { clientGone } from '../finance/client-gone.ts';
import type { NeedLog } from '../finance/event-log.ts';
import { asOf, fromTime, toPosition, trialBalanceBy } from '../finance/parameters.ts';
import { checkedPin, endOfLog } from '../finance/pin.ts';
import { createShared, inTurns, withDeadline } from '../finance/report-run.ts';
import { createSlots } from '../finance/slots.ts';
import { POSITION_HEADER } from '../parameters.ts';
import { readAnchorStatus } from '../queries/anchors.ts';
import { selectProjections } from '../queries/projections.ts';
import type { Read } from '../read-tables.ts';
import { success } from '../success.ts';
import { errorResponses } from './error-responses.ts';
import { reportResponse } from './report-response.ts';

/** Each reads the whole log and keeps three numbers for every account. */
const MAX_TRIAL_BALANCES = 2;
const MAX_VERIFY_READS = 4;
const RETRY_AFTER_SECONDS = 30;

/** What a person runs who does not want to believe this process. */
const VERIFY_COMMANDS = [
  'npm run audit -- export --out ledger.ndjson',
  'npm run audit -- verify ledger.ndjson --anchor anchors.ndjson --key anchor-key.pub.pem',
];

export interface FinanceLedgerDeps {
  readonly needLog: NeedLog;
  readonly bounds: FinanceBounds;
  readonly read: Read;
}

const shared = { tags: ['finance'], security: [{ bearer: [] }] };

/** Reports of the whole ledger. Belongs inside a plugin that has asked for the role. */
export function financeLedgerRoutes({
  needLog,
  bounds,
  read,
}: FinanceLedgerDeps): FastifyPluginCallbackZod {
  const trialSlots = createSlots(MAX_TRIAL_BALANCES, RETRY_AFTER_SECONDS);
  const verifySlots = createSlots(MAX_VERIFY_READS, RETRY_AFTER_SECONDS);
  const trials = createShared<TrialBalance>();
  return (app, _, done) => {
    app.get(
      '/api/v1/finance/trial-balance',
      {
        exposeHeadRoute: false,
        schema: {
          ...shared,
          summary: 'Every point of the whole ledger as double entry, by day or by source if asked',
          description:
            'Folded from all events up to `position`. With `from`, of that period: its opening, what it moved, its closing. ' +
            '`sums_to_zero: false` or `findings` = the log is not right.',
          querystring: z.object({
            from: fromTime,
            as_of: asOf,
            by: trialBalanceBy,
            to_position: toPosition,
          }),
          response: {
            200: reportResponse({ report: z.literal('trial_balance'), sums_to_zero: z.boolean() }),
            ...errorResponses(400, 401, 403, 429, 500, 503, 504),
          },
        },
      },
      async ({ query }, reply) => {
        const { from, as_of, by, to_position } = query;
        if (from !== null && as_of !== null && from > as_of)
          throw invalidArgument('from', { zh: '不能晚于 as_of', en: 'must not be after as_of' });
        const log = needLog();
        const gone = clientGone(reply);
        const pin = checkedPin({ to_position }, await endOfLog(log));
        const key = JSON.stringify([String(pin), from, as_of, by]);
        const result = await trials(key, gone, async (stop) => {
          const giveBack = trialSlots.take();
          try {
            return await withDeadline(stop, bounds.ledgerDeadlineMs, (signal) => {
              const events = () => inTurns(eventsUpTo(log, { pin, signal }), signal);
              return trialBalance(events, { from, asOf: as_of, position: pin, by });
            });
          } finally {
            giveBack();
          }
        });
        if (pin !== null) reply.header(POSITION_HEADER, pin.toString());
        return success({ ...result });
      },
    );

    app.get(
      '/api/v1/finance/verify',
      {
        exposeHeadRoute: false,
        schema: {
          ...shared,
          summary: 'What has been signed, how far the log has gone on since, and how to verify it',
          description:
            'This process verifies nothing: signatures and history are checked by the commands, on a machine of your own.',
          response: {
            200: reportResponse({ verified_here: z.literal(false) }),
            ...errorResponses(401, 403, 429, 500, 503, 504),
          },
        },
      },
      async (_request, reply) => {
        const log = needLog();
        const gone = clientGone(reply);
        const giveBack = verifySlots.take();
        try {
          const pin = await endOfLog(log);
          const status = await withDeadline(gone, bounds.accountDeadlineMs, (signal) =>
            readAnchorStatus(log, pin, signal),
          );
          if (pin !== null) reply.header(POSITION_HEADER, pin.toString());
          return success({ verified_here: false as const, commands: VERIFY_COMMANDS, ...status });
        } finally {
          giveBack();
        }
      },
    );

    app.get(
      '/api/v1/finance/reconcile',
      {
        schema: {
          ...shared,
          summary: 'Whether the read tables say what the log says, as the projector last compared',
          description:
            'The projector compares all accounts again and again; `npm run audit -- compare` does it at once.',
          response: { 200: projectionsResponse, ...errorResponses(401, 403, 500, 503) },
        },
      },
      async () => success(await read(selectProjections)),
    );
    done();
  };
}
