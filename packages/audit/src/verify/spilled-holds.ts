import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type GoingBack, goBack } from '../books/going-back.ts';
import type { SettledHold } from '../books/settled-holds.ts';
import { WrongBooksError } from '../books/wrong-books.ts';

/**
 * Settled holds that had to make room, and the events that went back to them afterwards: both wait on disk, each hold in
 * one of 64 parts, and are judged part by part when the log has been read. So no log is too long for the memory, and
 * none is read a second time for its refunds.
 */
export interface SpilledHolds {
  forget(stream: string, holdId: string, hold: SettledHold): void;
  goBack(stream: string, holdId: string, line: number, back: GoingBack): void;
  /**
   * Of every stream the first event that is not right, by the hold that it went back to. Nothing can be added
   * afterwards.
   */
  wrong(): WrongReturn[];
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
    forget: (stream, holdId, hold) => holds[partOf(holdId)]?.add(keyOf(stream, holdId), hold),
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
  };
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

function firstWrong(settled: SettledHold, returns: readonly Return[]): number | null {
  let hold = settled;
  for (const { line, back } of returns) {
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

/** FNV-1a. */
function partOf(holdId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < holdId.length; index += 1)
    hash = Math.imul(hash ^ holdId.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 16)) & (PARTS - 1);
}

function keyOf(stream: string, holdId: string): string {
  return JSON.stringify([stream, holdId]);
}

interface Spill {
  add(key: string, value: SettledHold | Return): void;
  rows(): Generator<[key: string, json: string]>;
}

/** Characters that wait to be written at once. */
const WAITING_CHARACTERS = 32 * 1024;

/** Rows of a key and a value in a file, which is there only when they are many. */
function openSpill(file: string): Spill {
  let waiting = '';
  let descriptor: number | null = null;
  return {
    add(key, value) {
      // JSON has neither tabs nor line feeds.
      waiting += `${key}\t${JSON.stringify(value)}\n`;
      if (waiting.length < WAITING_CHARACTERS) return;
      descriptor ??= openSync(file, 'w');
      writeSync(descriptor, waiting);
      waiting = '';
    },
    *rows() {
      if (descriptor !== null) closeSync(descriptor);
      const all = descriptor === null ? waiting : readFileSync(file, 'utf8') + waiting;
      for (let start = 0; start < all.length;) {
        const tab = all.indexOf('\t', start);
        const end = all.indexOf('\n', tab);
        yield [all.slice(start, tab), all.slice(tab + 1, end)];
        start = end + 1;
      }
    },
  };
}
