import type { JsonValue } from '@points/event-store/event-log';

/**
 * Raw text has one UTF-16 unit for each byte of a text's UTF-8, which is what reading UTF-8 as Latin-1 gives: equal
 * texts stay equal, ASCII stays what it is, and reading it costs a fifth. Whoever judges lines keeps every text raw, and
 * makes it readable when a person is to read it.
 */
export function readable(raw: string): string {
  return raw.replace(BEYOND_ASCII, (bytes) => Buffer.from(bytes, 'latin1').toString('utf8'));
}

/** The same value with raw texts. */
export function rawValue<Value>(value: Value): Value {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) return value;
  return JSON.parse(Buffer.from(json, 'utf8').toString('latin1')) as JsonValue as Value;
}

const BEYOND_ASCII = /[\u0080-\u00FF]+/g;
