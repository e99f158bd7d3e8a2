import { ENDPOINTS, parseRequest, parseSubject } from '@points/contracts/ledger';
import type { Endpoint, Request } from '@points/contracts/ledger-requests';
import {
  NotAppendedError,
  OutcomeUnknownError,
  StoreUnavailableError,
} from '@points/event-store/event-log';
import { LaneError } from '@points/event-store/lanes';
import type { NatsAnswer, NatsRequest } from '@points/runtime/nats-service';
import { cancel, confirm, consume, extend, hold, refund } from './account-endpoints.ts';
import { changeModel, reloadConfig } from './catalog-endpoints.ts';
import * as credits from './credit-endpoints.ts';
import * as holdQueries from './hold-queries.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { changePriceList } from './price-list-endpoints.ts';
import * as queries from './queries.ts';
import { ReadTablesError } from './recall-tables.ts';
import { type Outcome, refused, toAnswer } from './reply.ts';
import type { Caller } from './submit-command.ts';

/** Decides one request; throws what the event store's port and the lanes throw. */
export type Handler<Name extends Endpoint> = (
  body: Request<Name>,
  caller: Caller,
  deps: LedgerDeps,
) => Promise<Outcome>;
type Handlers = { readonly [Name in Endpoint]: Handler<Name> };

/** Every verb of the ledger and what answers it. */
function handlers(health: () => Promise<Outcome>): Handlers {
  return {
    'cmd.hold': hold,
    'cmd.confirm': confirm,
    'cmd.cancel': cancel,
    'cmd.extend': extend,
    'cmd.consume': consume,
    'cmd.refund': refund,
    'cmd.recharge': credits.recharge,
    'cmd.reward': credits.reward,
    'cmd.reverse_recharge': credits.reverseRecharge,
    'cmd.adjust': credits.adjust,
    'cmd.freeze': credits.freeze,
    'cmd.unfreeze': credits.unfreeze,
    'cmd.grant_membership': credits.grantMembership,
    'cmd.revoke_membership': credits.revokeMembership,
    'cmd.list_price': (body, caller, deps) => changePriceList('list_price', body, caller, deps),
    'cmd.change_price': (body, caller, deps) => changePriceList('change_price', body, caller, deps),
    'cmd.retire_price': (body, caller, deps) => changePriceList('retire_price', body, caller, deps),
    'cmd.register_model': (body, caller, deps) => changeModel('register_model', body, caller, deps),
    'cmd.price_model': (body, caller, deps) => changeModel('price_model', body, caller, deps),
    'cmd.describe_model': (body, caller, deps) => changeModel('describe_model', body, caller, deps),
    'cmd.enable_model': (body, caller, deps) => changeModel('enable_model', body, caller, deps),
    'cmd.disable_model': (body, caller, deps) => changeModel('disable_model', body, caller, deps),
    'cmd.remove_model': (body, caller, deps) => changeModel('remove_model', body, caller, deps),
    'cmd.reload_config': reloadConfig,
    'qry.balance': (body, _, deps) => queries.balance(body, deps),
    'qry.hold': (body, { client }, deps) => holdQueries.hold(body, client, deps),
    'qry.quote': (body, _, deps) => queries.quote(body, deps),
    'qry.price': (body, _, deps) => queries.price(body, deps),
    'qry.command': (body, _, deps) => holdQueries.command(body, deps),
    'qry.health': health,
  };
}

/** A caller's clock may be ahead of ours by so much before its deadline counts. */
const DEADLINE_SKEW_MS = 2_000;
const DEADLINE_HEADER = 'Ledger-Deadline';
const CORRELATION_HEADER = 'Ledger-Correlation-Id';
const CORRELATION_ID = /^[\x21-\x7e]{1,128}$/;
/** A late answer to these would only start work that nobody waits for. */
const WITH_DEADLINE: ReadonlySet<Endpoint> = new Set(['cmd.hold', 'cmd.consume']);

export interface Answered {
  readonly endpoint: Endpoint;
  /** `ok`, `duplicate` or the error's code. */
  readonly outcome: string;
  readonly durationMs: number;
}

export interface LedgerEndpoint {
  readonly name: string;
  readonly endpoint: Endpoint;
  handle(request: NatsRequest): Promise<NatsAnswer>;
}

