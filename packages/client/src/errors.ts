import type { Failure } from '@points/contracts/ledger-replies';

/**
 * The ledger said no, and the same request again would hear the same. Thrown, not returned: a refusal that is
 * overlooked must not let the work begin. `code`, `number`, `status` and `details` are those of docs/errors.md; keys
 * of `details` stay as they are on the wire.
 */
export class LedgerRefused extends Error {
  override name = 'LedgerRefused';
  readonly code: string;
  readonly number: number;
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;
  /** The command that was refused; null for queries. */
  readonly commandId: string | null;

  constructor(refusal: Failure['error'], commandId: string | null) {
    const { details = {} } = refusal;
    const numbers = Object.entries(details).map(([key, value]) => `${key} ${String(value)}`);
    super(
      `${refusal.code}: ${refusal.message}${numbers.length === 0 ? '' : ` (${numbers.join(', ')})`}`,
    );
    this.code = refusal.code;
    this.number = refusal.number;
    this.status = refusal.status;
    this.details = details;
    this.commandId = commandId;
  }
}

export type UnavailableReason =
  /** No link to NATS at this moment. Nothing was sent. */
  | 'not_connected'
  /** NATS is there, the ledger is not. */
  | 'no_responders'
  /** The NATS server does not let this client do it. */
  | 'not_permitted'
  /** NATS cannot carry it, such as a message that is too large. */
  | 'not_sent'
  /** Nobody answered in time. */
  | 'timeout'
  /** The link was lost while waiting. */
  | 'disconnected'
  /** An answer came that is none. */
  | 'bad_reply'
  /** This process has too many requests under way already. Nothing was sent. */
  | 'too_many_requests'
  /** The ledger answers, but cannot do it now; `cause` says why. */
  | 'ledger_unavailable'
  /** close() was called. Nothing was sent. */
  | 'closed';

/** No answer was to be had within the bounds of the retries. */
export class LedgerUnavailable extends Error {
  override name = 'LedgerUnavailable';
  readonly reason: UnavailableReason;
  /** `unknown`: the ledger may have done it; the same ids again give the first answer. */
  readonly applied: 'no' | 'unknown';
  /** The command that got no answer; null for queries. */
  readonly commandId: string | null;
  /** Trying again makes no sense before. */
  readonly retryAfterMs: number;

  constructor(
    reason: UnavailableReason,
    message: string,
    more: {
      applied: 'no' | 'unknown';
      commandId?: string | null;
      retryAfterMs?: number;
      cause?: unknown;
    },
  ) {
    super(message, { cause: more.cause });
    this.reason = reason;
    this.applied = more.applied;
    this.retryAfterMs = more.retryAfterMs ?? 0;
    this.commandId = more.commandId ?? null;
  }
}

/** The outbox cannot promise what it is there for, so nothing was begun that would need it. */
export class OutboxError extends Error {
  override name = 'OutboxError';
  readonly code:
    /** Another living process uses the same folder. */
    | 'in_use'
    /** The file was changed by something else than a crash. */
    | 'damaged'
    /** The disk does not take it. */
    | 'not_written'
    /** So many holds are open or being settled that no more can be remembered. */
    | 'full'
    /** This hold is already being settled, in another way. */
    | 'settling'
    /** This process works with that hold already. */
    | 'known'
    | 'closed';

  constructor(code: OutboxError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
