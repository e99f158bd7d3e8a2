import {
  describedStreamOf,
  isMetadataStream,
  logBytes,
  METADATA_TYPE,
  metadataStreamOf,
  NO_REVISION,
  TOMBSTONE_REVISION,
  TOMBSTONE_TYPE,
} from './events.ts';
import type { ExpectedRevision, ProposedEvent, RecordedEvent } from './events.ts';
import { createRecentIds } from './recent-ids.ts';
import { createStreamIndex } from './stream-index.ts';
import type { StreamView } from './stream-index.ts';
import { SOFT_DELETED_JSON, withTruncateBefore } from './stream-metadata.ts';
import { checkWrite } from './write-check.ts';
import type { WriteCheck } from './write-check.ts';

/**
 * The log in memory: which writes are accepted, and what readers see. Pure: no I/O, no clock, no random numbers.
 *
 * A write takes effect in two steps, as on the real server. `append`, `softDelete` and `tombstone` decide, and count for
 * every later write at once; readers see the events only after `publish`, which the owner calls when they are durable.
 */
export function createLogStore(deps: LogStoreDeps): LogStore {
  const streams = createStreamIndex();
  const all: RecordedEvent[] = [];
  const recentIds = createRecentIds();
  const listeners = new Set<() => void>();
  let nextPosition = FIRST_POSITION;
  let publishedCount = 0;

  const write = (event: RecordedEvent): void => {
    nextPosition = event.position + logBytes(event, event.stream);
    all.push(event);
    streams.write(event);
  };
  const record = (
    place: Place,
    event: ProposedEvent,
    revision = streams.written.lastRevision(place.stream) + 1,
  ) => {
    const recorded: RecordedEvent = {
      id: event.id,
      type: event.type,
      isJson: event.isJson,
      payload: event.payload,
      dataBytes: event.dataBytes,
      stream: place.stream,
      revision,
      position: nextPosition,
      createdMs: place.nowMs,
    };
    write(recorded);
    recentIds.add(recorded);
    return recorded;
  };
  const recordMetadata = (place: Place, json: string, id: string): RecordedEvent => {
    const payload = Buffer.from(json);
    const event = { id, type: METADATA_TYPE, isJson: true, payload, dataBytes: payload.length };
    return record({ stream: metadataStreamOf(place.stream), nowMs: place.nowMs }, event);
  };
  /** Writing to a soft-deleted stream, or to its metadata, brings it back; what came before stays hidden. */
  const undelete = (place: Place, firstRevision: number): RecordedEvent[] => {
    const carrier = streams.written.metadataEvent(place.stream);
    return carrier === null
      ? []
      : [recordMetadata(place, withTruncateBefore(carrier, firstRevision), deps.newId())];
  };
  const check = (
    request: { stream: string; expected: ExpectedRevision; nowMs: number },
    ids: readonly string[],
  ) => checkWrite({ streams, recentRevision: recentIds.revisionOf }, { ...request, ids });

  return {
    published: streams.published,
    get length() {
      return publishedCount;
    },
    get endPosition() {
      const last = all[publishedCount - 1];
      return last === undefined ? FIRST_POSITION : last.position + logBytes(last, last.stream);
    },
    eventAt: (index) => (index < publishedCount ? (all[index] ?? null) : null),
    firstIndexWhere: (reached) => {
      let low = 0;
      let high = publishedCount;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const event = all[middle];
        if (event !== undefined && reached(event.position)) high = middle;
        else low = middle + 1;
      }
      return low;
    },
    append: (request) => {
      const result = check(
        request,
        request.events.map(({ id }) => id),
      );
      if (result.outcome !== 'ok') return result;
      const described = describedStreamOf(request.stream);
      const revivesDescribed =
        isMetadataStream(request.stream) && streams.written.metadata(described).softDeleted;
      const events = request.events.map((event) => record(request, event));
      const position = events.at(-1)?.position ?? nextPosition;
      if (result.softDeleted) events.push(...undelete(request, result.current + 1));
      if (revivesDescribed) {
        const place = { stream: described, nowMs: request.nowMs };
        events.push(...undelete(place, streams.written.lastRevision(described) + 1));
      }
      return {
        outcome: 'written',
        events,
        revision: result.current + request.events.length,
        position,
      };
    },
    softDelete: (request) => {
      const id = deps.newId();
      const result = check(request, [id]);
      if (result.outcome !== 'ok') return result;
      const metadataRevision = streams.written.lastRevision(metadataStreamOf(request.stream));
      if (result.current === NO_REVISION && metadataRevision === NO_REVISION) {
        return { outcome: 'wrong_revision', current: NO_REVISION };
      }
      const event = recordMetadata(request, SOFT_DELETED_JSON, id);
      return {
        outcome: 'written',
        events: [event],
        revision: event.revision,
        position: event.position,
      };
    },
    tombstone: (request) => {
      const id = deps.newId();
      const result = check(request, [id]);
      if (result.outcome !== 'ok') return result;
      const proposed = {
        id,
        type: TOMBSTONE_TYPE,
        isJson: false,
        payload: Buffer.alloc(0),
        dataBytes: 0,
      };
      const event = record(request, proposed, TOMBSTONE_REVISION);
      return {
        outcome: 'written',
        events: [event],
        revision: event.revision,
        position: event.position,
      };
    },
    restore: (event) => {
      write(event);
      streams.publish(event);
      publishedCount += 1;
    },
    publish: (events) => {
      for (const event of events) {
        if (event !== all[publishedCount])
          throw new Error('events must be published in the order they were written');
        streams.publish(event);
        publishedCount += 1;
      }
      for (const listener of [...listeners]) listener();
    },
    onPublish: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    forgetRecentIds: recentIds.clear,
  };
}

/** A real database begins with records of its own, so its first user event never lies at 0. */
const FIRST_POSITION = 1024;

export interface LogStoreDeps {
  /** A new UUID, for events that the server writes itself. */
  newId(): string;
}

export interface Place {
  readonly stream: string;
  /** The server's clock. */
  readonly nowMs: number;
}

export interface WriteRequest extends Place {
  readonly expected: ExpectedRevision;
}

export interface AppendRequest extends WriteRequest {
  readonly events: readonly ProposedEvent[];
}

export type WriteResult =
  | Exclude<WriteCheck, { outcome: 'ok' }>
  | {
      readonly outcome: 'written';
      /** Everything to make durable and then to publish, also what the server added itself. */
      readonly events: readonly RecordedEvent[];
      /** The stream's last revision now; −1 after an empty append to a stream without events. */
      readonly revision: number;
      readonly position: number;
    };

export interface LogStore {
  /** The streams as readers see them. */
  readonly published: StreamView;
  /** How many events readers see in the whole log. */
  readonly length: number;
  /** Where the next event will lie, as far as readers know. */
  readonly endPosition: number;
  /** Event by index in the whole log; null past the end. */
  eventAt(index: number): RecordedEvent | null;
  /** Index of the first event whose position satisfies a condition that, once true, stays true; `length` if none. */
  firstIndexWhere(reached: (position: number) => boolean): number;
  append(request: AppendRequest): WriteResult;
  softDelete(request: WriteRequest): WriteResult;
  tombstone(request: WriteRequest): WriteResult;
  /** Takes in an event that was made durable by an earlier run. */
  restore(event: RecordedEvent): void;
  /** Lets readers see these events, which must be the next ones written. */
  publish(events: readonly RecordedEvent[]): void;
  /** Calls back after every `publish`; returns the way to stop. */
  onPublish(listener: () => void): () => void;
  /** What a restart of the real server does to its memory of recent ids. */
  forgetRecentIds(): void;
}
