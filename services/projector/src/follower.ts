import { REAL_TIMERS } from '@points/event-store/timers';
import { openSession } from '@points/read-model/database';
import type { Session } from '@points/read-model/database';
import type { Log } from '@points/runtime/log';
import { createBackoff, pause } from './backoff.ts';
import { tryLock } from './checkpoint.ts';
import type { FollowLogDeps } from './follow-log.ts';
import { createStatus } from './status.ts';
import type { FollowerStatus } from './status.ts';

const BACKOFF = { firstMs: 100, maxMs: 10_000 };
/** How often one that stands by asks whether the active one is gone. */
const STANDBY_POLL_MS = 500;
/** A batch takes milliseconds; this is for a server in trouble. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** How long `stop` waits for the batch in hand. */
const STOP_TIMEOUT_MS = 3_000;

/** What callers of every follower may choose. */
export interface FollowerSettings {
  readonly databaseUrl: string;
  readonly log: Log;
  /** Is told of every change; must not throw. */
  readonly onStatus?: (status: FollowerStatus) => void;
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
}

export interface FollowerDeps extends FollowerSettings {
  /** In `pg_stat_activity` and in the log. */
  readonly name: string;
  /** One of its holders is active, the others stand by. */
  readonly lock: readonly [number, number];
  /**
   * Makes the database ready; with the lock, so that no version changes tables under another one that is active, and
   * none that stood by goes on with tables that are newer than it knows.
   */
  readonly prepare: (session: Session) => Promise<void>;
  /** Works until the signal is aborted, which it is when the session is lost; throws when it cannot go on. */
  readonly work: (
    session: Session,
    given: Pick<FollowLogDeps, 'backoff' | 'timers' | 'progress' | 'signal'>,
  ) => Promise<void>;
}

/** A loop that follows the log. */
export interface Follower {
  status(): FollowerStatus;
  /** Resolves when `ready` is true for the first time. */
  readonly firstReady: Promise<void>;
  /** Ends after the batch in hand. At the latest after 5 s; the relay after 8 s, when NATS is connected but frozen. */
  stop(): Promise<void>;
}

/**
 * Does `work` for ever, on a PostgreSQL session that holds `lock`. Nothing that happens ends it: after an error it says
 * so in `status`, waits, and begins anew with a new session, so that it goes on once the cause is mended.
 */
export function startFollower(deps: FollowerDeps): Follower {
  const { log, name } = deps;
  const stopping = new AbortController();
  const { progress, status, firstReady, standby, stopped } = createStatus(deps.onStatus);
  const backoff = createBackoff(deps.backoff ?? BACKOFF, REAL_TIMERS);
  let current: Session | null = null;

  const runOnce = async (): Promise<void> => {
    const session = await openSession({
      url: deps.databaseUrl,
      applicationName: name,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    current = session;
    try {
      const signal = AbortSignal.any([stopping.signal, session.ended]);
      while (!signal.aborted && !(await tryLock(session.db, deps.lock))) {
        standby();
        await pause(STANDBY_POLL_MS, signal, REAL_TIMERS);
      }
      if (!signal.aborted) await deps.prepare(session);
      await deps.work(session, { backoff, timers: REAL_TIMERS, progress, signal });
      if (session.ended.aborted) throw new Error('the connection to PostgreSQL was lost');
    } finally {
      current = null;
      await session.close();
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await runOnce();
      } catch (error) {
        if (stopping.signal.aborted) break;
        progress.failed(error);
        log.error({ err: error }, `${name} waits and tries again`);
      }
      await backoff.wait(stopping.signal);
    }
    stopped();
  };
  const running = run();

  const stop = async (): Promise<void> => {
    stopping.abort();
    const ended = new AbortController();
    const late = pause(STOP_TIMEOUT_MS, ended.signal, REAL_TIMERS).then(() => current?.close());
    await running;
    ended.abort();
    await late;
  };
  return { status, firstReady, stop };
}
