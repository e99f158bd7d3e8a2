import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';

/** Some whole lines of an export. */
export interface LineBlock {
  /** Of a file they are in shared memory, so that threads need no copy of their own. */
  readonly bytes: Buffer;
  /** For each line the place after its last byte, where its line feed is; the next line begins one further. */
  readonly ends: readonly number[];
  /** Number of the first, from 1. */
  readonly firstLine: number;
  /** Share of the whole that has been read with this block, from 0 to 1. */
  readonly share: number;
}

/** The file cannot be read any further. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError';
  /** From 1. */
  readonly line: number;
  constructor(line: number, what: string) {
    super(`line ${line} ${what}`);
    this.line = line;
  }
}

/** Bytes of one line; an event has at most 512 KiB, most of which JSON may have to escape. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/**
 * The lines of a file, plain or gzip, in blocks. A last line without its line feed counts when it ends as an object
 * does. Memory: a few chunks, or the longest line. The same file gives the same blocks.
 *
 * Throws `DamagedFileError` after the last readable line, and node's own errors when the file cannot be opened or read.
 */
export async function* readLines(file: string): AsyncGenerator<LineBlock, void> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const progress = { bytes: 0 };
    const chunks = chunksOf(handle, progress);
    const isGzip = await beginsAsGzip(handle);
    yield* blocksOf(isGzip ? gunzipped(chunks) : chunks, () =>
      size === 0 ? 1 : Math.min(1, progress.bytes / size),
    );
  } finally {
    await handle.close();
  }
}

async function* blocksOf(
  chunks: AsyncIterable<Buffer>,
  share: () => number,
): AsyncGenerator<LineBlock, void> {
  let rest: Buffer = Buffer.alloc(0);
  let firstLine = 1;
  try {
    for await (const chunk of chunks) {
      const bytes = shared(rest, chunk);
      const ends = lineEnds(bytes, rest.length);
      const last = ends.at(-1);
      rest = last === undefined ? bytes : bytes.subarray(last + 1);
      if (rest.length > MAX_LINE_BYTES)
        throw new DamagedFileError(
          firstLine + ends.length,
          `is longer than ${MAX_LINE_BYTES} bytes: this is no export`,
        );
      if (ends.length > 0) yield { bytes, ends, firstLine, share: share() };
      firstLine += ends.length;
    }
  } catch (error) {
    if (!isOfZlib(error)) throw error;
    const what = error.code === 'Z_BUF_ERROR' ? 'the file ends too early' : error.message;
    throw new DamagedFileError(firstLine, `cannot be unpacked (gzip): ${what}`);
  }
  if (rest.length === 0) return;
  if (rest.at(-1) !== CLOSING_BRACE)
    throw new DamagedFileError(firstLine, 'is cut: the file ends in the middle of it');
  yield { bytes: rest, ends: [rest.length], firstLine, share: 1 };
}

function shared(rest: Buffer, chunk: Buffer): Buffer {
  const bytes = Buffer.from(new SharedArrayBuffer(rest.length + chunk.length));
  rest.copy(bytes);
  chunk.copy(bytes, rest.length);
  return bytes;
}

const LINE_FEED = 0x0a;
const CLOSING_BRACE = 0x7d;

/** Where the line feeds are. */
export function lineEnds(bytes: Buffer, from = 0): number[] {
  const ends: number[] = [];
  for (let at = bytes.indexOf(LINE_FEED, from); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1))
    ends.push(at);
  return ends;
}

async function beginsAsGzip(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
  return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
}

/** Each chunk is gone with the next. */
async function* chunksOf(
  handle: FileHandle,
  progress: { bytes: number },
): AsyncGenerator<Buffer, void> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, progress.bytes);
    if (bytesRead === 0) return;
    progress.bytes += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** One chunk at a time, so that what was unpacked before a damage is always the same. */
async function* gunzipped(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  let unpacked: Buffer[] = [];
  gunzip.on('data', (bytes: Buffer) => unpacked.push(bytes));
  const failed = once(gunzip, 'error').then(([error]) => error as Error);
  const ended = new Promise<null>((resolve) => gunzip.once('end', () => resolve(null)));
  const take = (): Buffer[] => {
    const taken = unpacked;
    unpacked = [];
    return taken;
  };
  try {
    for await (const chunk of chunks) {
      const taken = new Promise<null>((resolve) =>
        gunzip.write(chunk, (error) => error ?? resolve(null)),
      );
      // Before its last byte it ends only when something follows the last member, and then it never takes the chunk.
      const tooEarly = ended.then(() => new TrailingBytesError());
      const failure = await Promise.race([failed, taken, tooEarly]);
      yield* take();
      if (failure !== null) throw failure;
    }
    // Whatever follows the last member ends it by itself, at the latest by now.
    await nextTurn();
    if (gunzip.readableEnded) throw new TrailingBytesError();
    gunzip.end();
    const failure = await Promise.race([failed, ended]);
    yield* take();
    if (failure !== null) throw failure;
  } finally {
    gunzip.destroy();
  }
}

class TrailingBytesError extends Error {
  override readonly name = 'TrailingBytesError';
  readonly code = 'Z_TRAILING_BYTES';
  constructor() {
    super('other bytes follow its end');
  }
}

function isOfZlib(error: unknown): error is Error & { readonly code: string } {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return typeof error.code === 'string' && error.code.startsWith('Z_');
}
