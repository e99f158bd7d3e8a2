import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { EventLog } from '@points/event-store/event-log';
import { z } from 'zod';
import type { AuditEvent } from './audit-event.ts';
import { lineOf, placeOf } from './export-line.ts';
import { accountEventsUpTo, eventsUpTo, pinPosition } from './pinned-log.ts';

export interface ExportRequest {
  /** What is to be written; `<file>.part` and `<file>.part.json` stand beside it until it is whole. */
  readonly file: string;
  /** Only this account's stream; null = all of the ledger's streams. */
  readonly account: string | null;
  /** Only events of this time and later, ISO-8601 UTC; null = from the first. */
  readonly from: string | null;
  /** Only events of this time and earlier. */
  readonly to: string | null;
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number, events: number) => void;
}

export interface ExportResult {
  readonly file: string;
  /** Where the log was pinned, decimal; null = it was empty. */
  readonly position: string | null;
  readonly account: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly events: number;
  readonly bytes: number;
  /** Whether it went on from where an earlier run had stopped. */
  readonly resumed: boolean;
}

/** The export cannot be made; `message` says what to do. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
}

const FLUSH_UNITS = 512 * 1024;
const PROGRESS_EVERY_EVENTS = 1_000;

/**
 * Writes events of the log to a new file, one line each (see `formatLine`), in the order of the log, up to the position
 * at which the log ends when the export begins. A run that was stopped goes on where it was when it is asked again for
 * the same, up to the same position, so the file is the same as if it had not been stopped. Constant memory.
 *
 * Throws `ExportError`, what `eventsUpTo` throws, and node's own errors of files.
 */
export async function exportLog(
  log: Pick<EventLog, 'readAll' | 'readLastPosition' | 'readStream'>,
  request: ExportRequest,
): Promise<ExportResult> {
  const { file } = request;
  if (await exists(file))
    throw new ExportError(`${file} exists: remove it, or give another name by --out`);
  const part = `${file}.part`;
  await lockPart(part);
  try {
    return await exportPart(log, request, part);
  } finally {
    await rm(`${part}.lock`, { force: true });
  }
}

/** Two that write one file would each spoil the other's. The lock of a process that was killed is nobody's. */
async function lockPart(part: string): Promise<void> {
  const lock = `${part}.lock`;
  const owner = Number(await readFile(lock, 'utf8').catch(() => ''));
  if (owner > 0 && !isRunning(owner)) await rm(lock, { force: true });
  try {
    await writeFile(lock, `${process.pid}`, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    throw new ExportError(
      `${part} is being written by process ${owner}; if that is no export, remove ${lock} and give the same command again`,
    );
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It may be somebody else's, whom we may not signal.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function exportPart(
  log: Pick<EventLog, 'readAll' | 'readLastPosition' | 'readStream'>,
  request: ExportRequest,
  part: string,
): Promise<ExportResult> {
  const { file, account, from, to } = request;
  const planned = await readPlan(`${part}.json`);
  const wanted = { account, from, to };
  if (planned !== null && !isSame(planned, wanted))
    throw new ExportError(
      `${part} is of an export with other filters: give the same ones to finish it, or remove ${part} and ${part}.json`,
    );
  const plan = planned ?? { ...wanted, position: await pinned(log) };
  // Emptied before there is a plan to go on by, so that no plan stands beside lines of another.
  const handle = await open(part, planned === null ? 'w+' : 'a+');
  if (planned === null) await writeFile(`${part}.json`, `${JSON.stringify(plan)}\n`);
  let written: { events: number; bytes: number };
  try {
    const done = planned === null ? NOTHING_DONE : await lastWhole(handle, part);
    await checkSameLog(log, done.line, part);
    written = await write(handle, log, plan, done, request);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, file);
  await rm(`${part}.json`, { force: true });
  return { file, ...plan, ...written, resumed: planned !== null };
}

const plan = z.strictObject({
  account: z.string().nullable(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  position: z
    .string()
    .regex(/^\d{1,20}$/)
    .nullable(),
});
type Plan = Readonly<z.output<typeof plan>>;

async function readPlan(file: string): Promise<Plan | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return plan.parse(JSON.parse(text));
  } catch {
    // Stopped while it was written, so nothing of the export was.
    return null;
  }
}

function isSame(planned: Plan, wanted: Omit<Plan, 'position'>): boolean {
  return (
    planned.account === wanted.account && planned.from === wanted.from && planned.to === wanted.to
  );
}

async function pinned(log: Pick<EventLog, 'readLastPosition'>): Promise<string | null> {
  const position = await pinPosition(log);
  return position === null ? null : String(position);
}

interface Done {
  readonly events: number;
  readonly bytes: number;
  /** The last line, without its line feed; null = there is none. */
  readonly line: Buffer | null;
}

const NOTHING_DONE: Done = { events: 0, bytes: 0, line: null };
const CHUNK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/** Cuts off a line that was not finished, and finds the last that was. */
async function lastWhole(handle: FileHandle, part: string): Promise<Done> {
  let events = 0;
  let bytes = 0;
  let lastStart = 0;
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) break;
    const read = chunk.subarray(0, bytesRead);
    for (let end = read.indexOf(LINE_FEED); end !== -1; end = read.indexOf(LINE_FEED, end + 1)) {
      events += 1;
      lastStart = bytes;
      bytes = at + end + 1;
    }
    at += bytesRead;
  }
  await handle.truncate(bytes);
  if (events === 0) return NOTHING_DONE;
  const line = Buffer.alloc(bytes - lastStart - 1);
  await handle.read(line, 0, line.length, lastStart);
  if (placeOf(line) === null)
    throw new ExportError(`${part} does not end in an event: remove it and ${part}.json`);
  return { events, bytes, line };
}

