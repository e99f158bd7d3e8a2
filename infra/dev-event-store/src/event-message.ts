import { TOMBSTONE_REVISION } from './events.ts';
import type { RecordedEvent } from './events.ts';

/**
 * An event as readers get it: `ReadResp{event{event, commit_position}}`.
 *
 * Encoded by hand (https://protobuf.dev/programming-guides/encoding/), since it is by far the most frequent message and
 * the generated code takes several times as long. Field numbers are those of streams.proto; a test compares the result
 * with what the generated decoder makes of it.
 */
export function eventMessage(event: RecordedEvent): Buffer {
  const type = event.type;
  const created = String(event.createdMs * TICKS_PER_MS);
  const contentType = event.isJson ? 'application/json' : 'application/octet-stream';
  const typeBytes = Buffer.byteLength(type);
  const streamBytes = Buffer.byteLength(event.stream);
  const metadataBytes = event.payload.length - event.dataBytes;
  const tombstone = event.revision === TOMBSTONE_REVISION;
  const revisionBytes = tombstone ? TOMBSTONE_REVISION_BYTES.length : varintBytes(event.revision);
  const positionBytes = TAG_BYTES + varintBytes(event.position);
  const recordBytes =
    fieldBytes(fieldBytes(event.id.length)) +
    fieldBytes(fieldBytes(streamBytes)) +
    TAG_BYTES +
    revisionBytes +
    2 * positionBytes +
    mapEntryBytes('type', typeBytes) +
    mapEntryBytes('created', created.length) +
    mapEntryBytes('content-type', contentType.length) +
    (metadataBytes === 0 ? 0 : fieldBytes(metadataBytes)) +
    (event.dataBytes === 0 ? 0 : fieldBytes(event.dataBytes));
  const readEventBytes = fieldBytes(recordBytes) + positionBytes;

  const to = Buffer.allocUnsafe(fieldBytes(readEventBytes));
  let at = putHeader(to, 0, 1, readEventBytes);
  at = putHeader(to, at, 1, recordBytes);
  at = putHeader(to, at, 1, fieldBytes(event.id.length));
  at = putText(to, at, 2, event.id, event.id.length);
  at = putHeader(to, at, 2, fieldBytes(streamBytes));
  at = putText(to, at, 3, event.stream, streamBytes);
  at = tombstone ? putTombstoneRevision(to, at, 3) : putNumber(to, at, 3, event.revision);
  at = putNumber(to, at, 4, event.position);
  at = putNumber(to, at, 5, event.position);
  at = putMapEntry(to, at, 6, 'type', type, typeBytes);
  at = putMapEntry(to, at, 6, 'created', created, created.length);
  at = putMapEntry(to, at, 6, 'content-type', contentType, contentType.length);
  if (metadataBytes > 0)
    at = putBytes(to, at, 7, event.payload, event.dataBytes, event.payload.length);
  if (event.dataBytes > 0) at = putBytes(to, at, 8, event.payload, 0, event.dataBytes);
  putNumber(to, at, 3, event.position);
  return to;
}

/** `created` counts 100 ns since the Unix epoch. */
const TICKS_PER_MS = 10_000;
/** 2^63 − 1, which no JavaScript number can hold. */
const TOMBSTONE_REVISION_BYTES = Buffer.from('ffffffffffffffff7f', 'hex');
const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** Field numbers up to 15 take one byte, and there is no other. */
const TAG_BYTES = 1;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

/** Tag, length and content of a length-delimited field. */
function fieldBytes(contentBytes: number): number {
  return TAG_BYTES + varintBytes(contentBytes) + contentBytes;
}

function mapEntryBytes(key: string, valueBytes: number): number {
  return fieldBytes(fieldBytes(key.length) + fieldBytes(valueBytes));
}

// Each of these writes at `at` and returns where the next one goes.

function putVarint(to: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    to[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  to[at++] = rest;
  return at;
}

function putHeader(to: Buffer, at: number, field: number, contentBytes: number): number {
  to[at] = (field << 3) | LENGTH_DELIMITED;
  return putVarint(to, at + TAG_BYTES, contentBytes);
}

function putNumber(to: Buffer, at: number, field: number, value: number): number {
  to[at] = (field << 3) | VARINT;
  return putVarint(to, at + TAG_BYTES, value);
}

function putTombstoneRevision(to: Buffer, at: number, field: number): number {
  to[at] = (field << 3) | VARINT;
  return at + TAG_BYTES + TOMBSTONE_REVISION_BYTES.copy(to, at + TAG_BYTES);
}

function putText(to: Buffer, at: number, field: number, text: string, textBytes: number): number {
  const contentAt = putHeader(to, at, field, textBytes);
  return contentAt + to.write(text, contentAt, 'utf8');
}

function putBytes(
  to: Buffer,
  at: number,
  field: number,
  from: Buffer,
  start: number,
  end: number,
): number {
  const contentAt = putHeader(to, at, field, end - start);
  return contentAt + from.copy(to, contentAt, start, end);
}

function putMapEntry(
  to: Buffer,
  at: number,
  field: number,
  key: string,
  value: string,
  valueBytes: number,
): number {
  const entryAt = putHeader(to, at, field, fieldBytes(key.length) + fieldBytes(valueBytes));
  return putText(to, putText(to, entryAt, 1, key, key.length), 2, value, valueBytes);
}
