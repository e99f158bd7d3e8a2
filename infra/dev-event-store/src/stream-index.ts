import {
  describedStreamOf,
  isMetadataStream,
  metadataStreamOf,
  TOMBSTONE_REVISION,
} from './events.ts';
import type { RecordedEvent } from './events.ts';
import { METADATA_OF_METADATA, NO_METADATA, readStreamMetadata } from './stream-metadata.ts';
import type { StreamMetadata } from './stream-metadata.ts';

/**
 * The events by stream. Every question comes in two kinds: `written` counts what has been accepted, `published` only
 * what is durable, which is all that readers may see.
 */
export function createStreamIndex(): StreamIndex {
  const streams = new Map<string, StreamEvents>();
  const written = createView((name) => {
    const stream = streams.get(name);
    return stream === undefined
      ? undefined
      : { count: stream.events.length, tombstoned: stream.tombstoned, events: stream.events };
  });
  const published = createView((name) => {
    const stream = streams.get(name);
    return stream === undefined
      ? undefined
      : {
          count: stream.publishedCount,
          tombstoned: stream.tombstonePublished,
          events: stream.events,
        };
  });

  return {
    written,
    published,
    write: (event) => {
      let stream = streams.get(event.stream);
      if (stream === undefined) {
        stream = { events: [], publishedCount: 0, tombstoned: false, tombstonePublished: false };
        streams.set(event.stream, stream);
      }
      if (event.revision === TOMBSTONE_REVISION) stream.tombstoned = true;
      else stream.events.push(event);
    },
    publish: (event) => {
      const stream = streams.get(event.stream);
      if (stream === undefined) throw new Error(`published before it was written: ${event.stream}`);
      if (event.revision === TOMBSTONE_REVISION) stream.tombstonePublished = true;
      else stream.publishedCount += 1;
    },
  };
}

export interface StreamIndex {
  readonly written: StreamView;
  readonly published: StreamView;
  write(event: RecordedEvent): void;
  publish(event: RecordedEvent): void;
}

export interface StreamView {
  /** Revision of the last event, −1 when there is none. */
  lastRevision(stream: string): number;
  /** Null when there is no event with that revision. */
  event(stream: string, revision: number): RecordedEvent | null;
  /** Deleted for good; the metadata of such a stream is gone with it. */
  isTombstoned(stream: string): boolean;
  metadata(stream: string): StreamMetadata;
  /** The event that carries the metadata; null when there is none. */
  metadataEvent(stream: string): RecordedEvent | null;
  /** The first revision that `$maxCount` and `$tb` leave visible. */
  firstVisibleRevision(stream: string): number;
}

interface StreamEvents {
  /** Index = revision. */
  readonly events: RecordedEvent[];
  publishedCount: number;
  tombstoned: boolean;
  tombstonePublished: boolean;
}

function createView(
  find: (
    name: string,
  ) => { count: number; tombstoned: boolean; events: readonly RecordedEvent[] } | undefined,
): StreamView {
  const event = (stream: string, revision: number): RecordedEvent | null => {
    const found = find(stream);
    return found === undefined || revision >= found.count ? null : (found.events[revision] ?? null);
  };
  const lastRevision = (stream: string): number => (find(stream)?.count ?? 0) - 1;
  const metadataEvent = (stream: string): RecordedEvent | null => {
    const name = metadataStreamOf(stream);
    return event(name, lastRevision(name));
  };
  const metadata = (stream: string): StreamMetadata => {
    if (isMetadataStream(stream)) return METADATA_OF_METADATA;
    const carrier = metadataEvent(stream);
    return carrier === null ? NO_METADATA : readStreamMetadata(carrier);
  };
  return {
    lastRevision,
    event,
    metadata,
    metadataEvent,
    isTombstoned: (stream) =>
      find(stream)?.tombstoned === true ||
      (isMetadataStream(stream) && find(describedStreamOf(stream))?.tombstoned === true),
    firstVisibleRevision: (stream) => {
      const { maxCount, truncateBefore } = metadata(stream);
      const byCount = maxCount === null ? 0 : lastRevision(stream) - maxCount + 1;
      return Math.max(0, byCount, truncateBefore ?? 0);
    },
  };
}