/** All endpoints, ready to be served: bytes in, bytes out. `onAnswer` sees every answer. */
export function createEndpoints(
  deps: LedgerDeps,
  health: () => Promise<Outcome>,
  onAnswer: (answered: Answered) => void,
): LedgerEndpoint[] {
  const byName = handlers(health);
  return ENDPOINTS.map((endpoint) => ({
    name: endpoint.replace('.', '-'),
    endpoint,
    handle: (request) => handle(endpoint, byName[endpoint], request, deps, onAnswer),
  }));
}

/** How a request came, beside its body. */
export interface Origin {
  readonly client: string;
  readonly header: (name: string) => string | null;
  /** See `Caller.receivedMs`. */
  readonly receivedMs: number | null;
}

async function handle<Name extends Endpoint>(
  endpoint: Name,
  handler: Handler<Name>,
  request: NatsRequest,
  deps: LedgerDeps,
  onAnswer: (answered: Answered) => void,
): Promise<NatsAnswer> {
  const startedMs = performance.now();
  const parsed = parseRequest(endpoint, request.data);
  const commandId = parsed.ok ? commandIdOf(parsed.value) : parsed.commandId;
  const outcome = parsed.ok
    ? await answer(endpoint, handler, parsed.value, request, deps)
    : refused('invalid_argument', { field: parsed.field }, `${parsed.field} ${parsed.message}`);
  onAnswer({ endpoint, outcome: nameOf(outcome), durationMs: performance.now() - startedMs });
  // A query asks about a command, it is none.
  return toAnswer(outcome, endpoint.startsWith('cmd.') ? commandId : undefined);
}

function answer<Name extends Endpoint>(
  endpoint: Name,
  handler: Handler<Name>,
  body: Request<Name>,
  request: NatsRequest,
  deps: LedgerDeps,
): Promise<Outcome> {
  const subject = parseSubject(request.subject);
  if (subject === null)
    return Promise.resolve(
      refused('invalid_argument', { field: 'subject' }, 'the client name is not one'),
    );
  const origin = { client: subject.client, header: request.header, receivedMs: null };
  return decideRequest(endpoint, handler, body, origin, deps);
}

/** What the handler says; operating failures come back as refusals. Throws only for a bug. */
export async function decideRequest<Name extends Endpoint>(
  endpoint: Name,
  handler: Handler<Name>,
  body: Request<Name>,
  { client, header, receivedMs }: Origin,
  deps: LedgerDeps,
): Promise<Outcome> {
  const late = WITH_DEADLINE.has(endpoint) ? judgeDeadline(header(DEADLINE_HEADER), deps) : null;
  if (late !== null) return late;
  const correlationId = header(CORRELATION_HEADER);
  if (correlationId !== null && !CORRELATION_ID.test(correlationId)) {
    return refused(
      'invalid_argument',
      { field: CORRELATION_HEADER },
      `${CORRELATION_HEADER} must be 1 to 128 printable ASCII characters`,
    );
  }
  try {
    return await handler(body, { client, correlationId, receivedMs }, deps);
  } catch (error) {
    return outcomeOfError(error, deps);
  }
}

/** Operating failures become refusals here and nowhere else; anything else is a bug and goes on up. */
function outcomeOfError(error: unknown, deps: LedgerDeps): Outcome {
  if (error instanceof LaneError) {
    if (error.cause !== undefined) deps.logger.warn({ err: error }, 'a command got no decision');
    return refused(error.trouble);
  }
  if (error instanceof OutcomeUnknownError) return refused('outcome_unknown');
  if (error instanceof NotAppendedError || error instanceof StoreUnavailableError) {
    deps.logger.warn({ err: error }, 'the event store cannot be used');
    return refused('store_unavailable');
  }
  if (error instanceof ReadTablesError) {
    deps.logger.warn({ err: error }, 'a forgotten id cannot be looked up');
    return refused('store_unavailable');
  }
  throw error;
}

function judgeDeadline(text: string | null, deps: LedgerDeps): Outcome | null {
  if (text === null) return null;
  if (!/^\d{1,15}$/.test(text)) {
    return refused(
      'invalid_argument',
      { field: DEADLINE_HEADER },
      `${DEADLINE_HEADER} must be milliseconds since 1970`,
    );
  }
  return Number(text) + DEADLINE_SKEW_MS < deps.clock.now() ? refused('deadline_exceeded') : null;
}

function commandIdOf(body: object): string | undefined {
  return 'command_id' in body && typeof body.command_id === 'string' ? body.command_id : undefined;
}

function nameOf(outcome: Outcome): string {
  if (!outcome.ok) return outcome.refusal.code;
  return outcome.duplicate === true ? 'duplicate' : 'ok';
}
