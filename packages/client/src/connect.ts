import path from 'node:path';
import { isId } from '@points/contracts/text';
import type { Endpoint } from '@points/contracts/ledger-requests';
import { type Answer, toAnswer } from './answer.ts';
import { camelized, toWire } from './camel-case.ts';
import { LedgerUnavailable } from './errors.ts';
import type * as Fields from './fields.ts';
import { openFileOutbox } from './file-outbox.ts';
import { createHoldBook } from './hold-book.ts';
import { type ClientLog, stderrLog } from './log.ts';
import { connectLink } from './nats-link.ts';
import {
  type KnownHold,
  knownHold,
  type Outbox,
  type OutboxRow,
  type SettlementProblem,
} from './outbox.ts';
import { placeHold } from './place-hold.ts';
import { checkRequest, createRequests } from './requests.ts';
import { WAITING } from './retry-policy.ts';
import type { Settlement } from './settlement-run.ts';
import { createSettlements } from './settlements.ts';
import { decideOrphans, type OrphanDecision } from './orphans.ts';
import { uuidV7 } from './uuid-v7.ts';
import { type Held, type OpenHold, withHold, type WithHoldOptions } from './with-hold.ts';

export interface ConnectOptions {
  /** nats://host:port, or several with commas between. */
  readonly servers: string;
  /** The name that the NATS server's permissions give this service; 1 to 64 of A–Z a–z 0–9 _ -. */
  readonly client: string;
  readonly credentials: { readonly user: string; readonly pass: string };
  /**
   * Where settlements are kept until they are answered: a folder that outlives the process and that no other process
   * uses at the same time, or an outbox of your own. Default: the folder `.ledger-outbox/<client>` where the process
   * was started.
   */
  readonly outbox?: { readonly dir: string } | Outbox;
  /**
   * Decides on each hold whose work an earlier process began and nobody knows to have ended. Default: it is left to
   * expire, which costs the user nothing.
   */
  readonly onOrphan?: (hold: KnownHold) => OrphanDecision | Promise<OrphanDecision>;
  /** Told of each confirm or cancel that the ledger refused for good; `problems()` keeps them. */
  readonly onSettlementProblem?: (problem: SettlementProblem) => void;
  /** Default: warnings and errors on standard error. A pino logger fits. */
  readonly log?: ClientLog;
  /** true (default): wait for a NATS server that is not there yet. false: throw LedgerUnavailable at once. */
  readonly waitForServer?: boolean;
  /** Holds that are open or being settled at the same time; one more is refused. Default 10,000. */
  readonly maxHolds?: number;
}

/**
 * The ledger, as an AI service sees it. Fields are the wire's in camelCase, with the same bounds. Every method throws
 * LedgerRefused when the ledger says no and LedgerUnavailable when there is no answer to be had; see errors.ts.
 */
export interface LedgerClient {
  /**
   * Work that costs points: holds them, runs `work`, extends the hold while it runs, and confirms what `hold.used` was
   * told (the held points if nothing). When `work` throws, the hold is canceled and the error is thrown on. Without a
   * hold `work` is not called. Once `work` has returned, its use is charged, whatever crashes.
   */
  withHold<Result>(
    options: WithHoldOptions,
    work: (hold: OpenHold) => Promise<Result> | Result,
  ): Promise<Held<Result>>;

  /** Whether the account can afford it now, and what it would cost. Holds nothing. */
  quote(fields: Fields.QuoteFields): Promise<Answer<'qry.quote'>>;
  price(fields: Fields.PricingFields): Promise<Answer<'qry.price'>>;
  balance(fields: Fields.BalanceFields): Promise<Answer<'qry.balance'>>;
  holdState(fields: Fields.HoldStateFields): Promise<Answer<'qry.hold'>>;
  /** The first answer to a command of this account; throws LedgerRefused `command_unknown`. */
  command(fields: Fields.CommandFields): Promise<Answer<'qry.command'>>;

  /**
   * For work that outlives the process: you keep its ids and settle it. The outbox does not keep it, so a process that
   * ends before it has the answer must cancel the hold by its ids, or let it expire. Only when the outcome is unknown
   * is a cancel of it put into the outbox, before this throws.
   */
  hold(fields: Fields.HoldFields): Promise<Answer<'cmd.hold'>>;
  extend(fields: Fields.ExtendFields): Promise<Answer<'cmd.extend'>>;
  /** Through the outbox: `confirmed`, or `queued` when the ledger does not answer now. */
  confirm(fields: Fields.ConfirmFields): Promise<Accepted>;
  /** The same. Throws OutboxError `settling` when the hold is being confirmed. */
  cancel(fields: Fields.CancelFields): Promise<Accepted>;
  /** Hold and confirm at once. Not stored anywhere: when it is unknown whether it was done, send the same ids again. */
  consume(fields: Fields.ConsumeFields): Promise<Answer<'cmd.consume'>>;

  isConnected(): boolean;
  /** What the outbox holds: open holds, settlements under way, and refused ones. */
  outbox(): OutboxRow[];
  problems(): SettlementProblem[];
  /** Forgets a refused settlement by its `key`. */
  dismiss(key: string): boolean;
  /**
   * Takes no more work, waits until everything is settled, at most so long (default 10,000), and disconnects. What is
   * left is returned; it stays in the outbox for the next process.
   */
  close(timeoutMs?: number): Promise<OutboxRow[]>;
}

