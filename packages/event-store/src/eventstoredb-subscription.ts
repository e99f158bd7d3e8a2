import { START, streamNameFilter } from '@eventstore/db-client';
import type { AllStreamResolvedEvent } from '@eventstore/db-client';
import type { Connection } from './eventstoredb-connection.ts';
import { describeError } from './eventstoredb-errors.ts';
import { toStoredEvent } from './eventstoredb-event.ts';
import { guardPrefixes } from './eventstoredb-guards.ts';
import { pullFrom } from './eventstoredb-pull.ts';
import { SubscriptionEndedError } from './event-log.ts';
import type { LiveEvent, SubscribeAllOptions } from './event-log.ts';

/**
 * One live subscription to the whole log, filtered by the server. It never resubscribes: every end, also the server's
 * silent one (status OK), is a `SubscriptionEndedError`, and the caller goes on from the last position it has seen.
 *
 * Order: the client reports checkpoints and "caught up" by callback as they arrive, while events wait in its buffer
 * until they are pulled. A checkpoint that overtook an event would, once stored, lose that event at the next start. So
 * each notice is queued with the number of events that must have been pulled before it.
 *
 * A dead link is noticed by keepalive (see `eventstoredb-connection.ts`): a quiet log sends nothing at all, so silence
 * alone proves nothing.
 */
export async function* subscribeToLog(
  connection: Connection,
  { afterPosition, streamPrefixes, signal }: SubscribeAllOptions,
  subscribeTimeoutMs: number,
): AsyncGenerator<LiveEvent, void> {
  guardPrefixes(streamPrefixes);
  if (signal.aborted) return;
  const notices: Notice[] = [];
  let pulled = 0;
  let confirmed = false;
  const source = connection.client.subscribeToAll({
    fromPosition:
      afterPosition === null ? START : { commit: afterPosition, prepare: afterPosition },
    filter: streamNameFilter({
      prefixes: [...streamPrefixes],
      checkpointInterval: 1,
      // A throw in here would stall the subscription for ever: nothing in it can fail.
      async checkpointReached(_subscription, position) {
        notice({ kind: 'checkpoint', position: position.commit });
      },
    }),
  });
  const pull = pullFrom<AllStreamResolvedEvent>(source);
  source.on('caughtUp', () => notice({ kind: 'caught_up' }));
  source.once('confirmation', () => {
    confirmed = true;
    pull.wake();
  });

  /** At most one notice of each kind per event in the buffer, so the queue is as bounded as the buffer is. */
  function notice(event: Notice['event']): void {
    const afterPulled = pulled + source.readableLength;
    const last = notices.at(-1);
    if (last?.afterPulled === afterPulled && last.event.kind === event.kind) notices.pop();
    notices.push({ afterPulled, event });
    pull.wake();
  }

  try {
    let position = afterPosition ?? -1n;
    for (;;) {
      if (signal.aborted) return;
      const [due] = notices;
      if (due !== undefined && due.afterPulled <= pulled) {
        notices.shift();
        yield due.event;
        continue;
      }
      const resolved = pull.read();
      if (resolved !== null) {
        pulled += 1;
        const event = toStoredEvent(resolved);
        // A server that changes from catching up to live may send an event twice.
        if (event !== null && event.position > position) {
          position = event.position;
          yield { kind: 'event', event };
        }
        continue;
      }
      const failure = pull.failure();
      if (failure !== null) throw ended(describeError(failure), failure);
      if (connection.disposed()) throw ended('the connection was given up');
      if (pull.ended()) throw ended('the server ended it');
      const outcome = await pull.wait(confirmed ? null : subscribeTimeoutMs, signal);
      if (outcome === 'timeout') throw ended(`not confirmed within ${subscribeTimeoutMs} ms`);
    }
  } finally {
    // Not awaited: it waits for the call to have been started, which may be just what hangs.
    source.unsubscribe().catch(ignore);
    source.destroy();
  }
}

interface Notice {
  readonly afterPulled: number;
  readonly event: Extract<LiveEvent, { kind: 'checkpoint' | 'caught_up' }>;
}

function ended(reason: string, cause?: unknown): SubscriptionEndedError {
  return new SubscriptionEndedError(`subscription ended: ${reason}`, { cause });
}

function ignore(): void {
  // Cancelling a call that never started fails; there is nothing to cancel then.
}
