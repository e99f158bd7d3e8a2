import { setTimeout as sleep } from 'node:timers/promises';
import {
  TablesReplacedError,
  atOnePosition,
  compareAccounts,
  tablesInUse,
} from '@points/audit/compare-accounts';
import { collectDifferences } from '@points/audit/compare-rows';
import { accountEventsUpTo } from '@points/audit/pinned-log';
import { isId } from '@points/contracts/text';
import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { type Session, openSession } from '@points/read-model/database';
import type { Log } from '@points/runtime/log';
import type { ReadTables } from '@points/read-model/tables';
import { type Transaction, sql } from 'kysely';
import { tryLock } from './checkpoint.ts';
import { nextAccounts, readState, writeRound } from './reconcile-tables.ts';
import type { AccountLook, AccountSkip, NextAccounts, ReconcileState } from './reconcile-tables.ts';

/** Accounts of one round, beside those that are known to differ. */
const ROUND_ACCOUNTS = 100;
/** Differing accounts that are looked at again in one round, those first that wait longest. */
const ROUND_DRIFTED_ACCOUNTS = 50;
/** A round takes no further account when it has so many events. */
const ROUND_EVENTS = 50_000;
/** An account of more events is left out: its rows, some 3.4 KB an event, are in memory all at once. */
const ACCOUNT_EVENTS = 50_000;
/** Accounts that could not be compared after which a round ends: each may have cost a statement's whole time. */
const ROUND_FAILURES = 10;
/** Differences that are kept of one account. */
const ACCOUNT_DIFFERENCES = 20;
const STATEMENT_TIMEOUT_MS = 30_000;

export interface ReconcileDeps {
  readonly eventLog: Pick<EventLog, 'readStream' | 'readLastPosition'>;
  readonly databaseUrl: string;
  readonly log: Log;
  /** Time between rounds. */
  readonly everyMs: number;
  /** An account of more events is left out, and told as such; default 50,000. */
  readonly accountEvents?: number;
  /** Is told after each round, also of one that another process made. */
  readonly onRound?: (state: ReconcileState, done: RoundDone) => void;
}

/** What this process did in a round. */
export interface RoundDone {
  /** Accounts that were compared. */
  readonly accounts: number;
  /** Accounts that could not be compared. */
  readonly failures: number;
}

export interface Reconcile {
  /**
   * One round now; gives back what the tables say after it. Throws pg's errors, `StoreUnavailableError`,
   * `TablesReplacedError`, and what each of ten accounts failed with when none could be compared; nothing is written then.
   * What fails of single accounts alone is told and written down, and they are looked at when their turn comes again.
   */
  reconcileOnce(): Promise<ReconcileState>;
  /** What the last round told; null before the first. */
  state(): ReconcileState | null;
  stop(): Promise<void>;
}

/**
 * Compares the read tables with the log, some accounts at a time and for ever: those first that are known to differ, then
 * the next ones in the order of their ids, and from the beginning again. The tables of one moment are compared with the
 * events up to the position of that same moment, so an account that moves meanwhile is no false alarm. It mends nothing:
 * what differs is told, and a rebuild makes it right. One process does so at a time.
 */
