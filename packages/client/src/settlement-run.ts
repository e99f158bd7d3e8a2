import { queuedSubject, RESULT_STREAM, resultSubject } from '@points/contracts/ledger-subjects';
import type { Reply } from '@points/contracts/ledger-replies';
import { type Answer, toAnswer } from './answer.ts';
import { LedgerRefused, LedgerUnavailable } from './errors.ts';
import type { createLimit } from './limit.ts';
import type { ClientLog } from './log.ts';
import type { Link } from './nats-link.ts';
import type { Intent, OutboxRow } from './outbox.ts';
import { checkRequest, readReply, refusalOf, type Requests } from './requests.ts';
import { ASKING_AGAIN, type RetryPolicy, SETTLING } from './retry-policy.ts';
import { createAlarm } from './waiting.ts';

/** How a hold ended, or that it will. */
export type Settlement =
  | ({ readonly status: 'confirmed' } & Answer<'cmd.confirm'>)
  | ({ readonly status: 'canceled' } & Answer<'cmd.cancel'>)
  /** Not answered yet; it is in the outbox, and this process or the next one brings it to its end. */
  | { readonly status: 'queued'; readonly commandId: string }
  /** The ledger said no, and will say no again: see `onSettlementProblem`. */
  | { readonly status: 'refused'; readonly commandId: string; readonly refusal: LedgerRefused };

export type SettlingRow = Extract<OutboxRow, { stage: 'settling' }>;

/** One settlement on its way to an answer. */
export interface SettlementRun {
  readonly row: SettlingRow;
  readonly commandId: string;
  /** null until there is an answer. */
  settlement(): Settlement | null;
  /** Resolves with the answer, which may take days. */
  readonly answered: Promise<void>;
  /** Resolves when the ledger has been asked directly as often as makes sense. */
  readonly asked: Promise<void>;
  /** Resolves when the settlement would survive this process: the outbox has it, or NATS. */
  readonly safe: Promise<void>;
  isSafe(): boolean;
  /** The message with the result. */
  takeResult(body: Uint8Array): void;
  /** Tries again now. */
  hurry(): void;
}

export interface RunDeps {
  readonly requests: Requests;
  readonly link: Link;
  readonly client: string;
  readonly limit: ReturnType<typeof createLimit>;
  readonly log: ClientLog;
  readonly isStopped: () => boolean;
  readonly onAnswer: (run: SettlementRun, settlement: Settlement) => void;
}

/** For NATS to store a command, or to look for a result. */
const STORE_TIMEOUT_MS = 2_000;
/**
 * Between tries to store a command, and then between looks for its result, which usually has come as a message by then;
 * doubled each time.
 */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

/**
 * Brings a settlement to an answer. Nothing is sent before `written` has settled: the outbox comes first, and what it
 * could not take is sent all the same. `first` is `queue` when nobody answered a moment ago.
 */
export function runSettlement(
  row: SettlingRow,
  { first, written }: { first: 'ask' | 'queue'; written: Promise<void> },
  deps: RunDeps,
): SettlementRun {
  const { requests, link, client, limit, log, isStopped } = deps;
  const { hold, intent } = row;
  const { verb, command } = intent;
  const commandId = command.command_id;
  const alarm = createAlarm();
  const answered = createMark();
  const safe = createMark();
  let settlement: Settlement | null = null;

  function finish(answer: Settlement): void {
    if (settlement !== null) return;
    settlement = answer;
    deps.onAnswer(run, answer);
    answered.set();
    alarm.ring();
  }

  /** The identical command: the ledger does it, or answers what it answered to it before. */
  async function ask(policy: RetryPolicy): Promise<void> {
    try {
      const request = checkRequest(`cmd.${verb}`, command);
      finish(settlementOf(verb, await limit(() => requests.ask(`cmd.${verb}`, request, policy))));
    } catch (error) {
      if (error instanceof LedgerRefused) finish({ status: 'refused', commandId, refusal: error });
      else if (!(error instanceof LedgerUnavailable))
        log.error({ hold, err: error }, 'a settlement could not be sent');
    }
  }

  async function store(): Promise<boolean> {
    try {
      const body = Buffer.from(JSON.stringify(command));
      const options = { messageId: commandId, timeoutMs: STORE_TIMEOUT_MS };
      await limit(() => link.publishStored(queuedSubject(client, verb), body, options));
    } catch (error) {
      log.warn({ hold, err: error }, 'NATS has not stored a settlement yet');
      return false;
    }
    safe.set();
    return true;
  }

  /** The message with the result may have come while nobody listened. */
  async function lookUp(): Promise<void> {
    try {
      const subject = resultSubject(client, commandId);
      const body = await limit(() => link.lastStored(RESULT_STREAM, subject, STORE_TIMEOUT_MS));
      if (body !== null) takeResult(body);
    } catch (error) {
      log.warn({ hold, err: error }, 'the result of a settlement cannot be looked up');
    }
  }

  function takeResult(body: Uint8Array): void {
    try {
      const reply = readReply(`cmd.${verb}`, body);
      if (reply.ok) return finish(settlementOf(verb, reply));
      const refusal = refusalOf(reply.error, commandId);
      if (refusal instanceof LedgerRefused) finish({ status: 'refused', commandId, refusal });
    } catch (error) {
      log.error({ hold, err: error }, 'the result of a settlement cannot be read');
    }
  }

  async function askFirst(): Promise<void> {
    await written.then(safe.set, (error: unknown) =>
      log.error({ hold, err: error }, 'a settlement could not be written down'),
    );
    if (first === 'ask') await ask(SETTLING);
  }

  /** Stores the command until NATS has it, then waits for its answer, and asks when none comes. */
  async function bringToItsEnd(): Promise<void> {
    let stored = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      if (settlement !== null || isStopped()) return;
      if (link.isConnected() && stored) {
        await lookUp();
        if (settlement === null) await ask(ASKING_AGAIN);
      } else if (link.isConnected() && (await store())) {
        stored = true;
        pauseMs = FIRST_PAUSE_MS;
      }
      if (settlement !== null || isStopped()) return;
      await alarm.wait(pauseMs);
    }
  }

  const asked = askFirst();
  void asked.then(bringToItsEnd);
  const run: SettlementRun = {
    row,
    commandId,
    settlement: () => settlement,
    answered: answered.reached,
    asked,
    safe: safe.reached,
    isSafe: safe.isSet,
    takeResult,
    hurry: alarm.ring,
  };
  return run;
}

function settlementOf(verb: Intent['verb'], reply: Reply & { ok: true }): Settlement {
  const status = verb === 'confirm' ? 'confirmed' : 'canceled';
  // The reply was read as the answer to that verb.
  return { status, ...toAnswer(reply) } as Settlement;
}

/** Something that happens once and can be waited for. */
function createMark() {
  let isSet = false;
  let reach = (): void => {};
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return {
    reached,
    isSet: () => isSet,
    set: (): void => {
      isSet = true;
      reach();
    },
  };
}
