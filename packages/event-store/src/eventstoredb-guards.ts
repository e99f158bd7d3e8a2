import { NotAppendedError } from './event-log.ts';
import type { EventToAppend, ExpectedRevision } from './event-log.ts';

/** Most events in one append; a lane flushes at most this many together. */
export const APPEND_MAX_EVENTS = 256;

/** Most bytes of JSON in one append. Servers up to 25.0 refuse more than 1 MiB; half of it leaves room for framing. */
export const APPEND_MAX_BYTES = 512 * 1024;

/** An event as it goes over the wire. */
export interface EncodedEvent {
  readonly id: string;
  readonly type: string;
  readonly dataJson: string;
  readonly metadataJson: string;
}

/**
 * Writes the events of one append as JSON and refuses what no server should ever be asked: throws `NotAppendedError`
 * (not retryable: the caller has a bug).
 *
 * The JSON is made here, before anything is handed to a client library: a value that JSON cannot carry (a bigint)
 * would throw inside the vendor's promise executor, and that append would never settle.
 */
export function encodeAppend(
  stream: string,
  events: readonly EventToAppend[],
  expectedRevision: ExpectedRevision,
): EncodedEvent[] {
  guardStream(stream);
  if (
    expectedRevision !== 'no_stream' &&
    !(Number.isSafeInteger(expectedRevision) && expectedRevision >= 0)
  ) {
    throw refused(
      `expectedRevision must be 'no_stream' or an integer from 0, not ${expectedRevision}`,
    );
  }
  if (events.length === 0) throw refused('an append needs at least one event');
  if (events.length > APPEND_MAX_EVENTS) {
    throw refused(`${events.length} events in one append, at most ${APPEND_MAX_EVENTS}`);
  }
  const encoded = events.map(encodeEvent);
  const bytes = encoded.reduce((sum, event) => sum + byteLengthOf(event), 0);
  if (bytes > APPEND_MAX_BYTES)
    throw refused(`${bytes} bytes in one append, at most ${APPEND_MAX_BYTES}`);
  return encoded;
}

/** Throws `NotAppendedError` on an empty name. */
export function guardStream(stream: string): void {
  if (stream === '') throw refused('stream name is empty');
}

/** Throws `RangeError` unless `maxCount` is an integer from 1: libraries take 0 or NaN for "all". */
export function guardMaxCount(maxCount: number): void {
  if (!Number.isSafeInteger(maxCount) || maxCount < 1) {
    throw new RangeError(`maxCount must be an integer from 1, not ${maxCount}`);
  }
}

/** Throws `RangeError` unless `fromRevision` is an integer from 0. */
export function guardFromRevision(fromRevision: number): void {
  if (!Number.isSafeInteger(fromRevision) || fromRevision < 0) {
    throw new RangeError(`fromRevision must be an integer from 0, not ${fromRevision}`);
  }
}

/** Throws `RangeError` on an empty list or an empty prefix: servers take either for "every stream, their own too". */
export function guardPrefixes(streamPrefixes: readonly string[]): void {
  if (streamPrefixes.length === 0 || streamPrefixes.includes('')) {
    throw new RangeError('streamPrefixes needs at least one prefix, and none may be empty');
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function encodeEvent({ id, type, data, metadata }: EventToAppend): EncodedEvent {
  if (!UUID.test(id)) throw refused(`event id is not a lower-case UUID: ${id}`);
  if (type === '') throw refused('event type is empty');
  try {
    return { id, type, dataJson: JSON.stringify(data), metadataJson: JSON.stringify(metadata) };
  } catch (cause) {
    throw refused(`event ${type} cannot be written as JSON`, cause);
  }
}

function byteLengthOf({ type, dataJson, metadataJson }: EncodedEvent): number {
  return Buffer.byteLength(type) + Buffer.byteLength(dataJson) + Buffer.byteLength(metadataJson);
}

function refused(message: string, cause?: unknown): NotAppendedError {
  return new NotAppendedError(message, { retryable: false, cause });
}
