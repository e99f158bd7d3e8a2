import { setTimeout as sleep } from 'node:timers/promises';
import { accountStream } from '@points/contracts/streams';
import { decide } from '@points/domain/account/decide';
import { LaneError } from '@points/event-store/lanes';
import { LOCKS } from '@points/read-model/coordination';
import type { Session } from '@points/read-model/database';
import { sql } from 'kysely';
import { toDraft } from './account-fold.ts';
import { mintCommandId } from './ids.ts';
import { type LedgerDeps, limitsOf } from './ledger-deps.ts';
import { NO_REQUEST } from './request-hash.ts';

/** Accounts looked at in one round; what is left comes with the next. */
const ROUND_ACCOUNTS_MAX = 1_000;
const PARALLEL_ACCOUNTS = 16;

export interface Sweeper {
  /** One round now; how many events it appended, or null when another sweeper holds the lock. */
  sweepOnce(): Promise<number | null>;
  stop(): Promise<void>;
}

/**
 * Expires due batches and cancels overdue holds of accounts that nobody touches. Candidates come from the read tables,
 * which may be behind or wrong; each is decided again on its own stream, so a wrong candidate does nothing.
 */
export function startSweeper(deps: {
  readonly ledger: LedgerDeps;
  readonly everyMs: number;
  /** False while this process must not expire anything (its clock is wrong). */
  readonly mayExpire: () => boolean;
  readonly openSession: () => Promise<Session>;
}): Sweeper {
  const { ledger } = deps;
  const stopping = new AbortController();

  async function sweepOnce(): Promise<number | null> {
    if (!deps.mayExpire()) return 0;
    const session = await deps.openSession();
    const [system, purpose] = LOCKS.sweeper;
    try {
      const lock = await sql<{
        locked: boolean;
      }>`select pg_try_advisory_lock(${system}, ${purpose}) as locked`.execute(session.db);
      if (lock.rows[0]?.locked !== true) return null;
      const accounts = await candidates(session, ledger);
      let appended = 0;
      const workers = Array.from({ length: PARALLEL_ACCOUNTS }, async () => {
        for (
          let account = accounts.pop();
          account !== undefined && !stopping.signal.aborted;
          account = accounts.pop()
        ) {
          const count = await expireAccount(account, ledger);
          appended += count;
        }
      });
      await Promise.all(workers);
      return appended;
    } finally {
      await session.close();
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(deps.everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        const appended = await sweepOnce();
        if (appended !== null && appended > 0) ledger.logger.info({ appended }, 'swept');
      } catch (error) {
        ledger.logger.warn({ err: error }, 'the sweep was cut short; the next one goes on');
      }
    }
  }

  const running = run();
  return {
    sweepOnce,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function candidates(session: Session, ledger: LedgerDeps): Promise<string[]> {
  const nowMs = ledger.clock.now();
  const watermarkMs = ledger.watermarkMs();
  const due = await session.db
    .selectFrom('point_batches')
    .select('user_id')
    .where('expires_at', '<=', new Date(nowMs))
    .whereRef('remaining', '>', 'held')
    .orderBy('expires_at')
    .limit(ROUND_ACCOUNTS_MAX)
    .execute();
  if (watermarkMs === null) return distinct(due);
  const overdue = await session.db
    .selectFrom('point_holds')
    .select('user_id')
    .where('status', '=', 'pending')
    .where('expires_at', '<=', new Date(Math.min(nowMs, watermarkMs) - ledger.holdGraceMs))
    .orderBy('expires_at')
    .limit(ROUND_ACCOUNTS_MAX)
    .execute();
  return distinct([...due, ...overdue]);
}

function distinct(rows: readonly { readonly user_id: string }[]): string[] {
  return [...new Set(rows.map((row) => row.user_id))];
}

/** Decides ExpireDue until it finds nothing more: one decision takes a bounded number. */
export async function expireAccount(accountId: string, ledger: LedgerDeps): Promise<number> {
  let appended = 0;
  for (;;) {
    const count = await expireSome(accountId, ledger);
    appended += count;
    if (count === 0) return appended;
  }
}

async function expireSome(accountId: string, ledger: LedgerDeps): Promise<number> {
  const nowMs = ledger.clock.now();
  const context = {
    commandId: mintCommandId(nowMs, ledger.timers),
    requestHash: NO_REQUEST,
    client: 'ledger',
    admin: true,
    nowMs,
    receivedMs: nowMs,
    watermarkMs: ledger.watermarkMs(),
    limits: limitsOf(ledger),
  };
  try {
    return await ledger.lanes.submit(accountStream(accountId), context.commandId, (account) => {
      const decision = decide({ kind: 'ExpireDue', context }, account);
      if (decision.outcome !== 'accepted' || decision.events.length === 0) {
        return { kind: 'answer', needsTail: false, answer: () => 0 };
      }
      const cause = {
        commandName: 'expire_due',
        actorType: 'system' as const,
        actorId: 'ledger',
        correlationId: context.commandId,
      };
      return {
        kind: 'append',
        drafts: decision.events.map((event) => toDraft(event, cause)),
        state: decision.account,
        answer: () => decision.events.length,
      };
    });
  } catch (error) {
    if (!(error instanceof LaneError)) throw error;
    ledger.logger.warn({ err: error, accountId }, 'an account was not swept');
    return 0;
  }
}
