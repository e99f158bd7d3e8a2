import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type LedgerAnchor, anchorAlone } from '@points/contracts/stored-anchors';
import { firstProblem } from '@points/contracts/first-problem';
import { canonicalJson } from '@points/event-store/canonical-json';
import { reasonOf } from './reason-of.ts';

/**
 * Anchors outside the log, where whoever can rewrite the log cannot: NDJSON, a line of canonical JSON (RFC 8785) for
 * each, their positions rising.
 */
export type AnchorFile =
  | { readonly outcome: 'read'; readonly anchors: readonly LedgerAnchor[] }
  | { readonly outcome: 'missing' }
  /** `problem` goes on after "line 3 ". */
  | { readonly outcome: 'wrong'; readonly line: number; readonly problem: string };

/** Reads all of it. What is wrong with a line is an outcome; throws AnchorFileError when the file cannot be read. */
export async function readAnchorFile(file: string): Promise<AnchorFile> {
  const text = await readText(file);
  if (text === null) return { outcome: 'missing' };
  const lines = text.split('\n');
  const unfinished = lines.pop() ?? '';
  const read = anchorsOf(lines);
  if (read.outcome !== 'read' || unfinished === '') return read;
  return {
    outcome: 'wrong',
    line: lines.length + 1,
    problem: 'is the last one and has no end: writing it was interrupted; remove that line',
  };
}

/**
 * For whoever appends: takes away a last line that has no line feed, since its writing was interrupted; one that lacks
 * nothing else gets its line feed. Leaves a file alone whose other lines are not all anchors, or whose last one does
 * not begin as an anchor does. Throws AnchorFileError when the file cannot be read or written.
 */
export async function mendAnchorFile(file: string): Promise<'whole' | 'dropped' | 'finished'> {
  const text = (await readText(file)) ?? '';
  const lines = text.split('\n');
  const torn = lines.pop() ?? '';
  const begins = torn.slice(0, LINE_START.length) === LINE_START.slice(0, torn.length);
  if (torn === '' || torn.length > LINE_UNITS_MAX || !begins) return 'whole';
  const before = anchorsOf(lines);
  if (before.outcome !== 'read') return 'whole';
  const finished = typeof readLine(torn, before.anchors.at(-1)) !== 'string';
  try {
    const handle = await open(file, finished ? 'a' : 'r+');
    try {
      if (finished) await handle.appendFile('\n');
      else await handle.truncate(text.length - torn.length);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new AnchorFileError(`${file} cannot be written: ${reasonOf(error)}`);
  }
  return finished ? 'finished' : 'dropped';
}

/**
 * Adds an anchor to the end of the file, which is made if there is none, and returns when it is on the disk. Throws
 * AnchorFileError when that fails, and when the file does not end in a whole anchor at an earlier position. When it
 * throws, the file is as before, unless that fails too.
 */
export async function appendAnchor(file: string, anchor: LedgerAnchor): Promise<void> {
  try {
    // Read and write; with append alone, nobody's line can be written over.
    const handle = await open(file, 'a+');
    try {
      const { size } = await handle.stat();
      const problem = size === 0 ? null : await whyNotAfterEnd(handle, size, anchor);
      if (problem !== null) throw new AnchorFileError(`${file}: ${problem}`);
      try {
        await handle.appendFile(`${canonicalJson({ ...anchor })}\n`);
        await handle.sync();
        if (size === 0) await syncFolderOf(file);
      } catch (error) {
        // Half a line would stop every later job.
        await handle.truncate(size).catch(() => undefined);
        throw error;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof AnchorFileError) throw error;
    throw new AnchorFileError(`${file} cannot be written: ${reasonOf(error)}`);
  }
}

/** The file cannot be read, or written on; `message` names it. */
export class AnchorFileError extends Error {
  override readonly name = 'AnchorFileError';
}

/** UTF-16 code units. An anchor has some 600. */
const LINE_UNITS_MAX = 2_048;
/** Every anchor begins so, its keys being sorted. */
const LINE_START = '{"events":';
/** Some 100,000 anchors: one an hour for eleven years. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

function anchorsOf(lines: readonly string[]): AnchorFile {
  const anchors: LedgerAnchor[] = [];
  for (const [index, line] of lines.entries()) {
    const read = readLine(line, anchors.at(-1));
    if (typeof read === 'string') return { outcome: 'wrong', line: index + 1, problem: read };
    anchors.push(read);
  }
  return { outcome: 'read', anchors };
}

/** An anchor, or what is wrong with the line. */
function readLine(line: string, before: LedgerAnchor | undefined): LedgerAnchor | string {
  if (line.length > LINE_UNITS_MAX) return `is no anchor: it has ${line.length} characters`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'is not JSON';
  }
  const parsed = anchorAlone.safeParse(value);
  if (!parsed.success) {
    const { field, message } = firstProblem(parsed.error, 'it');
    return `is no anchor: ${field} ${message}`;
  }
  const anchor = parsed.data;
  if (canonicalJson({ ...anchor }) !== line) return 'is not canonical JSON (RFC 8785)';
  if (before !== undefined && BigInt(anchor.position) <= BigInt(before.position)) {
    return `is out of order: position ${anchor.position} follows ${before.position}`;
  }
  return anchor;
}

async function whyNotAfterEnd(
  handle: FileHandle,
  size: number,
  anchor: LedgerAnchor,
): Promise<string | null> {
  if (size > FILE_BYTES_MAX - LINE_UNITS_MAX) return 'is full; begin a new file';
  const bytes = Math.min(size, LINE_UNITS_MAX);
  const { buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, size - bytes);
  const end = buffer.toString('latin1');
  if (!end.endsWith('\n')) return 'its last line has no end: remove that line';
  const last = readLine(end.slice(0, -1).split('\n').at(-1) ?? '', undefined);
  if (typeof last === 'string') return `its last line ${last}`;
  if (BigInt(last.position) < BigInt(anchor.position)) return null;
  return `has an anchor at position ${last.position} already, so none can follow at ${anchor.position}; does another job write to it?`;
}

/** Null when there is no such file. Latin-1: an anchor is ASCII, and every other byte stays to be seen. */
async function readText(file: string): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > FILE_BYTES_MAX) {
        throw new AnchorFileError(`${file} is no file of anchors: it has more than 64 MiB`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof AnchorFileError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new AnchorFileError(`${file} cannot be read: ${reasonOf(error)}`);
  }
  return Buffer.concat(chunks).toString('latin1');
}

/** A new name is on the disk only when its folder is. */
async function syncFolderOf(file: string): Promise<void> {
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
