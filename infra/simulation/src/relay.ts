import { createBackoff } from '@points/projector/backoff';
import type { Mark } from '@points/projector/relay/place';
import { relayLog } from '@points/projector/relay/relay';
import {
  type InMemoryFactStream,
  createInMemoryFactStream,
} from '@points/projector/relay/testing/in-memory-fact-stream';
import { createLog } from '@points/runtime/log';
import type { Faults } from './faults.ts';
import type { Process } from './process.ts';
import { SILENT } from './projector.ts';
import type { Random } from './random.ts';
import type { Store } from './store.ts';

const LIMITS = { batchEvents: 8, waitingEvents: 24, lingerMs: 20 };
const BACKOFF = { firstMs: 100, maxMs: 2_000 };
/** Few, so that marks are used. */
const MARK_EVERY_FACTS = 20;
const LATE_MAX_MS = 5_000;

/** The stream of facts, and the relays' last mark. */
export interface Facts {
  readonly stream: InMemoryFactStream;
  mark: Mark | null;
}

export function createFacts(): Facts {
  return { stream: createInMemoryFactStream(), mark: null };
}

/** One life of a relay. No lock keeps a second one away: the stream itself must. */
export function startRelay(deps: {
  readonly process: Process;
  readonly store: Store;
  readonly facts: Facts;
  readonly faults: Faults;
  readonly random: Random;
  readonly onFatal: (error: unknown) => void;
}): void {
  const { process, store, facts, faults, random } = deps;
  const { stream } = facts;
  // It is never stopped, only killed.
  const { signal } = new AbortController();
  relayLog({
    eventLog: store.connect(process),
    stream: {
      last: () => process.call('last fact', () => stream.last()),
      publish: (batch, expected) =>
        process.call(`publish ${batch.length} after ${expected}`, () => {
          if (faults.strikes('publish cut')) {
            const kept = random.integer(0, batch.length);
            stream.faults.failNextPublish({ kind: random.pick(['cut', 'late']), kept });
            process.timers.after(random.integer(1, LATE_MAX_MS), stream.faults.deliverLate);
          }
          return stream.publish(batch, expected);
        }),
    },
    marks: {
      read: () => process.call('mark', () => facts.mark),
      write: (mark) =>
        process.call(`mark ${mark.sequence}`, () => {
          facts.mark = mark;
        }),
    },
    markEveryFacts: MARK_EVERY_FACTS,
    log: createLog('relay', 'silent'),
    limits: LIMITS,
    backoff: createBackoff(BACKOFF, process.timers),
    timers: process.timers,
    progress: SILENT,
    signal,
  }).catch(deps.onFatal);
}

/** What may go wrong with the stream of facts itself. */
export function troubleFacts({ stream }: Facts, faults: Faults, random: Random): void {
  if (faults.strikes('old facts expire')) stream.faults.expire(random.integer(1, 50));
  if (faults.strikes('ids of facts forgotten')) stream.faults.forgetIds();
  if (faults.strikes('last facts lost')) stream.faults.losePower(random.integer(1, 3));
}