/** What is refused or not safe is thrown. */
type Accepted = Exclude<Settlement, { status: 'refused' }>;

const DEFAULT_MAX_HOLDS = 10_000;
const DEFAULT_CLOSE_TIMEOUT_MS = 10_000;
const DEFAULT_OUTBOX = '.ledger-outbox';
/** A settlement of the caller's own: the sync tries take up to 7 s. */
const SETTLE_WAIT_MS = 8_000;

/**
 * Opens the outbox, connects, and goes on with what an earlier process left. Throws OutboxError, LedgerUnavailable
 * `not_permitted` for wrong credentials, and RangeError for a client name that is none.
 */
export async function connect(options: ConnectOptions): Promise<LedgerClient> {
  const { client, log = stderrLog, waitForServer = true } = options;
  if (!isId(client)) throw new RangeError(`not a client name: ${JSON.stringify(client)}`);
  const outbox = outboxOf(options, log);
  const left = await outbox.load();
  const link = await connectLink({ ...options, waitForServer, log }).catch(
    async (error: unknown) => {
      await outbox.close();
      throw error;
    },
  );
  const requests = createRequests({ link, client });
  const book = createHoldBook({ outbox, log, maxHolds: options.maxHolds ?? DEFAULT_MAX_HOLDS });
  const settlements = createSettlements({
    book,
    requests,
    link,
    client,
    log,
    onProblem: options.onSettlementProblem ?? (() => {}),
  });
  /** Set by close(). */
  let closing: Promise<OutboxRow[]> | null = null;

  async function ask<Name extends Endpoint>(endpoint: Name, fields: object): Promise<Answer<Name>> {
    refuseWhenClosed();
    return send(endpoint, fields);
  }

  /** Also for work that is still running when close() was called. */
  async function send<Name extends Endpoint>(
    endpoint: Name,
    fields: object,
  ): Promise<Answer<Name>> {
    const request = checkRequest(endpoint, toWire(fields));
    return toAnswer(await requests.ask(endpoint, request, WAITING));
  }

  async function settle(
    verb: 'confirm' | 'cancel',
    fields: Fields.ConfirmFields | Fields.CancelFields,
  ) {
    refuseWhenClosed();
    const request = checkRequest(`cmd.${verb}`, toWire({ commandId: uuidV7(), ...fields }));
    const { account_id: _, hold_id: _hold, record_id: _record, ...more } = request;
    const hold = knownHold.parse(camelized(request));
    const how = { waitMs: SETTLE_WAIT_MS, first: 'ask' } as const;
    const settlement = await settlements.settle(hold, verb, more, how);
    if (settlement.status === 'refused') throw settlement.refusal;
    return settlement;
  }

  function refuseWhenClosed(): void {
    if (closing !== null)
      throw new LedgerUnavailable('closed', 'this client is closed', { applied: 'no' });
  }

  const orphans = settlements.recover(left);
  void decideOrphans(orphans, {
    book,
    settlements,
    log,
    onOrphan: options.onOrphan ?? (() => 'leave'),
  });

  return {
    async withHold(holdOptions, work) {
      refuseWhenClosed();
      return withHold(holdOptions, work, {
        book,
        settlements,
        log,
        placeHold: (request) => placeHold(request, { requests, settlements, log }),
        extend: (hold, ttlMs) => send('cmd.extend', { commandId: uuidV7(), ...hold, ttlMs }),
      });
    },
    quote: (fields) => ask('qry.quote', fields),
    price: (fields) => ask('qry.price', fields),
    balance: (fields) => ask('qry.balance', fields),
    holdState: (fields) => ask('qry.hold', fields),
    command: (fields) => ask('qry.command', fields),
    async hold(fields) {
      refuseWhenClosed();
      const ids = { commandId: uuidV7(), holdId: uuidV7() };
      const request = checkRequest('cmd.hold', toWire({ ...ids, ...fields }));
      return placeHold(request, { requests, settlements, log });
    },
    extend: (fields) => ask('cmd.extend', { commandId: uuidV7(), ...fields }),
    confirm: (fields) => settle('confirm', fields),
    cancel: (fields) => settle('cancel', fields),
    consume: (fields) => ask('cmd.consume', { commandId: uuidV7(), ...fields }),
    isConnected: link.isConnected,
    outbox: book.rows,
    problems: () => book.rows().filter((row) => row.stage === 'refused'),
    dismiss(key) {
      const isProblem = book.rows().some((row) => row.key === key && row.stage === 'refused');
      if (isProblem) book.remove(key);
      return isProblem;
    },
    close: (timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS) => (closing ??= close(timeoutMs)),
  };

  async function close(timeoutMs: number): Promise<OutboxRow[]> {
    await book.allSettled(timeoutMs);
    const rest = book.rows().filter(({ stage }) => stage !== 'refused');
    if (rest.length > 0) log.warn({ left: rest.length }, 'closing with holds that are not settled');
    settlements.stop();
    await link.close();
    await outbox.close();
    return rest;
  }
}

function outboxOf({ outbox, client }: ConnectOptions, log: ClientLog): Outbox {
  if (outbox !== undefined && 'load' in outbox) return outbox;
  const dir = path.resolve(outbox?.dir ?? path.join(DEFAULT_OUTBOX, client));
  return openFileOutbox({ dir, log });
}
