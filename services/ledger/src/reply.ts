import { LEDGER_ERRORS, type LedgerErrorCode } from '@points/contracts/errors';
import { ERROR_CODE_HEADER, ERROR_HEADER } from '@points/contracts/ledger';
import type { Failure, Result, Success } from '@points/contracts/ledger-replies';
import type { Refusal } from '@points/domain/account/commands';
import type { NatsAnswer } from '@points/runtime/nats-service';

/** What an endpoint came to: the reply without what its envelope adds. */
export type Outcome =
  | ({ readonly ok: true; readonly result: Result; readonly atMs: number } & Standing)
  | { readonly ok: false; readonly refusal: LedgerRefusal };

/** Where the answer stands in the log. */
export interface Standing {
  /** Only of commands: whether this is the first answer again. */
  readonly duplicate?: boolean;
  readonly position?: bigint | null;
  /** Only of requests to an account. */
  readonly account?: AccountNumbers;
}

export interface AccountNumbers {
  readonly balance: number;
  readonly held: number;
  readonly available: number;
  readonly revision: number;
}

export interface LedgerRefusal {
  readonly code: LedgerErrorCode;
  /** What is wrong, after the code's own text. */
  readonly problem?: string;
  readonly details?: Refusal['details'];
}

/** When trying again makes sense, by error. */
const RETRY_AFTER_MS: Partial<Record<LedgerErrorCode, number>> = {
  contention: 50,
  overloaded: 200,
  outcome_unknown: 200,
  store_unavailable: 500,
};

/** The bytes and headers of a reply. `commandId` is set for commands, and for what could be read of a bad one. */
export function toAnswer(outcome: Outcome, commandId: string | undefined): NatsAnswer {
  return outcome.ok
    ? { data: encode(success(outcome, commandId)) }
    : failureAnswer(outcome.refusal, commandId);
}

function success(outcome: Outcome & { ok: true }, commandId: string | undefined): Success {
  const { result, duplicate, account, position } = outcome;
  return {
    ok: true,
    ...(commandId === undefined || duplicate === undefined
      ? {}
      : { command_id: commandId, duplicate }),
    result,
    ...(account === undefined
      ? {}
      : {
          balance: { balance: account.balance, held: account.held, available: account.available },
          account_revision: account.revision,
        }),
    ...(position == null ? {} : { position: position.toString() }),
    at: new Date(outcome.atMs).toISOString(),
  };
}

function failureAnswer(refusal: LedgerRefusal, commandId: string | undefined): NatsAnswer {
  const { number, status, retryable, applied, en } = LEDGER_ERRORS[refusal.code];
  const retryAfterMs = RETRY_AFTER_MS[refusal.code];
  const message = refusal.problem === undefined ? en : `${en}: ${refusal.problem}`;
  const failure: Failure = {
    ok: false,
    ...(commandId === undefined ? {} : { command_id: commandId }),
    error: {
      code: refusal.code,
      number,
      status,
      message,
      retryable,
      ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
      applied,
      ...(refusal.details === undefined ? {} : { details: refusal.details }),
    },
  };
  // Headers are ASCII lines; names of fields are, the rest of a problem may not be.
  return {
    data: encode(failure),
    headers: { [ERROR_CODE_HEADER]: String(status), [ERROR_HEADER]: en },
  };
}

export function refused(
  code: LedgerErrorCode,
  details?: LedgerRefusal['details'],
  problem?: string,
): Outcome {
  return {
    ok: false,
    refusal: {
      code,
      ...(details === undefined ? {} : { details }),
      ...(problem === undefined ? {} : { problem }),
    },
  };
}

function encode(body: Success | Failure): Uint8Array {
  return Buffer.from(JSON.stringify(body));
}
