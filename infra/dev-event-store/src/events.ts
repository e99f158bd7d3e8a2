/** What a client sends to be stored. */
export interface ProposedEvent {
  /** UUID in lower case. */
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  /** Data, then the custom metadata, as sent. */
  readonly payload: Buffer;
  /** How much of `payload` is data. */
  readonly dataBytes: number;
}

/** What is stored: it never changes. */
export interface RecordedEvent extends ProposedEvent {
  readonly stream: string;
  /** Place in the stream from 0, or `TOMBSTONE_REVISION`. */
  readonly revision: number;
  /** Place in the whole log; commit and prepare position are the same. */
  readonly position: number;
  readonly createdMs: number;
}

/** Revision of the event that ends a tombstoned stream; 2^63 − 1 on the wire. */
export const TOMBSTONE_REVISION = Number.POSITIVE_INFINITY;
export const TOMBSTONE_TYPE = '$streamDeleted';
export const METADATA_TYPE = '$metadata';

/** No events: the revision before the first. */
export const NO_REVISION = -1;

export type ExpectedRevision = number | 'no_stream' | 'any' | 'stream_exists';

export const METADATA_PREFIX = '$$';

export function isMetadataStream(stream: string): boolean {
  return stream.startsWith(METADATA_PREFIX);
}

export function metadataStreamOf(stream: string): string {
  return METADATA_PREFIX + stream;
}

/** The stream that a metadata stream describes. */
export function describedStreamOf(metadataStream: string): string {
  return metadataStream.slice(METADATA_PREFIX.length);
}

/** Size of an event as the server counts it against its limits: type in UTF-16, data, metadata. */
export function sizeOnDiskBytes(event: ProposedEvent): number {
  return event.payload.length + event.type.length * 2;
}

/** How far one event moves the log's position on; a real log has its own overhead per record, so positions have gaps. */
export function logBytes(event: ProposedEvent, stream: string): number {
  return 96 + stream.length + sizeOnDiskBytes(event);
}
