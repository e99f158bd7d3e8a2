import { BACKWARDS, END, FORWARDS, START } from '@eventstore/db-client';
import type { AllStreamResolvedEvent, ResolvedEvent } from '@eventstore/db-client';
import { toStoredEvent } from './eventstoredb-event.ts';
import { guardFromRevision, guardMaxCount, guardPrefixes } from './eventstoredb-guards.ts';
import type { ReadCalls } from './eventstoredb-read-calls.ts';
import type { AllPage, ReadAllOptions, ReadStreamOptions, StoredEvent } from './event-log.ts';

/** Reads of streams and of the whole log. `maxCount` is always given: the client's default is "all". */
export function createReader(eventsOf: ReadCalls): Reader {
  async function* readStream(
    stream: string,
    options: ReadStreamOptions,
  ): AsyncGenerator<StoredEvent, void> {
    const { fromRevision, maxCount = Number.MAX_SAFE_INTEGER, signal } = options;
    guardFromRevision(fromRevision);
    guardMaxCount(maxCount);
    // A follower may lag, and a refusal decided on old state is checked by no append: hence the leader.
    const events = eventsOf<ResolvedEvent>(`read of ${stream}`, signal, ({ client }) =>
      client.readStream(stream, {
        fromRevision: BigInt(fromRevision),
        maxCount,
        direction: FORWARDS,
        requiresLeader: true,
      }),
    );
    for await (const resolved of events) {
      const event = toStoredEvent(resolved);
      if (event !== null) yield event;
    }
  }

  async function readLast(stream: string): Promise<StoredEvent | null> {
    const events = eventsOf<ResolvedEvent>(
      `read of the last event of ${stream}`,
      undefined,
      ({ client }) =>
        client.readStream(stream, {
          fromRevision: END,
          maxCount: 1,
          direction: BACKWARDS,
          requiresLeader: true,
        }),
    );
    for await (const resolved of events) return toStoredEvent(resolved);
    return null;
  }

  async function readAll(options: ReadAllOptions): Promise<AllPage> {
    const { afterPosition, streamPrefixes, maxCount, signal } = options;
    guardMaxCount(maxCount);
    guardPrefixes(streamPrefixes);
    // The client has no filter for this read: everything comes over, the server's own events too. The start is
    // inclusive: the event at `afterPosition` comes again.
    const wanted = afterPosition === null ? maxCount : maxCount + 1;
    const found = eventsOf<AllStreamResolvedEvent>('read of the log', signal, ({ client }) =>
      client.readAll({
        fromPosition:
          afterPosition === null ? START : { commit: afterPosition, prepare: afterPosition },
        maxCount: wanted,
        direction: FORWARDS,
      }),
    );
    const events: StoredEvent[] = [];
    let position = afterPosition;
    let looked = 0;
    for await (const resolved of found) {
      looked += 1;
      const at = positionOf(resolved);
      if (at === null || (position !== null && at <= position)) continue;
      position = at;
      if (!streamPrefixes.some((prefix) => resolved.event?.streamId.startsWith(prefix))) continue;
      const event = toStoredEvent(resolved);
      if (event !== null) events.push(event);
    }
    return { events, position, end: looked < wanted };
  }

  async function readLastPosition(): Promise<bigint | null> {
    // From whatever node `readAll` reads, so that it finds all events up to here: no leader is asked for.
    const events = eventsOf<AllStreamResolvedEvent>(
      'read of the end of the log',
      undefined,
      ({ client }) => client.readAll({ fromPosition: END, maxCount: 1, direction: BACKWARDS }),
    );
    for await (const resolved of events) return positionOf(resolved);
    return null;
  }

  return { readStream, readLast, readAll, readLastPosition };
}

function positionOf(resolved: AllStreamResolvedEvent): bigint | null {
  return resolved.event?.position.commit ?? resolved.commitPosition ?? null;
}

export interface Reader {
  readonly readStream: (
    stream: string,
    options: ReadStreamOptions,
  ) => AsyncGenerator<StoredEvent, void>;
  readonly readLast: (stream: string) => Promise<StoredEvent | null>;
  readonly readAll: (options: ReadAllOptions) => Promise<AllPage>;
  readonly readLastPosition: () => Promise<bigint | null>;
}
