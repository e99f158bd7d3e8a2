import type { JsonValue } from './event-log.ts';

/**
 * The one canonical text of a JSON value, by RFC 8785 (JSON Canonicalization Scheme): no white space, members sorted by
 * the UTF-16 code units of their names, numbers and strings as ECMAScript's `JSON.stringify` writes them.
 *
 * Members that are `undefined` are skipped, as `JSON.stringify` does, so that the text is the same before an event is
 * stored and after it was read back. Everything else that JSON cannot carry unchanged (NaN, infinities, bigint, lone
 * surrogates, `undefined` elsewhere, Dates and other class instances) throws `TypeError`, and so does nesting beyond
 * `MAX_JSON_DEPTH`.
 */
export function canonicalJson(value: JsonValue): string {
  return textOf(value, 0);
}

/** Levels of arrays and objects in one another; no event of ours has ten. Deeper ones would hang on the stack's size. */
export const MAX_JSON_DEPTH = 256;

function textOf(value: JsonValue, depth: number): string {
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number') return canonicalNumber(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (depth >= MAX_JSON_DEPTH)
    throw new TypeError(`nested more than ${MAX_JSON_DEPTH} levels deep`);
  if (Array.isArray(value))
    return `[${value.map((item: JsonValue) => textOf(item, depth + 1)).join(',')}]`;
  if (!isPlainObject(value)) throw new TypeError(`not a JSON value: ${describe(value)}`);
  let members = '';
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${canonicalString(name)}:${textOf(member, depth + 1)}`;
  }
  return `{${members}}`;
}

/** A string as RFC 8785 writes it; throws `TypeError` on a lone surrogate. */
export function canonicalString(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  const text = JSON.stringify(value);
  // JSON.stringify escapes only lone surrogates as \ud…; a literal backslash before "ud" looks the same, hence the second look.
  if (text.includes('\\ud') && /\p{Surrogate}/u.test(value)) {
    throw new TypeError(`not well-formed Unicode: ${text}`);
  }
  return text;
}

/** Printable ASCII without `"` and backslash, which is nearly every string of an event: nothing to escape, and cheap to see. */
const PLAIN = /^[ !#-[\]-~]*$/;

function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`);
  return `${value}`;
}

function isPlainObject(
  value: unknown,
): value is { readonly [name: string]: JsonValue | undefined } {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  return typeof value === 'object' ? Object.prototype.toString.call(value) : typeof value;
}
