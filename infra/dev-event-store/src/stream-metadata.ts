import type { RecordedEvent } from './events.ts';

/** What a stream's metadata says about which of its events may be read. */
export interface StreamMetadata {
  readonly maxCount: number | null;
  readonly maxAgeMs: number | null;
  /** Events before this revision are hidden. */
  readonly truncateBefore: number | null;
  /** Truncated before the largest revision there is: the stream counts as not existing until it is written again. */
  readonly softDeleted: boolean;
}

export const NO_METADATA: StreamMetadata = {
  maxCount: null,
  maxAgeMs: null,
  truncateBefore: null,
  softDeleted: false,
};

/** Metadata streams have no metadata of their own; only their last event counts. */
export const METADATA_OF_METADATA: StreamMetadata = { ...NO_METADATA, maxCount: 1 };

/** `$tb` of a soft-deleted stream, 2^63 − 1; as text, since it is beyond a JavaScript number. */
export const SOFT_DELETED_JSON = '{"$tb":9223372036854775807}';
const SOFT_DELETED_REVISION = 2 ** 63;

/** Reads a `$metadata` event. Anything malformed means no metadata at all, as on the real server. */
export function readStreamMetadata(event: RecordedEvent): StreamMetadata {
  const known = parsed.get(event);
  if (known !== undefined) return known;
  const metadata = parseMetadata(event);
  parsed.set(event, metadata);
  return metadata;
}

/** The metadata event's JSON with another `$tb`: what a write to a soft-deleted stream leaves behind. */
export function withTruncateBefore(event: RecordedEvent, revision: number): string {
  const fields: unknown = JSON.parse(dataText(event));
  return JSON.stringify({ ...(typeof fields === 'object' ? fields : {}), $tb: revision });
}

const parsed = new WeakMap<RecordedEvent, StreamMetadata>();

function parseMetadata(event: RecordedEvent): StreamMetadata {
  if (!event.isJson) return NO_METADATA;
  try {
    const fields: unknown = JSON.parse(dataText(event));
    if (typeof fields !== 'object' || fields === null) return NO_METADATA;
    const maxCount = integerField(fields, '$maxCount');
    const maxAgeSeconds = integerField(fields, '$maxAge');
    const truncateBefore = integerField(fields, '$tb');
    return {
      maxCount: maxCount !== null && maxCount > 0 ? maxCount : null,
      maxAgeMs: maxAgeSeconds !== null && maxAgeSeconds > 0 ? maxAgeSeconds * 1000 : null,
      truncateBefore: truncateBefore !== null && truncateBefore >= 0 ? truncateBefore : null,
      softDeleted: truncateBefore !== null && truncateBefore >= SOFT_DELETED_REVISION,
    };
  } catch {
    return NO_METADATA;
  }
}

function integerField(fields: object, name: string): number | null {
  const value: unknown = Object.entries(fields).find(([key]) => key === name)?.[1];
  if (value === undefined) return null;
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new TypeError(`${name} is not an integer`);
  return value;
}

function dataText(event: RecordedEvent): string {
  return event.payload.toString('utf8', 0, event.dataBytes);
}
