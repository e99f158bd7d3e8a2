import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { migrateApp } from '@points/read-model/migrate';
import { connectNats } from '@points/runtime/nats';
import { startFollower } from '../follower.ts';
import type { Follower, FollowerSettings } from '../follower.ts';
import type { InboxLimits } from '../inbox.ts';
import { createJetStreamFactStream } from './jetstream-fact-stream.ts';
import { createPostgresMarks } from './postgres-marks.ts';
import { relayLog } from './relay.ts';

/** A fact does not wait for company: what comes while others are under way leaves together anyway. */
const LIMITS: InboxLimits = { batchEvents: 2_048, waitingEvents: 8_192, lingerMs: 0 };

export interface RelaySettings extends FollowerSettings {
  /** Stays the caller's: it is not closed by `stop`. */
  readonly eventLog: EventLog;
  /** Who the relay is on NATS. */
  readonly nats: { readonly url: string; readonly user: string; readonly pass: string };
  readonly limits?: Partial<InboxLimits>;
  readonly markEveryFacts?: number;
}

/**
 * Starts to publish the events of all accounts as facts and goes on for ever, beside the projector and without regard
 * to it. Nothing that happens ends it: what can pass by itself (servers away, connections cut) is tried again; before
 * what cannot (another event store, an event that cannot be published, wrong credentials) it stops, says so in
 * `status`, and tries again. One relay is active at a time; if two ever are, nothing is published twice (`relayLog`).
 */
export function startRelay(settings: RelaySettings): Follower {
  const { log } = settings;
  return startFollower({
    ...settings,
    name: 'relay',
    lock: LOCKS.relay,
    prepare: ({ db }) => migrateApp(db),
    async work({ db }, given) {
      const nats = await connectNats({
        ...settings.nats,
        name: 'relay',
        log,
        waitForServer: false,
      });
      const lost = new AbortController();
      void nats.closed.then(() => lost.abort());
      try {
        await relayLog({
          ...settings,
          ...given,
          signal: AbortSignal.any([given.signal, lost.signal]),
          stream: createJetStreamFactStream(nats),
          marks: createPostgresMarks(db),
          limits: { ...LIMITS, ...settings.limits },
        });
        if (lost.signal.aborted) throw new Error('the connection to NATS was lost');
      } finally {
        await nats.close();
      }
    },
  });
}
