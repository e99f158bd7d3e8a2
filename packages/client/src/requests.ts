import { setTimeout as sleep } from 'node:timers/promises';
import { LEDGER_ERRORS } from '@points/contracts/errors';
import { firstProblem } from '@points/contracts/first-problem';
import { subjectOf } from '@points/contracts/ledger';
import { type Endpoint, type Request, REQUESTS } from '@points/contracts/ledger-requests';
import {
  type Failure,
  type Reply,
  replySchema,
  type Success,
} from '@points/contracts/ledger-replies';
import { LedgerRefused, LedgerUnavailable } from './errors.ts';
import type { Link } from './nats-link.ts';
import { pauseBeforeRetry, type RetryPolicy } from './retry-policy.ts';

export interface Requests {
  /**
   * Asks the ledger, again with the identical request while that can help. Throws LedgerRefused when it says no, and
   * LedgerUnavailable when no answer was to be had; its `applied` is `unknown` as soon as one of the tries may have
   * been carried out.
   */
  ask<Name extends Endpoint>(
    endpoint: Name,
    request: Request<Name>,
    policy: RetryPolicy,
  ): Promise<Success<Name>>;
}

/** Requests under way at the same time, over all callers of one client. */
const MAX_IN_FLIGHT = 256;
/** Epoch ms after which the ledger must not begin any more: nobody will wait for it. */
const DEADLINE_HEADER = 'Ledger-Deadline';
const WITH_DEADLINE: ReadonlySet<Endpoint> = new Set(['cmd.hold', 'cmd.consume']);

export function createRequests(deps: { link: Link; client: string }): Requests {
  const { link, client } = deps;
  let inFlight = 0;

  async function tryOnce<Name extends Endpoint>(
    endpoint: Name,
    request: Request<Name>,
    options: { timeoutMs: number; headers: Record<string, string> },
  ): Promise<Success<Name>> {
    if (inFlight >= MAX_IN_FLIGHT) {
      throw new LedgerUnavailable(
        'too_many_requests',
        `${MAX_IN_FLIGHT} requests to the ledger are under way already`,
        { applied: 'no' },
      );
    }
    inFlight += 1;
    try {
      const body = Buffer.from(JSON.stringify(request));
      const reply = readReply(
        endpoint,
        await link.request(subjectOf(endpoint, client), body, options),
      );
      if (reply.ok) return reply;
      throw refusalOf(reply.error, commandIdOf(request));
    } finally {
      inFlight -= 1;
    }
  }

  return {
    async ask(endpoint, request, policy) {
      const startedMs = Date.now();
      const headers: Record<string, string> = WITH_DEADLINE.has(endpoint)
        ? { [DEADLINE_HEADER]: String(startedMs + policy.totalMs) }
        : {};
      let applied: 'no' | 'unknown' = 'no';
      for (let tries = 1; ; tries += 1) {
        const leftMs = policy.totalMs - (Date.now() - startedMs);
        try {
          const timeoutMs = Math.max(1, Math.min(policy.tryTimeoutMs, leftMs));
          return await tryOnce(endpoint, request, { timeoutMs, headers });
        } catch (error) {
          if (!(error instanceof LedgerUnavailable)) throw error;
          if (error.applied === 'unknown') applied = 'unknown';
          const pauseMs = pauseBeforeRetry(policy, error, {
            tries,
            elapsedMs: Date.now() - startedMs,
            chance: Math.random(),
          });
          if (pauseMs === null) throw givenUp(endpoint, error, { tries, applied, request });
          await sleep(pauseMs);
        }
      }
    },
  };
}

/** A request from a caller's fields. Throws LedgerRefused `invalid_argument`, as the ledger would, without asking it. */
export function checkRequest<Name extends Endpoint>(
  endpoint: Name,
  fields: Record<string, unknown>,
): Request<Name> {
  const parsed = REQUESTS[endpoint].safeParse(fields);
  // The schema of this endpoint has just passed on the value.
  if (parsed.success) return parsed.data as Request<Name>;
  const { field, message } = firstProblem(parsed.error, 'body');
  const { number, status, en } = LEDGER_ERRORS.invalid_argument;
  throw new LedgerRefused(
    {
      code: 'invalid_argument',
      number,
      status,
      message: `${en}: ${field} ${message}`,
      retryable: false,
      applied: 'no',
      details: { field },
    },
    null,
  );
}

/** What a message says as the reply to `endpoint`. Throws LedgerUnavailable `bad_reply`. */
export function readReply<Name extends Endpoint>(endpoint: Name, bytes: Uint8Array): Reply<Name> {
  const parsed = schemaOf(endpoint).safeParse(parseJson(bytes));
  // The schema of this endpoint has just passed on the value.
  if (parsed.success) return parsed.data as Reply<Name>;
  const { field, message } = firstProblem(parsed.error, 'reply');
  throw new LedgerUnavailable(
    'bad_reply',
    `the reply to ${endpoint} is none: ${field} ${message}`,
    {
      applied: 'unknown',
      cause: parsed.error,
    },
  );
}

/** That the ledger has trouble of its own is an error of another kind than its no. */
export function refusalOf(
  refusal: Failure['error'],
  commandId: string | null,
): LedgerRefused | LedgerUnavailable {
  const refused = new LedgerRefused(refusal, commandId);
  if (!refusal.retryable) return refused;
  return new LedgerUnavailable('ledger_unavailable', refused.message, {
    applied: refusal.applied,
    commandId,
    retryAfterMs: refusal.retry_after_ms ?? 0,
    cause: refused,
  });
}

const schemas = new Map<Endpoint, ReturnType<typeof replySchema>>();

function schemaOf(endpoint: Endpoint) {
  let schema = schemas.get(endpoint);
  if (schema === undefined) schemas.set(endpoint, (schema = replySchema(endpoint)));
  return schema;
}

function givenUp(
  endpoint: Endpoint,
  last: LedgerUnavailable,
  facts: { tries: number; applied: 'no' | 'unknown'; request: object },
): LedgerUnavailable {
  const { tries, applied, request } = facts;
  const outcome = applied === 'no' ? 'nothing was done' : 'whether it was done is not known';
  const count = tries === 1 ? '' : `after ${tries} tries, `;
  return new LedgerUnavailable(
    last.reason,
    `${endpoint} got no answer: ${count}${last.message}; ${outcome}`,
    { applied, commandId: commandIdOf(request), retryAfterMs: last.retryAfterMs, cause: last },
  );
}

function commandIdOf(request: object): string | null {
  return 'command_id' in request && typeof request.command_id === 'string'
    ? request.command_id
    : null;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
