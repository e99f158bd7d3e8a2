import fs from 'node:fs';
import path from 'node:path';
import { OutboxError } from './errors.ts';
import { lockFolder } from './folder-lock.ts';
import { type Change, encodeChange, FILE_HEADER, readJournal } from './journal-lines.ts';
import type { ClientLog } from './log.ts';
import type { Outbox, OutboxRow } from './outbox.ts';

/**
 * An outbox in one file of a folder that no other process uses at the same time. Put the folder where it outlives the
 * process: not in a container's own file system.
 *
 * Every change is handed to the system at once, so that a killed process loses nothing, and counts as written once it
 * is flushed to disk, so that a machine that stops loses nothing either; changes that come during a flush share the
 * next one. Throws OutboxError `in_use`, `damaged` or `not_written`.
 */
export function openFileOutbox(options: { dir: string; log: ClientLog }): Outbox {
  const { dir, log } = options;
  const file = path.join(dir, OUTBOX_FILE);
  let broken: OutboxError | null = null;
  let closed = false;
  const lock = takeFolder(dir, () => {
    broken = new OutboxError('in_use', `another process has taken the outbox ${dir}`);
    log.error({ dir }, broken.message);
  });
  let journal: Journal;
  try {
    journal = openJournal(file, log);
  } catch (error) {
    lock.release();
    throw error instanceof OutboxError ? error : notWritten(file, error);
  }
  const write = (change: Change): void => {
    if (broken !== null) throw broken;
    try {
      journal.write(change);
    } catch (error) {
      throw notWritten(file, error);
    }
  };
  return {
    load: () => Promise.resolve([...journal.rows.values()]),
    // Not async: the row must be in the system's hands when this returns.
    put(row) {
      try {
        write({ put: row });
      } catch (error) {
        return Promise.reject(error as OutboxError);
      }
      return journal.flushed().catch((error: unknown) => {
        // After a failed flush nobody knows what is on disk, and the next flush would not say.
        broken ??= notWritten(file, error);
        throw broken;
      });
    },
    async remove(key) {
      write({ remove: key });
    },
    async close() {
      if (closed) return;
      closed = true;
      const written = journal.flushed();
      broken ??= new OutboxError('closed', 'the outbox is closed');
      await written.catch(() => {});
      journal.close();
      lock.release();
    },
  };
}

export const OUTBOX_FILE = 'outbox.journal';
/** A file larger than this is written anew once most of it is history. */
const COMPACT_BYTES = 1024 * 1024;
const HISTORY_FACTOR = 4;

interface Journal {
  readonly rows: ReadonlyMap<string, OutboxRow>;
  /** Returns once the system has it. Throws when it does not take it. */
  write(change: Change): void;
  /** Resolves when everything written so far is on disk. */
  flushed(): Promise<void>;
  close(): void;
}

function openJournal(file: string, log: ClientLog): Journal {
  const recovered = readJournal(fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0));
  if (!recovered.ok) {
    throw new OutboxError(
      'damaged',
      `${file} cannot be read from byte ${recovered.atByte} on: settlements may be lost; restore it, use the version that wrote it, or move it away to begin anew`,
    );
  }
  const { rows } = recovered;
  let descriptor = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  let endBytes = recovered.endBytes;
  let durableBytes = 0;
  let compactAtBytes = COMPACT_BYTES;
  /** Counts files: a flush of the file before says nothing of this one. */
  let generation = 0;
  let flushing: Promise<void> | null = null;

  if (fs.fstatSync(descriptor).size > endBytes) {
    log.warn({ file, atByte: endBytes }, 'cut off a change that was never finished');
    fs.ftruncateSync(descriptor, endBytes);
  }
  if (endBytes === 0) {
    append(Buffer.from(FILE_HEADER));
    syncFolder(path.dirname(file));
  }
  fs.fsyncSync(descriptor);
  durableBytes = endBytes;

  /** Half a line that the disk still took is overwritten by the next one. */
  function append(bytes: Buffer): void {
    for (let written = 0; written < bytes.length;) {
      const left = bytes.length - written;
      written += fs.writeSync(descriptor, bytes, written, left, endBytes + written);
    }
    endBytes += bytes.length;
  }

  async function flush(): Promise<void> {
    const target = endBytes;
    const flushed = generation;
    await fdatasync(descriptor);
    if (flushed === generation) durableBytes = Math.max(durableBytes, target);
  }

  async function flushUntil(target: number, wanted: number): Promise<void> {
    while (generation === wanted && durableBytes < target) {
      flushing ??= flush().finally(() => {
        flushing = null;
      });
      await flushing;
    }
  }

  /** A new file with what still matters takes the old one's place: a crash leaves the one or the other, whole. */
  function compact(): void {
    const lines = [...rows.values()].map((row) => encodeChange({ put: row }, 0));
    const content = Buffer.concat([Buffer.from(FILE_HEADER), ...lines]);
    let shorter: number;
    try {
      shorter = replaceFile(file, content);
    } catch (error) {
      // The old file goes on; it is only longer than it needs to be.
      compactAtBytes = endBytes * 2;
      log.warn({ file, err: error }, 'the outbox file could not be made shorter');
      return;
    }
    const old = descriptor;
    descriptor = shorter;
    generation += 1;
    endBytes = content.length;
    durableBytes = content.length;
    compactAtBytes = Math.max(COMPACT_BYTES, endBytes * HISTORY_FACTOR);
    // A flush that is under way still needs the old one.
    void (flushing ?? Promise.resolve()).catch(() => {}).then(() => fs.closeSync(old));
    syncFolder(path.dirname(file));
  }

  return {
    rows,
    write(change) {
      append(encodeChange(change, durableBytes));
      if ('put' in change) rows.set(change.put.key, change.put);
      else rows.delete(change.remove);
      if (endBytes >= compactAtBytes) compact();
    },
    flushed: () => flushUntil(endBytes, generation),
    close: () => fs.closeSync(descriptor),
  };
}

/** Puts a file with that content, on disk, in its place. Returns its descriptor. */
function replaceFile(file: string, content: Buffer): number {
  const draft = `${file}.new`;
  const { O_RDWR, O_CREAT, O_TRUNC } = fs.constants;
  const descriptor = fs.openSync(draft, O_RDWR | O_CREAT | O_TRUNC, 0o600);
  try {
    fs.writeFileSync(descriptor, content, { flush: true });
    fs.renameSync(draft, file);
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
  return descriptor;
}

function takeFolder(dir: string, onLost: () => void) {
  try {
    const made = fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (made !== undefined) syncParents(path.resolve(dir), path.resolve(made));
    return lockFolder(dir, onLost);
  } catch (error) {
    throw new OutboxError('in_use', `cannot use the outbox ${dir}: ${textOf(error)}`, error);
  }
}

function fdatasync(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** A new folder is there after a power loss once the one above it is on disk. */
function syncParents(dir: string, firstMade: string): void {
  for (let made = dir; ; made = path.dirname(made)) {
    syncFolder(path.dirname(made));
    if (made === firstMade || made === path.dirname(made)) return;
  }
}

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

function notWritten(file: string, error: unknown): OutboxError {
  return new OutboxError('not_written', `cannot write ${file}: ${textOf(error)}`, error);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
