import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fnv1a } from './fnv1a.ts';

/**
 * Finds what is used twice among any number of keys in the same memory: a 64-bit fingerprint of each goes to one of 64
 * files, and at the end each file is sorted by itself. The same key has the same fingerprint; two keys that share one by
 * chance are told as well, so whoever asks looks a second time at those that were told (see `createRepeats`).
 */
export interface UsedOnce {
  add(scope: Scope, key: string): void;
  /** Fingerprints that were added more than once, sorted. Closes the files; nothing can be added afterwards. */
  repeated(): bigint[];
  close(): void;
}

/** Some 16 bytes a key on disk for the time of a run. */
export function createUsedOnce(folder: string): UsedOnce {
  mkdirSync(folder, { recursive: true });
  const parts = Array.from({ length: PARTS }, (_, number) => openPart(join(folder, `${number}`)));
  return {
    add(scope, key) {
      const [high, low] = fingerprint(scope, key);
      parts[high >>> 26]?.add(high, low);
    },
    repeated: () => parts.flatMap((part) => part.repeated()).sort(byValue),
    close() {
      for (const part of parts) part.close();
    },
  };
}

/** The second look: watches only over keys with one of these fingerprints. */
export interface Repeats {
  /** Whether exactly this key was given before. */
  isAgain(scope: Scope, key: string): boolean;
}

export function createRepeats(fingerprints: readonly bigint[]): Repeats {
  const watched = new Set(fingerprints);
  const seen = new Set<string>();
  return {
    isAgain(scope, key) {
      const [high, low] = fingerprint(scope, key);
      if (!watched.has((BigInt(high) << 32n) | BigInt(low))) return false;
      const whole = scope.name + key;
      if (seen.has(whole)) return true;
      seen.add(whole);
      return false;
    },
  };
}

const PARTS = 64;
const WAITING_KEYS = 1_024;

interface Part {
  add(high: number, low: number): void;
  repeated(): bigint[];
  close(): void;
}

function openPart(file: string): Part {
  // Little-endian in pairs of low and high, so that the same bytes are the 64-bit numbers that are sorted.
  const waiting = new Uint32Array(2 * WAITING_KEYS);
  let used = 0;
  let descriptor: number | null = null;
  const flush = (): void => {
    descriptor ??= openSync(file, 'w');
    writeFileSync(descriptor, waiting.subarray(0, used));
    used = 0;
  };
  const close = (): void => {
    if (descriptor !== null) closeSync(descriptor);
    descriptor = null;
  };
  return {
    close,
    add(high, low) {
      waiting[used] = low;
      waiting[used + 1] = high;
      used += 2;
      if (used === waiting.length) flush();
    },
    repeated() {
      if (descriptor === null) return repeatedIn(new BigUint64Array(waiting.buffer, 0, used / 2));
      flush();
      close();
      const { buffer, byteOffset, byteLength } = readFileSync(file);
      return repeatedIn(new BigUint64Array(buffer.slice(byteOffset, byteOffset + byteLength)));
    },
  };
}

function repeatedIn(keys: BigUint64Array): bigint[] {
  keys.sort();
  const repeated: bigint[] = [];
  for (let index = 1; index < keys.length; index += 1) {
    const key = keys[index];
    if (key !== undefined && key === keys[index - 1] && repeated.at(-1) !== key) repeated.push(key);
  }
  return repeated;
}

function byValue(one: bigint, other: bigint): number {
  return one < other ? -1 : Number(one > other);
}

/** Where a key may be used once: a kind of key in a stream. Its part of the fingerprints is made once. */
export interface Scope {
  readonly name: string;
  readonly high: number;
  readonly low: number;
}

export function scopeOf(stream: string, kind: string): Scope {
  const name = `${stream}\n${kind}\n`;
  return { name, high: fnv1a(name), low: runLow(0x2c1b3c6d, name) };
}

/** FNV-1a and a run like it, with a last mixing of each; nobody's secret hangs on it. */
function fingerprint(scope: Scope, key: string): [high: number, low: number] {
  return [mixed(fnv1a(key, scope.high)), mixed(runLow(scope.low, key))];
}

function runLow(start: number, text: string): number {
  let low = start;
  for (let index = 0; index < text.length; index += 1)
    low = Math.imul(low ^ text.charCodeAt(index), 0x85ebca6b) ^ (low >>> 13);
  return low;
}

/** The end of MurmurHash3, which spreads every bit over all. */
function mixed(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
