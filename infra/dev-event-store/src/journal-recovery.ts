import fs from 'node:fs';
import type { RecordedEvent } from './events.ts';
import { JournalError, messageOf } from './journal-error.ts';
import {
  decodeEvents,
  FILE_HEADER,
  isWhole,
  readRecordHeader,
  RECORD_HEADER_BYTES,
} from './journal-record.ts';

/**
 * Takes in what earlier runs wrote: calls back with every event, and cuts off what was never finished. Returns where the
 * last whole record ends, which is where the file ends now. Throws `JournalError` on damage anywhere before that.
 */
export function recoverJournal(deps: { file: string; descriptor: number } & RecoveryDeps): number {
  const { file, descriptor, log } = deps;
  const fileBytes = fs.fstatSync(descriptor).size;
  if (fileBytes < FILE_HEADER.length) {
    // Nothing can have been acknowledged before the header was there.
    fs.ftruncateSync(descriptor, 0);
    fs.writeSync(descriptor, FILE_HEADER, 0, FILE_HEADER.length, 0);
    fs.fdatasyncSync(descriptor);
    syncFolder(deps.folder);
    return FILE_HEADER.length;
  }
  if (!readAt(descriptor, 0, FILE_HEADER.length).equals(FILE_HEADER)) {
    throw new JournalError(
      `${file} is damaged at byte 0: it does not begin as a journal of this version`,
    );
  }
  const endBytes = readRecords(deps, fileBytes);
  if (endBytes < fileBytes) {
    if (!isBlank(descriptor, endBytes, fileBytes)) {
      log(`${file}: cut off what lies behind byte ${endBytes}, an append that was never finished`);
    }
    fs.ftruncateSync(descriptor, endBytes);
    fs.fdatasyncSync(descriptor);
  }
  return endBytes;
}

export interface RecoveryDeps {
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly onEvent: (event: RecordedEvent) => void;
}

/** Read at a time. A record may be longer: it is then read in one piece. */
const READ_CHUNK_BYTES = 16 * 1024 * 1024;

function readRecords(
  deps: { file: string; descriptor: number; onEvent: (event: RecordedEvent) => void },
  fileBytes: number,
): number {
  const { file, descriptor, onEvent } = deps;
  const names = new Map<string, string>();
  const intern = (name: string): string => {
    const known = names.get(name);
    if (known === undefined) names.set(name, name);
    return known ?? name;
  };
  let chunk: Buffer = Buffer.alloc(0);
  let chunkAt = FILE_HEADER.length;
  let at = FILE_HEADER.length;
  const load = (bytes: number): Buffer | null => {
    if (at + bytes > fileBytes) return null;
    if (at + bytes > chunkAt + chunk.length) {
      chunk = readAt(descriptor, at, Math.min(Math.max(bytes, READ_CHUNK_BYTES), fileBytes - at));
      chunkAt = at;
    }
    return chunk.subarray(at - chunkAt, at - chunkAt + bytes);
  };
  while (at < fileBytes) {
    const headerBytes = load(RECORD_HEADER_BYTES);
    const header = headerBytes === null ? null : readRecordHeader(headerBytes);
    const record = header === null ? null : load(RECORD_HEADER_BYTES + header.payloadBytes);
    if (
      header === null ||
      record === null ||
      !isWhole(header, record.subarray(RECORD_HEADER_BYTES))
    ) {
      // Without a readable header the length is unknown, so the next record may begin anywhere.
      const from = header === null ? at + 1 : at + RECORD_HEADER_BYTES + header.payloadBytes;
      if (wholeRecordFollows(descriptor, from, fileBytes)) throw damaged(file, at);
      return at;
    }
    try {
      decodeEvents(record.subarray(RECORD_HEADER_BYTES), intern, onEvent);
    } catch (error) {
      throw new JournalError(`${file} is damaged at byte ${at}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    at += record.length;
  }
  return at;
}

function damaged(file: string, at: number): JournalError {
  return new JournalError(
    `${file} is damaged at byte ${at}: a bad record lies before good ones, so acknowledged events may be lost; restore the file or delete it`,
  );
}

/** Is there a good record anywhere in this part of the file? */
function wholeRecordFollows(descriptor: number, from: number, fileBytes: number): boolean {
  for (
    let windowAt = from;
    windowAt + RECORD_HEADER_BYTES <= fileBytes;
    windowAt += READ_CHUNK_BYTES
  ) {
    const bytes = Math.min(READ_CHUNK_BYTES + RECORD_HEADER_BYTES - 1, fileBytes - windowAt);
    const window = readAt(descriptor, windowAt, bytes);
    for (let at = 0; at + RECORD_HEADER_BYTES <= window.length; at += 1) {
      // Most of it is zeros; a record is never empty.
      if (window[at] === 0 && window.readUInt32LE(at) === 0) continue;
      const header = readRecordHeader(window.subarray(at, at + RECORD_HEADER_BYTES));
      if (header === null) continue;
      const payloadAt = windowAt + at + RECORD_HEADER_BYTES;
      if (payloadAt + header.payloadBytes > fileBytes) continue;
      if (isWhole(header, readAt(descriptor, payloadAt, header.payloadBytes))) return true;
    }
  }
  return false;
}

function isBlank(descriptor: number, from: number, fileBytes: number): boolean {
  for (let at = from; at < fileBytes; at += READ_CHUNK_BYTES) {
    const bytes = readAt(descriptor, at, Math.min(READ_CHUNK_BYTES, fileBytes - at));
    if (bytes.some((byte) => byte !== 0)) return false;
  }
  return true;
}

function readAt(descriptor: number, at: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  while (filled < bytes) {
    const read = fs.readSync(descriptor, buffer, filled, bytes - filled, at + filled);
    if (read === 0) throw new Error(`the file ended at byte ${at + filled} while it was read`);
    filled += read;
  }
  return buffer;
}

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
