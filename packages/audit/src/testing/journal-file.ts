import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedEvent } from '@points/dev-event-store/events';
import { JOURNAL_FILE } from '@points/dev-event-store/journal';
import {
  FILE_HEADER,
  RECORD_HEADER_BYTES,
  decodeEvents,
  encodeRecord,
  readRecordHeader,
} from '@points/dev-event-store/journal-record';

/** For tests: every event in the journal of a dev event store that was closed. */
export function readJournal(folder: string): RecordedEvent[] {
  const file = readFileSync(join(folder, JOURNAL_FILE));
  const events: RecordedEvent[] = [];
  for (let at = FILE_HEADER.length; at < file.length;) {
    const header = readRecordHeader(file.subarray(at, at + RECORD_HEADER_BYTES));
    if (header === null) throw new Error(`no record at byte ${at}`);
    const payloadAt = at + RECORD_HEADER_BYTES;
    at = payloadAt + header.payloadBytes;
    decodeEvents(
      file.subarray(payloadAt, at),
      (name) => name,
      (event) => events.push(event),
    );
  }
  return events;
}

/** Writes a journal that the store takes for its own: every checksum is right. */
export function writeJournal(folder: string, events: readonly RecordedEvent[]): void {
  const records = events.map((event) => encodeRecord([event]));
  writeFileSync(join(folder, JOURNAL_FILE), Buffer.concat([FILE_HEADER, ...records]));
}

/** The event with other data and metadata. */
export function withJson(event: RecordedEvent, data: string, metadata: string): RecordedEvent {
  const dataBytes = Buffer.byteLength(data);
  return { ...event, payload: Buffer.from(data + metadata), dataBytes };
}

export function dataOf({ payload, dataBytes }: RecordedEvent): string {
  return payload.toString('utf8', 0, dataBytes);
}

export function metadataOf({ payload, dataBytes }: RecordedEvent): string {
  return payload.toString('utf8', dataBytes);
}
