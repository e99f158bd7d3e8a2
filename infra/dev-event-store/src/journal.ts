import fs from 'node:fs';
import path from 'node:path';
import type { RecordedEvent } from './events.ts';
import { lockFolder } from './folder-lock.ts';
import { JournalError, messageOf } from './journal-error.ts';
import { encodeRecord } from './journal-record.ts';
import { recoverJournal } from './journal-recovery.ts';
import type { RecoveryDeps } from './journal-recovery.ts';

/**
 * Opens the journal in a folder, which it creates when needed, and calls back with every event in it.
 *
 * What a crash in the middle of a write leaves at the very end was never acknowledged: it is cut off, with a log line.
 * Damage anywhere before that is lost data, so it refuses to open. Throws `JournalError` then, and when the folder is
 * in use by another process or cannot be written.
 */
export function openJournal(deps: JournalDeps): Journal {
  const file = path.join(deps.folder, JOURNAL_FILE);
  const unlock = prepareFolder(deps.folder);
  let descriptor = -1;
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);
    const endBytes = recoverJournal({ ...deps, file, descriptor });
    const writer = createWriter({ descriptor, endBytes, onFailure: deps.onFailure, file });
    return {
      append: writer.append,
      close: async () => {
        await writer.drained();
        fs.ftruncateSync(descriptor, writer.endBytes());
        fs.closeSync(descriptor);
        unlock();
      },
    };
  } catch (error) {
    if (descriptor !== -1) fs.closeSync(descriptor);
    unlock();
    throw error instanceof JournalError
      ? error
      : new JournalError(`cannot open ${file}: ${messageOf(error)}`, { cause: error });
  }
}

export interface JournalDeps extends RecoveryDeps {
  /** The disk refused a write: nothing more is acknowledged, and the server has to stop. */
  readonly onFailure: (error: JournalError) => void;
}

export interface Journal {
  /** Writes the events as a whole; calls back once they are on disk. Never calls back after a failure. */
  append(events: readonly RecordedEvent[], onDurable: () => void): void;
  /** Waits for what is under way, then gives the folder free. */
  close(): Promise<void>;
}

export const JOURNAL_FILE = 'events.journal';

/** What one write and one flush carry at most, besides the last append in it. */
const GROUP_BYTES = 8 * 1024 * 1024;
/**
 * The file grows by this much at a time, in zeros: overwriting bytes that exist takes a disk flush a tenth of the time
 * that a growing file takes, since the file's own size need not be written each time.
 */
const GROWTH_BYTES = 4 * 1024 * 1024;

function prepareFolder(folder: string): () => void {
  try {
    fs.mkdirSync(folder, { recursive: true });
    return lockFolder(folder);
  } catch (error) {
    throw new JournalError(`cannot use the data folder ${folder}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

interface QueuedAppend {
  readonly events: readonly RecordedEvent[];
  readonly onDurable: () => void;
}

/** Group commit: whatever arrives while one flush is under way shares the next write and the next flush. */
function createWriter(deps: {
  descriptor: number;
  endBytes: number;
  file: string;
  onFailure: (error: JournalError) => void;
}) {
  const { descriptor } = deps;
  let endBytes = deps.endBytes;
  let allocatedBytes = deps.endBytes;
  let queue: QueuedAppend[] = [];
  let flushing = false;
  let failed = false;
  let onDrained: (() => void) | null = null;

  const fail = (error: unknown): void => {
    failed = true;
    deps.onFailure(
      new JournalError(`cannot write ${deps.file}: ${messageOf(error)}`, { cause: error }),
    );
    onDrained?.();
  };
  const flush = (): void => {
    const group = takeGroup();
    const events = group.flatMap((append) => append.events);
    // Empty appends leave no trace, but keep their turn.
    const record = events.length === 0 ? Buffer.alloc(0) : encodeRecord(events);
    try {
      makeRoom(record.length);
      writeWhole(descriptor, record, endBytes);
    } catch (error) {
      fail(error);
      return;
    }
    fs.fdatasync(descriptor, (error) => {
      if (error !== null) return fail(error);
      endBytes += record.length;
      for (const { onDurable } of group) onDurable();
      if (queue.length > 0) return flush();
      flushing = false;
      onDrained?.();
    });
  };
  const makeRoom = (recordBytes: number): void => {
    if (endBytes + recordBytes <= allocatedBytes) return;
    const growth = Buffer.alloc(Math.max(GROWTH_BYTES, recordBytes));
    writeWhole(descriptor, growth, allocatedBytes);
    allocatedBytes += growth.length;
  };
  const takeGroup = (): QueuedAppend[] => {
    let bytes = 0;
    const end = queue.findIndex(({ events }) => {
      const full = bytes >= GROUP_BYTES;
      for (const event of events) bytes += event.payload.length;
      return full;
    });
    if (end === -1) {
      const group = queue;
      queue = [];
      return group;
    }
    return queue.splice(0, end);
  };
  return {
    append: (events: readonly RecordedEvent[], onDurable: () => void): void => {
      if (failed) return;
      queue.push({ events, onDurable });
      if (flushing) return;
      flushing = true;
      // What arrives in the same turn comes along.
      setImmediate(flush);
    },
    endBytes: (): number => endBytes,
    drained: (): Promise<void> =>
      flushing && !failed
        ? new Promise((resolve) => {
            onDrained = resolve;
          })
        : Promise.resolve(),
  };
}

/** Into the system's cache, which takes no time worth a thread; it is the flush that takes long. */
function writeWhole(descriptor: number, bytes: Buffer, at: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += fs.writeSync(descriptor, bytes, written, bytes.length - written, at + written);
  }
}
