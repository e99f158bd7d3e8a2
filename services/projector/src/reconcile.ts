import { setTimeout as sleep } from 'node:timers/promises';
import {
  TablesReplacedError,
  atOnePosition,
  compareAccounts,
  tablesInUse,
} from '@points/audit/compare-accounts';
import { type Differences, collectDifferences } from '@points/audit/compare-rows';
import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { type Session, openSession } from '@points/read-model/database';
import type { Log } from '@points/runtime/log';
import type { ReadTables } from '@points/read-model/tables';
import { type Transaction, sql } from 'kysely';
import { tryLock } from './checkpoint.ts';
import { nextAccounts, readState, writeRound } from './reconcile-tables.ts';
import type { AccountLook, ReconcileState } from './reconcile-tables.ts';

/** Accounts of one round, beside those that are known to differ. */
const ROUND_ACCOUNTS = 100;
/** Differing accounts that are looked at again in one round, those first that wait longest. */
const ROUND_DRIFTED_ACCOUNTS = 50;
/** A round takes no further account when it has so many events; a larger account is alone. */
const ROUND_EVENTS = 50_000;
/** Differences that are kept of one account. */
const ACCOUNT_DIFFERENCES = 20;
const STATEMENT_TIMEOUT_MS = 30_000;

export interface ReconcileDeps {
  readonly eventLog: Pick<EventLog, 'readStream'>;
  readonly databaseUrl: string;
  readonly log: Log;
  /** Time between rounds. */
  readonly everyMs: number;
  /** Is told after each round, also of one that another process made; `accounts` = looked at by this one. */
  readonly onRound?: (state: ReconcileState, accounts: number) => void;
}

export interface Reconcile {
  /**
   * One round now; gives back what the tables say after it. Throws pg's errors, `StoreUnavailableError` and
   * `TablesReplacedError`; nothing is written then.
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
      const accounts = (await tryLock(session.db, LOCKS.reconcile))
        ? await round(deps, session)
        : 0;
      state = await readState(session.db);
      deps.onRound?.(state, accounts);
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

/** Returns how many accounts were looked at. */
async function round(deps: ReconcileDeps, { db }: Session): Promise<number> {
  const compared = await atOnePosition(db, async (snapshot, position) => {
    if (position === null) return null;
    const next = await nextAccounts(snapshot, {
      accounts: ROUND_ACCOUNTS,
      drifted: ROUND_DRIFTED_ACCOUNTS,
      events: ROUND_EVENTS,
    });
    const looks = await lookAt(deps, snapshot, next.accountIds, position);
    return { next, looks, tables: await tablesInUse(snapshot) };
  });
  if (compared === null) return 0;
  const { next, looks, tables } = compared;
  await db.transaction().execute(async (transaction) => {
    // Held to the end: no rebuild puts other tables in the place of those that this is said of.
    const [system, purpose] = LOCKS.swap;
    await sql`select pg_advisory_xact_lock_shared(${system}, ${purpose})`.execute(transaction);
    if ((await tablesInUse(transaction)) !== tables) throw new TablesReplacedError();
    await writeRound(transaction, next, looks, new Date());
  });
  for (const { accountId, differences, wrongLog } of looks)
    if (differences.length > 0 || wrongLog !== null)
      deps.log.error({ accountId, differences, wrongLog }, 'the read tables differ from the log');
  return looks.length;
}

async function lookAt(
  { eventLog }: ReconcileDeps,
  snapshot: Transaction<ReadTables>,
  accountIds: readonly string[],
  position: bigint,
): Promise<AccountLook[]> {
  const differences = new Map(
    accountIds.map((accountId) => [accountId, collectDifferences(ACCOUNT_DIFFERENCES)]),
  );
  const differencesOf = (accountId: string): Differences => {
    const own = differences.get(accountId);
    if (own === undefined) throw new Error(`${accountId} was not asked for`);
    return own;
  };
  const folded = await compareAccounts(eventLog, snapshot, accountIds, {
    pin: position,
    differencesOf,
  });
  return folded.map(({ accountId, events, finding }) => ({
    accountId,
    revision: events - 1,
    position,
    differences: differencesOf(accountId).first,
    wrongLog: finding?.message ?? null,
  }));
}
