import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { openSession, READ_SCHEMA } from '@points/read-model/database';
import type { Session } from '@points/read-model/database';
import { migrate, migrateApp } from '@points/read-model/migrate';
import type { Log } from '@points/runtime/log';
import { REAL_TIMERS } from '@points/event-store/timers';
import { applyBatch } from './apply.ts';
import { createBackoff, pause } from './backoff.ts';
import { readCheckpoint, tryLock } from './checkpoint.ts';
import type { InboxLimits } from './inbox.ts';
import { projectLog } from './projector.ts';
import type { Tables } from './projector.ts';
import { createStatus } from './status.ts';
import type { ProjectorStatus } from './status.ts';
import { lookUpByKey } from './table-rows.ts';

const LIMITS: InboxLimits = { batchEvents: 2_048, waitingEvents: 8_192, lingerMs: 20 };
const BACKOFF = { firstMs: 100, maxMs: 10_000 };
/** How often a second projector asks whether the first one is gone. */
const STANDBY_POLL_MS = 500;
/** A batch takes milliseconds; this is for a server in trouble. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** How long `stop` waits for the batch in hand. */
const STOP_TIMEOUT_MS = 3_000;

export interface ProjectorDeps {
  /** Stays the caller's: it is not closed by `stop`. */
  readonly eventLog: EventLog;
  readonly databaseUrl: string;
  readonly log: Log;
  /** Is told of every change; must not throw. */
  readonly onStatus?: (status: ProjectorStatus) => void;
  readonly limits?: Partial<InboxLimits>;
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number };
}

export interface Projector {
  status(): ProjectorStatus;
  /** Resolves when `ready` is true for the first time. */
  readonly firstReady: Promise<void>;
  /** Ends after the batch in hand, at the latest after 5 s. */
  stop(): Promise<void>;
}

/**
 * Starts to project the log into the read tables and goes on for ever. Nothing that happens ends it: what can pass by
 * itself (servers away, connections cut) is tried again; before what cannot (an event that this version cannot apply,
 * another event store, a newer database) it stops, says so in `status`, and tries again so that it goes on once that
 * is mended.
 */
export function startProjector(deps: ProjectorDeps): Promise<Projector> {
  const { log } = deps;
  const stopping = new AbortController();
  const { progress, status, firstReady, standby, stopped } = createStatus(deps.onStatus);
  const backoff = createBackoff(deps.backoff ?? BACKOFF, REAL_TIMERS);
  let current: Session | null = null;

  const runOnce = async (): Promise<void> => {
    const session = await openSession({
      url: deps.databaseUrl,
      applicationName: 'projector',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    current = session;
    try {
      const signal = AbortSignal.any([stopping.signal, session.ended]);
      await becomeActive(session, signal, standby);
      const limits = { ...LIMITS, ...deps.limits };
      const tables: Tables = {
        checkpoint: () => readCheckpoint(session.db),
        apply: (expected, batch) => applyBatch({ db: session.db, announce: true }, expected, batch),
      };
      const timers = REAL_TIMERS;
      await projectLog({ ...deps, tables, limits, backoff, timers, progress, signal });
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
        log.error({ err: error }, 'projector waits and tries again');
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
  return Promise.resolve({ status, firstReady, stop });
}

/** Brings the tables up to date and waits until no other projector is active. */
async function becomeActive(
  { db }: Session,
  signal: AbortSignal,
  standby: () => void,
): Promise<void> {
  await migrate(db, READ_SCHEMA);
  await migrateApp(db);
  await lookUpByKey(db);
  while (!signal.aborted && !(await tryLock(db, LOCKS.active))) {
    standby();
    await pause(STANDBY_POLL_MS, signal, REAL_TIMERS);
  }
}
