import type { Request } from '@points/contracts/ledger-requests';
import type { Answer } from './answer.ts';
import { camelized, toWire } from './camel-case.ts';
import { OutboxError } from './errors.ts';
import type { HoldFields } from './fields.ts';
import type { HoldBook } from './hold-book.ts';
import { keepAlive } from './keep-alive.ts';
import type { ClientLog } from './log.ts';
import { knownHold } from './outbox.ts';
import { checkRequest } from './requests.ts';
import type { Settlement } from './settlement-run.ts';
import type { Settlements } from './settlements.ts';
import { actualFields, estimateFields, type Use } from './use.ts';
import { uuidV7 } from './uuid-v7.ts';

/** The hold's own fields, with one way to say how much is thought to be needed. */
export type WithHoldOptions = Omit<HoldFields, 'amount' | 'quantity' | 'estimatedDuration'> & {
  /** Absent: one unit. With `points` the caller sets the price itself. */
  readonly estimate?: Use;
  /** Aborted: the work is told to end, and the hold is canceled when it has. */
  readonly signal?: AbortSignal;
};

/** What the work gets to know. */
export interface OpenHold {
  readonly holdId: string;
  readonly recordId: number;
  readonly taskNo: string;
  /** Points reserved. */
  readonly amount: number;
  readonly chargeMode: Answer<'cmd.hold'>['result']['chargeMode'];
  readonly price: Answer<'cmd.hold'>['result']['price'];
  /** The account after the hold. */
  readonly balance: Answer<'cmd.hold'>['balance'];
  /**
   * Aborted when the caller aborts, and when the ledger says that the hold is gone (its reason is then the
   * LedgerRefused). Give it to whatever the work calls.
   */
  readonly signal: AbortSignal;
  /**
   * What was used until now; the last word counts. Never called: the held points are charged. Throws LedgerRefused
   * `invalid_argument`.
   */
  used(use: Use): void;
}

export interface Held<Result> {
  readonly result: Result;
  readonly settlement: Settlement | Unsaved;
}

/**
 * The work is done, but its charge is safe nowhere: the outbox cannot be written and NATS cannot be reached, or the
 * client was closed before the work ended. In the first case it is tried on while this process lives; in the second the
 * next process asks `onOrphan`.
 */
export interface Unsaved {
  readonly status: 'unsaved';
  readonly error: OutboxError;
}

export interface WithHoldDeps {
  readonly book: HoldBook;
  readonly settlements: Settlements;
  readonly placeHold: (request: Request<'cmd.hold'>) => Promise<Answer<'cmd.hold'>>;
  readonly extend: (
    hold: { accountId: string; holdId: string },
    ttlMs: number,
  ) => Promise<Answer<'cmd.extend'>>;
  readonly log: ClientLog;
}

/** The sync tries of a confirm take up to 7 s; nobody waits longer for it. */
const CONFIRM_WAIT_MS = 8_000;
/** The caller's own error is waiting to be told. */
const CANCEL_WAIT_MS = 2_000;

/** See `withHold` of the client. */
export async function withHold<Result>(
  options: WithHoldOptions,
  work: (hold: OpenHold) => Promise<Result> | Result,
  deps: WithHoldDeps,
): Promise<Held<Result>> {
  const { estimate, signal, ...fields } = options;
  const { book, settlements, log } = deps;
  const request = checkRequest('cmd.hold', {
    command_id: uuidV7(),
    hold_id: uuidV7(),
    ...toWire(fields),
    ...(estimate === undefined ? {} : estimateFields(estimate)),
  });
  signal?.throwIfAborted();
  const asked = knownHold.parse(camelized(request));
  await book.open(asked);
  const granted = await deps.placeHold(request).catch((error: unknown) => {
    book.forget(asked);
    throw error;
  });
  const hold = knownHold.parse({ ...asked, ...granted.result });

  const cancel = async (reason: 'failed' | 'client_abort'): Promise<void> => {
    try {
      await settlements.settle(
        hold,
        'cancel',
        { reason },
        { waitMs: CANCEL_WAIT_MS, first: 'ask' },
      );
    } catch (error) {
      log.error({ hold, err: error }, 'a hold could not be canceled; it will expire');
    }
  };
  try {
    await book.granted(hold);
    signal?.throwIfAborted();
  } catch (error) {
    await cancel(signal?.aborted === true ? 'client_abort' : 'failed');
    throw error;
  }

  const lost = new AbortController();
  const { accountId } = hold;
  const { holdId } = granted.result;
  const stopExtending = keepAlive({
    holdId,
    lifeMs: Date.parse(granted.result.expiresAt) - Date.parse(granted.at),
    ...(request.ttl_ms === undefined ? {} : { ttlMs: request.ttl_ms }),
    extend: (ttlMs) => deps.extend({ accountId, holdId }, ttlMs),
    onLost: (refusal) => {
      log.error({ hold, err: refusal }, 'the hold is gone; the work is told to end');
      lost.abort(refusal);
    },
    log,
  });
  let actual: ReturnType<typeof actualFields> | Record<string, never> = {};
  const open: OpenHold = {
    ...granted.result,
    balance: granted.balance,
    signal: signal === undefined ? lost.signal : AbortSignal.any([signal, lost.signal]),
    used(use) {
      const fields = actualFields(use);
      checkRequest('cmd.confirm', {
        command_id: uuidV7(),
        account_id: accountId,
        hold_id: holdId,
        ...fields,
      });
      actual = fields;
    },
  };
  let result: Result;
  try {
    result = await work(open);
  } catch (error) {
    stopExtending();
    await cancel(signal?.aborted === true ? 'client_abort' : 'failed');
    throw error;
  }
  stopExtending();
  try {
    // Nothing may come between the end of the work and this: from here on the outbox knows.
    const how = { waitMs: CONFIRM_WAIT_MS, first: 'ask' } as const;
    return { result, settlement: await settlements.settle(hold, 'confirm', actual, how) };
  } catch (error) {
    if (!(error instanceof OutboxError)) throw error;
    log.error({ hold, actual, err: error }, 'the charge for work that is done is not safe');
    return { result, settlement: { status: 'unsaved', error } };
  }
}
