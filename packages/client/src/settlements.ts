import { parseResultSubject, resultPattern } from '@points/contracts/ledger-subjects';
import { OutboxError } from './errors.ts';
import { type HoldBook, isoNow, keyOf } from './hold-book.ts';
import { createLimit } from './limit.ts';
import type { ClientLog } from './log.ts';
import type { Link } from './nats-link.ts';
import type { Intent, KnownHold, OutboxRow, SettlementProblem } from './outbox.ts';
import { checkRequest, type Requests } from './requests.ts';
import {
  runSettlement,
  type Settlement,
  type SettlementRun,
  type SettlingRow,
} from './settlement-run.ts';
import { uuidV7 } from './uuid-v7.ts';
import { settledWithin } from './waiting.ts';

export interface Settlements {
  /**
   * Confirms or cancels, exactly one of them: writes down what is meant before it is sent, asks the ledger, and when
   * that gets no answer stores the command in NATS until the ledger has answered it. Resolves with the answer, or with
   * `queued` after `waitMs` at most; never before the outbox or NATS has it. Throws LedgerRefused for fields that
   * cannot be sent, and OutboxError.
   */
  settle(hold: KnownHold, verb: Intent['verb'], fields: object, how: How): Promise<Settlement>;
  /** Goes on with what an earlier process left; the holds that nobody has decided on are returned. */
  recover(rows: readonly OutboxRow[]): KnownHold[];
  stop(): void;
}

export interface How {
  readonly waitMs: number;
  /** `queue` when nobody answered a moment ago. */
  readonly first: 'ask' | 'queue';
}

/** Settlements that wait for an answer at the same time; the others wait for their turn. */
const MAX_ASKING = 64;
/** For a caller whose outbox could not be written, until NATS has the command instead. */
const SAFE_WAIT_MS = 4_000;

export function createSettlements(deps: {
  book: HoldBook;
  requests: Requests;
  link: Link;
  client: string;
  log: ClientLog;
  onProblem: (problem: SettlementProblem) => void;
}): Settlements {
  const { book, link, client, log } = deps;
  const runs = new Map<string, SettlementRun>();
  const limit = createLimit(MAX_ASKING);
  let stopped = false;

  link.subscribe(resultPattern(client), (subject, body) => {
    runs.get(parseResultSubject(subject)?.commandId ?? '')?.takeResult(body);
  });
  link.onReconnect(hurryAll);

  // Up to the row's being written nothing may wait: a process that is killed must not lose what was decided.
  async function settle(
    hold: KnownHold,
    verb: Intent['verb'],
    fields: object,
    how: How,
  ): Promise<Settlement> {
    const key = keyOf(hold);
    const known = book.get(hold);
    if (known?.stage === 'settling') throw alreadySettling(known);
    if (stopped) throw closedBefore(key);
    if (known === undefined) book.refuseWhenFull();
    const command = checkRequest(`cmd.${verb}`, {
      command_id: uuidV7(),
      account_id: hold.accountId,
      ...(hold.holdId === undefined ? { record_id: hold.recordId } : { hold_id: hold.holdId }),
      ...fields,
    });
    const row: SettlingRow = {
      key,
      stage: 'settling',
      since: isoNow(),
      hold: { ...known?.hold, ...hold },
      intent: { verb, command },
    };
    return outcomeOf(start(row, how.first, book.put(row)), how.waitMs);
  }

  function start(row: SettlingRow, first: How['first'], written: Promise<void>): SettlementRun {
    const run = runSettlement(
      row,
      { first, written },
      { ...deps, limit, isStopped: () => stopped, onAnswer },
    );
    runs.set(run.commandId, run);
    return run;
  }

  function onAnswer({ row, commandId }: SettlementRun, settlement: Settlement): void {
    runs.delete(commandId);
    if (settlement.status !== 'refused') return book.remove(row.key);
    const { key, hold, intent } = row;
    const { code, number, status, message, details } = settlement.refusal;
    log.error({ hold, verb: intent.verb }, `a settlement was refused: ${message}`);
    const problem: SettlementProblem = {
      key,
      stage: 'refused',
      since: isoNow(),
      hold,
      intent,
      refusal: { code, number, status, message, retryable: false, applied: 'no', details },
    };
    book.keepProblem(problem);
    try {
      deps.onProblem(problem);
    } catch (error) {
      log.error({ hold, err: error }, 'onSettlementProblem failed');
    }
  }

  function hurryAll(): void {
    for (const run of runs.values()) run.hurry();
  }

  function cancelRequested(hold: KnownHold): void {
    // The work cannot have begun: it begins once the hold is granted and that is written down.
    log.info({ hold }, 'canceling a hold that was asked for when the process ended');
    settle(hold, 'cancel', { reason: 'failed' }, { waitMs: 0, first: 'ask' }).catch(
      (error: unknown) => log.error({ hold, err: error }, 'it cannot be canceled'),
    );
  }

  return {
    settle,
    recover(left) {
      book.adopt(left);
      const orphans: KnownHold[] = [];
      for (const row of left) {
        if (row.stage === 'settling') void start(row, 'ask', Promise.resolve());
        else if (row.stage === 'held') orphans.push(row.hold);
        else if (row.stage === 'requested') cancelRequested(row.hold);
      }
      return orphans;
    },
    stop() {
      stopped = true;
      hurryAll();
    },
  };
}

async function outcomeOf(run: SettlementRun, waitMs: number): Promise<Settlement> {
  await settledWithin(Promise.race([run.answered, run.asked]), waitMs);
  if (!run.isSafe()) await settledWithin(Promise.race([run.answered, run.safe]), SAFE_WAIT_MS);
  const settlement = run.settlement();
  if (settlement !== null) return settlement;
  if (run.isSafe()) return { status: 'queued', commandId: run.commandId };
  throw new OutboxError(
    'not_written',
    'neither the outbox nor NATS has this settlement; it is tried on while this process lives',
  );
}

function alreadySettling({ key, intent }: SettlingRow): OutboxError {
  return new OutboxError(
    'settling',
    `hold ${key} is being settled already, by ${intent.verb} ${intent.command.command_id}`,
  );
}

function closedBefore(key: string): OutboxError {
  return new OutboxError(
    'closed',
    `the client was closed before hold ${key} was settled; the next process finds it in the outbox`,
  );
}