async function checkSameLog(
  log: Pick<EventLog, 'readStream'>,
  line: Buffer | null,
  part: string,
): Promise<void> {
  const place = line === null ? null : placeOf(line);
  if (line === null || place === null) return;
  const { stream, revision } = place;
  for await (const event of log.readStream(stream, { fromRevision: revision, maxCount: 1 }))
    if (lineOf(event) === line.toString('utf8')) return;
  throw new ExportError(
    `${part} ends in event ${revision} of ${stream}, which this log has not: remove it and ${part}.json, or name the log that it is of`,
  );
}

async function write(
  handle: FileHandle,
  log: Pick<EventLog, 'readAll' | 'readStream'>,
  { account, from, to, position }: Plan,
  done: Done,
  { signal, onProgress }: ExportRequest,
): Promise<{ events: number; bytes: number }> {
  const pin = position === null ? null : BigInt(position);
  const place = done.line === null ? null : placeOf(done.line);
  const afterPosition = place === null ? null : BigInt(place.position);
  const cancel = signal === undefined ? {} : { signal };
  let { events, bytes } = done;
  let waiting = '';
  const flush = async (): Promise<void> => {
    const text = Buffer.from(waiting, 'utf8');
    waiting = '';
    bytes += text.length;
    await handle.appendFile(text);
  };
  const source =
    account === null
      ? eventsUpTo(log, { ...cancel, pin, afterPosition })
      : accountEventsUpTo(log, account, {
          ...cancel,
          pin,
          fromRevision: place === null ? 0 : place.revision + 1,
        });
  try {
    for await (const event of source) {
      if (!isWithin(event, from, to)) continue;
      waiting += `${lineOf(event)}\n`;
      events += 1;
      if (waiting.length >= FLUSH_UNITS) await flush();
      if (events % PROGRESS_EVERY_EVENTS === 0) onProgress?.(shareOf(event.position, pin), events);
    }
  } finally {
    // What was read is kept, also when it does not go on from here.
    await flush();
  }
  return { events, bytes };
}

function isWithin({ metadata }: AuditEvent, from: string | null, to: string | null): boolean {
  const at = metadata['occurred_at'] ?? '';
  return (from === null || at >= from) && (to === null || at <= to);
}

function shareOf(position: bigint, pin: bigint | null): number {
  return pin === null || pin === 0n ? 1 : Number(position) / Number(pin);
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
