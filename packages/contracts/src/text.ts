import { z } from 'zod';

/**
 * The text and number rules of everything that comes from outside. What passes here can be stored everywhere behind
 * it: well-formed Unicode (no lone surrogates), no U+0000–U+001F (descriptions and notes may hold line
 * feeds), bounds counted in code points.
 */

/** Most points one command may move. */
export const MAX_POINTS = 1_000_000_000_000;
export const MAX_QUANTITY = 1_000_000_000_000;
/** A hundred years. */
export const MAX_DAYS = 36_500;
/** About 115 days. */
export const MAX_DURATION_SECONDS = 10_000_000;
export const MAX_METADATA_KEYS = 16;
export const MAX_METADATA_BYTES = 2_048;
export const MAX_JSON_OBJECT_BYTES = 4_096;
export const MAX_JSON_DEPTH = 8;

const MS_PER_SECOND = 1_000;

/** One line of text of 1 to `maxCodePoints` code points. */
export function line(maxCodePoints: number): z.ZodString {
  return lineOf(1, maxCodePoints);
}

/** The same, or empty. */
export function lineOrEmpty(maxCodePoints: number): z.ZodString {
  return lineOf(0, maxCodePoints);
}

function lineOf(min: 0 | 1, max: number): z.ZodString {
  return z.string().regex(new RegExp(`^[ -\\u{D7FF}\\u{E000}-\\u{10FFFF}]{${min},${max}}$`, 'u'), {
    error: `must be ${min} to ${max} characters without control characters or broken Unicode`,
  });
}

/** Text of at most `maxCodePoints` code points, line feeds allowed, may be empty. */
export function prose(maxCodePoints: number): z.ZodString {
  return z
    .string()
    .regex(new RegExp(`^[\\n -\\u{D7FF}\\u{E000}-\\u{10FFFF}]{0,${maxCodePoints}}$`, 'u'), {
      error: `must be at most ${maxCodePoints} characters without control characters (line feeds are fine) or broken Unicode`,
    });
}

/** User ids and model ids: they become part of a stream name and of a NATS subject. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;
export const id = z.string().regex(ID, { error: 'must be 1 to 64 of A–Z a–z 0–9 _ -' });

export function isId(text: string): boolean {
  return ID.test(text);
}

/** Lower-cased, so that one id in two spellings is one id. */
export const uuid = z
  .string()
  .toLowerCase()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, {
    error: 'must be a UUID',
  });

/** RFC 9562 §5.7: carries the time at which it was made. Lower-cased. */
export const uuidV7 = z
  .string()
  .toLowerCase()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, {
    error: 'must be a UUID of version 7',
  });

export const sourceType = line(32);
export const shortText = line(64);
export const longText = prose(500);
/** Why somebody did something that is not everyday: never empty. */
export const reasonText = longText.min(1, { error: 'must say why' });

/** Points, from `min` to 1e12. */
export function points(min: 0 | 1): z.ZodInt {
  return z.int().min(min).max(MAX_POINTS);
}

export function quantity(min: 0 | 1): z.ZodInt {
  return z.int().min(min).max(MAX_QUANTITY);
}

/** The ledger's numeric name of a hold. */
export const recordId = z.int().min(1);

/** Seconds with at most 3 decimals. */
export const seconds = z
  .number()
  .min(0)
  .max(MAX_DURATION_SECONDS)
  .refine((value) => Math.round(value * MS_PER_SECOND) / MS_PER_SECOND === value, {
    error: 'must have at most 3 decimals',
  });

/** Exact: a value that `seconds` accepts is a whole number of milliseconds. */
export function secondsToMs(value: number): number {
  return Math.round(value * MS_PER_SECOND);
}

const LAST_TIME_MS = Date.UTC(9999, 0, 1);

/** ISO-8601 with `Z` or an offset, at most milliseconds, from 1970 to 9998. */
export const time = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-12-31T15:59:59.999Z' })
  .refine(
    (text) => !/\.\d{4}/.test(text) && Date.parse(text) >= 0 && Date.parse(text) < LAST_TIME_MS,
    {
      error: 'must lie between the years 1970 and 9998 and have at most 3 decimals',
    },
  );

/** Free string map of the caller: at most 16 keys and 2 KB of UTF-8 JSON. */
export const metadata = z
  .record(line(64), prose(MAX_METADATA_BYTES))
  .refine((map) => Object.keys(map).length <= MAX_METADATA_KEYS, {
    error: `must have at most ${MAX_METADATA_KEYS} keys`,
  })
  .refine((map) => utf8Length(JSON.stringify(map)) <= MAX_METADATA_BYTES, {
    error: `must be at most ${MAX_METADATA_BYTES} bytes of UTF-8 JSON`,
  });

/** Any JSON object of at most 4 KB and 8 levels; its text follows the same rules. */
export const jsonObject = z
  .record(z.string(), z.unknown())
  .refine((value) => isStorable(value, MAX_JSON_DEPTH), {
    error: `must hold plain JSON of at most ${MAX_JSON_DEPTH} levels without control characters (line feeds are fine) or broken Unicode`,
  })
  .refine((value) => utf8Length(JSON.stringify(value)) <= MAX_JSON_OBJECT_BYTES, {
    error: `must be at most ${MAX_JSON_OBJECT_BYTES} bytes of UTF-8 JSON`,
  });

const STORABLE = /^[\n -\u{D7FF}\u{E000}-\u{10FFFF}]*$/u;

function isStorable(value: unknown, levels: number): boolean {
  if (typeof value === 'string') return STORABLE.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value === 'boolean') return true;
  if (typeof value !== 'object' || levels === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isStorable(item, levels - 1));
  return Object.entries(value).every(
    ([key, item]) => STORABLE.test(key) && isStorable(item, levels - 1),
  );
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
