import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { READ_SCHEMA } from '@points/read-model/database';
import { migrate, migrateApp } from '@points/read-model/migrate';
import { applyBatch } from './apply.ts';
import { readCheckpoint } from './checkpoint.ts';
import { startFollower } from './follower.ts';
import type { Follower, FollowerSettings } from './follower.ts';
import type { InboxLimits } from './inbox.ts';
import { projectLog } from './projector.ts';
import type { Tables } from './projector.ts';
import { lookUpByKey } from './table-rows.ts';

const LIMITS: InboxLimits = { batchEvents: 2_048, waitingEvents: 8_192, lingerMs: 20 };

export interface ProjectorDeps extends FollowerSettings {
  /** Stays the caller's: it is not closed by `stop`. */
  readonly eventLog: EventLog;
  readonly limits?: Partial<InboxLimits>;
}

/**
 * Starts to project the log into the read tables and goes on for ever. Nothing that happens ends it: what can pass by
 * itself (servers away, connections cut) is tried again; before what cannot (an event that this version cannot apply,
 * another event store, a newer database) it stops, says so in `status`, and tries again so that it goes on once that
 * is mended. One projector is active at a time.
 */
export function startProjector(deps: ProjectorDeps): Follower {
  const limits = { ...LIMITS, ...deps.limits };
  return startFollower({
    ...deps,
    name: 'projector',
    lock: LOCKS.active,
    async prepare({ db }) {
      await migrate(db, READ_SCHEMA);
      await migrateApp(db);
      await lookUpByKey(db);
    },
    work({ db }, given) {
      const tables: Tables = {
        checkpoint: () => readCheckpoint(db),
        apply: (expected, batch) => applyBatch({ db, announce: true }, expected, batch),
      };
      return projectLog({ ...deps, ...given, tables, limits });
    },
  });
}
