import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoingBack, goBack } from '../books/going-back.ts';
import type { SettledHold } from '../books/settled-holds.ts';
import { WrongBooksError } from '../books/wrong-books.ts';
import { lineEnds } from '../export-file.ts';
import { fnv1a } from './fnv1a.ts';

/**
 * Settled holds that had to make room, and the events that went back to them afterwards: both wait on disk, each hold in
 * one of 64 parts, and are judged part by part when the log has been read. So no log is too long for the memory, and
 * none is read a second time for its refunds.
 */
export interface SpilledHolds {
  /** `line` is the one in hand, of whichever stream. */
  forget(stream: string, holdId: string, line: number, hold: SettledHold): void;
  goBack(stream: string, holdId: string, line: number, back: GoingBack): void;
  /**
   * Of every stream the first event that is not right, by the hold that it went back to. Nothing can be added
   * afterwards.
   */
  wrong(): WrongReturn[];
  /** Closes the files. */
  close(): void;
}

export interface WrongReturn {
  readonly stream: string;
  readonly holdId: string;
  readonly line: number;
}

/** On disk for the time of a run: some 250 bytes a hold, and the event's data. */
export function createSpilledHolds(folder: string): SpilledHolds {
  mkdirSync(folder, { recursive: true });
  const holds = Array.from({ length: PARTS }, (_, part) => openSpill(join(folder, `h${part}`)));
  const returns = Array.from({ length: PARTS }, (_, part) => openSpill(join(folder, `r${part}`)));
  return {
    forget: (stream, holdId, line, hold) =>
      holds[partOf(holdId)]?.add(keyOf(stream, holdId), { line, hold }),
    goBack: (stream, holdId, line, back) =>
      returns[partOf(holdId)]?.add(keyOf(stream, holdId), { line, back }),
    wrong() {
      const first = new Map<string, WrongReturn>();
      for (const [part, spill] of returns.entries())
        for (const found of wrongIn(spill, holds[part])) {
          const known = first.get(found.stream);
          if (known === undefined || found.line < known.line) first.set(found.stream, found);
        }
      return [...first.values()];
    },
    close() {
      for (const spill of [...holds, ...returns]) spill.close();
    },
  };
}

interface Forgotten {
  readonly line: number;
  readonly hold: SettledHold;
}

interface Return {
  readonly line: number;
  readonly back: GoingBack;
}

/** Of each hold the first return that is not right. */
function* wrongIn(returns: Spill, holds: Spill | undefined): Generator<WrongReturn> {
  const waiting = new Map<string, Return[]>();
  for (const [key, json] of returns.rows()) {
    const own = waiting.get(key);
    if (own === undefined) waiting.set(key, [JSON.parse(json)]);
    else own.push(JSON.parse(json));
  }
  if (waiting.size === 0) return;
  for (const [key, json] of holds?.rows() ?? []) {
    const own = waiting.get(key);
    // A hold that comes a second time is a hold id used twice, which is found elsewhere.
    if (own === undefined || !waiting.delete(key)) continue;
    const line = firstWrong(JSON.parse(json), own);
    if (line !== null) yield wrongAt(key, line);
  }
  // Whatever is repaid may be the debt of a reversal or an adjustment, and then there is no hold.
  for (const [key, own] of waiting) {
    const without = own.find(({ back }) => back.kind !== 'repaid');
    if (without !== undefined) yield wrongAt(key, without.line);
  }
}

function firstWrong(forgotten: Forgotten, returns: readonly Return[]): number | null {
  let { hold } = forgotten;
  for (const { line, back } of returns) {
    // Nobody knew the hold by then, so it had not been settled.
    if (line < forgotten.line) return line;
    try {
      hold = goBack(hold, back);
    } catch (error) {
      // As in the books themselves: data that nobody has decoded are met by chance.
      if (error instanceof WrongBooksError || error instanceof TypeError) return line;
      throw error;
    }
  }
  return null;
}

function wrongAt(key: string, line: number): WrongReturn {
  const [stream, holdId] = JSON.parse(key) as [string, string];
  return { stream, holdId, line };
}

const PARTS = 64;

function partOf(holdId: string): number {
  const hash = fnv1a(holdId);
  return (hash ^ (hash >>> 16)) & (PARTS - 1);
}

function keyOf(stream: string, holdId: string): string {
  return JSON.stringify([stream, holdId]);
}

interface Spill {
  add(key: string, value: Forgotten | Return): void;
  rows(): Generator<[key: string, json: string]>;
  close(): void;
}

/** Characters that wait to be written at once, and bytes that are read at once. */
const WAITING_CHARACTERS = 32 * 1024;
const CHUNK_BYTES = 1024 * 1024;

/** Rows of a key and a value in a file, which is there only when they are many. */
function openSpill(file: string): Spill {
  let waiting = '';
  let descriptor: number | null = null;

  /** What was written, in whole rows. */
  function* written(): Generator<string> {
    if (descriptor === null) return;
    let rest: Buffer = Buffer.alloc(0);
    for (let place = 0; ;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const size = readSync(descriptor, chunk, 0, CHUNK_BYTES, place);
      if (size === 0) return;
      place += size;
      const bytes = Buffer.concat([rest, chunk.subarray(0, size)]);
      const end = (lineEnds(bytes, rest.length).at(-1) ?? -1) + 1;
      rest = bytes.subarray(end);
      yield bytes.toString('utf8', 0, end);
    }
  }

  return {
    add(key, value) {
      // JSON has neither tabs nor line feeds.
      waiting += `${key}\t${JSON.stringify(value)}\n`;
      if (waiting.length < WAITING_CHARACTERS) return;
      descriptor ??= openSync(file, 'w+');
      writeFileSync(descriptor, waiting);
      waiting = '';
    },
    *rows() {
      for (const text of written()) yield* rowsOf(text);
      yield* rowsOf(waiting);
    },
    close() {
      if (descriptor !== null) closeSync(descriptor);
      descriptor = null;
    },
  };
}

function* rowsOf(text: string): Generator<[key: string, json: string]> {
  for (let start = 0; start < text.length;) {
    const tab = text.indexOf('\t', start);
    const end = text.indexOf('\n', tab);
    yield [text.slice(start, tab), text.slice(tab + 1, end)];
    start = end + 1;
  }
}