export function startReconcile(deps: ReconcileDeps): Reconcile {
  const stopping = new AbortController();
  let current: Session | null = null;
  let state: ReconcileState | null = null;

  async function reconcileOnce(): Promise<ReconcileState> {
    const session = await openSession({
      url: deps.databaseUrl,
      applicationName: 'reconcile',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    current = session;
    try {
      const done = (await tryLock(session.db, LOCKS.reconcile))
        ? await round(deps, session)
        : NOTHING_DONE;
      state = await readState(session.db);
      deps.onRound?.(state, done);
      return state;
    } finally {
      current = null;
      await session.close();
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(deps.everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        await reconcileOnce();
      } catch (error) {
        if (!stopping.signal.aborted)
          deps.log.warn(
            { err: error },
            'the comparison with the log was cut short; the next goes on',
          );
      }
    }
  }

  const running = run();
  return {
    reconcileOnce,
    state: () => state,
    async stop() {
      stopping.abort();
      await current?.close();
      await running;
    },
  };
}

const NOTHING_DONE: RoundDone = { accounts: 0, failures: 0 };

async function round(deps: ReconcileDeps, { db }: Session): Promise<RoundDone> {
  const compared = await atOnePosition(db, async (snapshot, position) => {
    if (position === null) return null;
    const next = await nextAccounts(snapshot, {
      accounts: ROUND_ACCOUNTS,
      drifted: ROUND_DRIFTED_ACCOUNTS,
      events: ROUND_EVENTS,
    });
    const found = await lookAt(deps, snapshot, next, position);
    return { ...found, tables: await tablesInUse(snapshot) };
  });
  if (compared === null) return NOTHING_DONE;
  const { looks, skips, errors, tables } = compared;
  await db.transaction().execute(async (transaction) => {
    // Held to the end: no rebuild puts other tables in the place of those that this is said of.
    const [system, purpose] = LOCKS.swap;
    await sql`select pg_advisory_xact_lock_shared(${system}, ${purpose})`.execute(transaction);
    if ((await tablesInUse(transaction)) !== tables) throw new TablesReplacedError();
    await writeRound(transaction, compared, new Date());
  });
  for (const { accountId, differences, wrongLog } of looks)
    if (differences.length > 0 || wrongLog !== null)
      deps.log.error({ accountId, differences, wrongLog }, 'the read tables differ from the log');
  for (const { accountId, reason, message } of skips)
    deps.log.warn(
      { accountId, reason, err: errors.get(accountId) },
      `not compared with the log: ${message}`,
    );
  return { accounts: looks.length, failures: errors.size };
}

interface Found {
  readonly lastAccountId: string;
  readonly looks: readonly AccountLook[];
  readonly skips: readonly AccountSkip[];
  /** What went wrong with those accounts that could not be compared. */
  readonly errors: ReadonlyMap<string, unknown>;
}

/** One account after the other: the rows of one at a time are in memory, and the failure of one is known to be its own. */
async function lookAt(
  deps: ReconcileDeps,
  snapshot: Transaction<ReadTables>,
  next: NextAccounts,
  position: bigint,
): Promise<Found> {
  const looks: AccountLook[] = [];
  const skips: AccountSkip[] = [];
  const errors = new Map<string, unknown>();
  const found = { looks, skips, errors };
  for (const [place, accountId] of next.accountIds.entries()) {
    await sql`savepoint account`.execute(snapshot);
    try {
      const look = await lookAtAccount(deps, snapshot, accountId, position);
      if ('reason' in look) skips.push(look);
      else looks.push(look);
    } catch (error) {
      // Both throw when it is not the account but the database, or the store, that fails.
      await sql`rollback to savepoint account`.execute(snapshot);
      await deps.eventLog.readLastPosition();
      errors.set(accountId, error);
      const message = error instanceof Error ? error.message : String(error);
      skips.push({ accountId, reason: 'failed', message });
      if (errors.size === ROUND_FAILURES) {
        if (looks.length === 0) throw error;
        return { ...found, lastAccountId: place < next.drifted ? next.afterAccountId : accountId };
      }
    }
    await sql`release savepoint account`.execute(snapshot);
  }
  return { ...found, lastAccountId: next.lastAccountId };
}

async function lookAtAccount(
  { eventLog, accountEvents = ACCOUNT_EVENTS }: ReconcileDeps,
  snapshot: Transaction<ReadTables>,
  accountId: string,
  position: bigint,
): Promise<AccountLook | AccountSkip> {
  if (await hasMoreEvents(eventLog, accountId, accountEvents, position)) {
    const message = `it has more than ${accountEvents} events; npm run audit -- compare --account ${accountId} compares it`;
    return { accountId, reason: 'too_many_events', message };
  }
  const differences = collectDifferences(ACCOUNT_DIFFERENCES);
  const [folded] = await compareAccounts(eventLog, snapshot, [accountId], {
    pin: position,
    differencesOf: () => differences,
  });
  if (folded === undefined) throw new Error(`${accountId} was not compared`);
  return {
    accountId,
    revision: folded.events - 1,
    position,
    differences: differences.first,
    wrongLog: folded.finding?.message ?? null,
  };
}

/** Asks the log: rows, of which one says how many events there are, may be wrong. */
async function hasMoreEvents(
  eventLog: ReconcileDeps['eventLog'],
  accountId: string,
  fromRevision: number,
  pin: bigint,
): Promise<boolean> {
  if (!isId(accountId)) return false;
  const beyond = accountEventsUpTo(eventLog, accountId, { pin, fromRevision });
  for await (const _ of beyond) return true;
  return false;
}
