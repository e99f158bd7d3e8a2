import { crc32 } from 'node:zlib';
import { TOMBSTONE_REVISION } from './events.ts';
import type { RecordedEvent } from './events.ts';

/**
 * The journal's bytes: a file header, then records, each written and flushed as a whole.
 *
 *   record  = u32 payload length · u32 CRC-32 of the payload · u32 CRC-32 of the eight bytes before · payload
 *   payload = events one after another
 *
 * The header has a checksum of its own, so that a damaged length is never taken for a record that ran past the end.
 */
export const FILE_HEADER = Buffer.from('points-ledger dev-event-store 1\n', 'latin1');
export const RECORD_HEADER_BYTES = 12;

export function encodeRecord(events: readonly RecordedEvent[]): Buffer {
  let bytes = RECORD_HEADER_BYTES;
  for (const event of events) bytes += encodedBytes(event);
  const record = Buffer.allocUnsafe(bytes);
  let at = RECORD_HEADER_BYTES;
  for (const event of events) at = encodeEvent(event, record, at);
  const payload = record.subarray(RECORD_HEADER_BYTES);
  record.writeUInt32LE(payload.length, 0);
  record.writeUInt32LE(crc32(payload), 4);
  record.writeUInt32LE(crc32(record.subarray(0, 8)), 8);
  return record;
}

export interface RecordHeader {
  readonly payloadBytes: number;
  readonly checksum: number;
}

/** Null when these twelve bytes are no record header. */
export function readRecordHeader(bytes: Buffer): RecordHeader | null {
  if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32LE(8)) return null;
  return { payloadBytes: bytes.readUInt32LE(0), checksum: bytes.readUInt32LE(4) };
}

export function isWhole(header: RecordHeader, payload: Buffer): boolean {
  return crc32(payload) === header.checksum;
}

/** Calls back with every event of a payload; they share its memory. `intern` keeps one copy of equal names. */
export function decodeEvents(
  payload: Buffer,
  intern: (name: string) => string,
  onEvent: (event: RecordedEvent) => void,
): void {
  let at = 0;
  while (at < payload.length) {
    const streamBytes = payload.readUInt32LE(at);
    const typeBytes = payload.readUInt32LE(at + 4);
    const dataBytes = payload.readUInt32LE(at + 8);
    const metadataBytes = payload.readUInt32LE(at + 12);
    const flags = payload.readUInt8(at + 16);
    const revision = payload.readDoubleLE(at + 17);
    const position = payload.readDoubleLE(at + 25);
    const createdMs = payload.readDoubleLE(at + 33);
    const idAt = at + FIXED_BYTES;
    const streamAt = idAt + ID_BYTES;
    const typeAt = streamAt + streamBytes;
    const payloadAt = typeAt + typeBytes;
    at = payloadAt + dataBytes + metadataBytes;
    if (at > payload.length) throw new RangeError('an event runs past the end of its record');
    onEvent({
      id: payload.toString('latin1', idAt, streamAt),
      type: intern(payload.toString('utf8', typeAt, payloadAt)),
      isJson: (flags & JSON_FLAG) !== 0,
      payload: payload.subarray(payloadAt, at),
      dataBytes,
      stream: intern(payload.toString('utf8', streamAt, typeAt)),
      revision: (flags & TOMBSTONE_FLAG) !== 0 ? TOMBSTONE_REVISION : revision,
      position,
      createdMs,
    });
  }
}

const FIXED_BYTES = 41;
/** A UUID as text. */
const ID_BYTES = 36;
const JSON_FLAG = 1;
const TOMBSTONE_FLAG = 2;

function encodedBytes(event: RecordedEvent): number {
  return (
    FIXED_BYTES +
    ID_BYTES +
    Buffer.byteLength(event.stream) +
    Buffer.byteLength(event.type) +
    event.payload.length
  );
}

function encodeEvent(event: RecordedEvent, record: Buffer, start: number): number {
  const tombstone = event.revision === TOMBSTONE_REVISION;
  let at = start + FIXED_BYTES;
  if (record.write(event.id, at, 'latin1') !== ID_BYTES)
    throw new RangeError(`not a UUID: ${event.id}`);
  at += ID_BYTES;
  const streamBytes = record.write(event.stream, at, 'utf8');
  at += streamBytes;
  const typeBytes = record.write(event.type, at, 'utf8');
  at += typeBytes;
  record.writeUInt32LE(streamBytes, start);
  record.writeUInt32LE(typeBytes, start + 4);
  record.writeUInt32LE(event.dataBytes, start + 8);
  record.writeUInt32LE(event.payload.length - event.dataBytes, start + 12);
  record.writeUInt8((event.isJson ? JSON_FLAG : 0) | (tombstone ? TOMBSTONE_FLAG : 0), start + 16);
  record.writeDoubleLE(tombstone ? 0 : event.revision, start + 17);
  record.writeDoubleLE(event.position, start + 25);
  record.writeDoubleLE(event.createdMs, start + 33);
  return at + event.payload.copy(record, at);
}
