import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Finds what is used twice among any number of keys in the same memory: a 64-bit fingerprint of each goes to one of 256
 * files, and at the end each file is sorted by itself. The same key has the same fingerprint; two keys that share one by
 * chance are told as well, so whoever asks looks a second time at those that were told (see `createRepeats`).
 */
export interface UsedOnce {
  add(stream: string, kind: string, key: string): void;
  /** Fingerprints that were added more than once, sorted. Closes the files; nothing can be added afterwards. */
  repeated(): bigint[];
}

/** Some 16 bytes a key on disk for the time of a run. */
export function createUsedOnce(folder: string): UsedOnce {
  mkdirSync(folder, { recursive: true });
  const parts = Array.from({ length: PARTS }, (_, number) => openPart(join(folder, `${number}`)));
  return {
    add(stream, kind, key) {
      const [high, low] = fingerprint(stream, kind, key);
      parts[high >>> 24]?.add(high, low);
    },
    repeated: () => parts.flatMap((part) => part.repeated()).sort(byValue),
  };
}

/** The second look: watches only over keys with one of these fingerprints. */
export interface Repeats {
  /** Whether exactly this key was given before. */
  isAgain(stream: string, kind: string, key: string): boolean;
}

export function createRepeats(fingerprints: readonly bigint[]): Repeats {
  const watched = new Set(fingerprints);
  const seen = new Set<string>();
  return {
    isAgain(stream, kind, key) {
      const [high, low] = fingerprint(stream, kind, key);
      if (!watched.has((BigInt(high) << 32n) | BigInt(low))) return false;
      const whole = `${stream}\n${kind}\n${key}`;
      if (seen.has(whole)) return true;
      seen.add(whole);
      return false;
    },
  };
}

const PARTS = 256;
const WAITING_KEYS = 512;

interface Part {
  add(high: number, low: number): void;
  repeated(): bigint[];
}

function openPart(file: string): Part {
  // Little-endian in pairs of low and high, so that the same bytes are the 64-bit numbers that are sorted.
  const waiting = new Uint32Array(2 * WAITING_KEYS);
  let used = 0;
  let descriptor: number | null = null;
  const flush = (): void => {
    descriptor ??= openSync(file, 'w');
    writeSync(descriptor, waiting.subarray(0, used));
    used = 0;
  };
  return {
    add(high, low) {
      waiting[used] = low;
      waiting[used + 1] = high;
      used += 2;
      if (used === waiting.length) flush();
    },
    repeated() {
      if (descriptor === null) return repeatedIn(new BigUint64Array(waiting.buffer, 0, used / 2));
      flush();
      closeSync(descriptor);
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

/** Two runs of FNV-1a (32 bits) with different starts and a last mixing each; nobody's secret hangs on it. */
function fingerprint(stream: string, kind: string, key: string): [high: number, low: number] {
  let high = 0x811c9dc5;
  let low = 0x2c1b3c6d;
  for (const text of [stream, kind, key]) {
    for (let index = 0; index < text.length; index += 1) {
      const unit = text.charCodeAt(index);
      high = Math.imul(high ^ unit, 0x01000193);
      low = Math.imul(low ^ unit, 0x85ebca6b) ^ (low >>> 13);
    }
    high = Math.imul(high ^ SEPARATOR, 0x01000193);
    low = Math.imul(low ^ SEPARATOR, 0x85ebca6b);
  }
  return [mixed(high), mixed(low)];
}

const SEPARATOR = 0x1_0000;

/** The end of MurmurHash3, which spreads every bit over all. */
function mixed(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
