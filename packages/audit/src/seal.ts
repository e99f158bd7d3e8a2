import { isAscii, isUtf8 } from 'node:buffer';
import { hash as digest } from 'node:crypto';
import { MAX_JSON_DEPTH, canonicalJson } from '@points/event-store/canonical-json';
import { isJsonObject, type JsonObject, type JsonValue } from '@points/event-store/event-log';
import { contentHash, eventIdOf } from '@points/event-store/hash-chain';
import type { AuditEvent } from './audit-event.ts';
import type { FindingKind } from './finding.ts';
import { rawValue, readable } from './raw-text.ts';

/** One event as its line of an export says it; the position in decimal. */
export interface LineEvent extends Omit<AuditEvent, 'position'> {
  readonly position: string;
}

export interface SealProblem {
  readonly kind: FindingKind;
  /** Goes on after "event 3 of account-u1 " or "line 7 ". */
  readonly message: string;
}

export interface SealedLine {
  /** Null when the line is no event at all. */
  readonly event: LineEvent | null;
  readonly problem: SealProblem | null;
}

/**
 * Judges one line of an export by itself: an event as canonical JSON (RFC 8785), `metadata.hash` the SHA-256 of its
 * content, `id` the UUIDv5 of that hash. Whether it is the right event at this place is for the chains.
 */
export function readSealedLine(line: Buffer): SealedLine {
  const { event, problem } = readRawLine(line);
  if (event === null || (isAscii(line) && !line.includes(ESCAPE))) return { event, problem };
  return { event: JSON.parse(line.toString('utf8')), problem };
}

/** The same, some two times as fast: the texts of the event are raw (see `raw-text.ts`), those of the problem are not. */
export function readRawLine(line: Buffer): SealedLine {
  // A decoder would put U+FFFD for bad bytes, and the change would be gone.
  if (!isUtf8(line)) return NOT_UTF8;
  let value: JsonValue;
  try {
    value = JSON.parse(line.toString('latin1'));
  } catch {
    return NOT_JSON;
  }
  const shapeProblem = problemOfShape(value);
  if (shapeProblem !== null) {
    return { event: null, problem: { kind: 'not_an_event', message: readable(shapeProblem) } };
  }
  const event = value as unknown as LineEvent;
  const parts = partsOfLine(event, line);
  if (parts === null) return readAtLength(event, line);
  const problem = problemOfSeal(event, hashOfParts(line, parts));
  if (problem === null) return { event, problem };
  return { event, problem: { ...problem, message: readable(problem.message) } };
}

const NOT_UTF8: SealedLine = {
  event: null,
  problem: { kind: 'not_json', message: 'is not UTF-8' },
};
const NOT_JSON: SealedLine = { event: null, problem: { kind: 'not_json', message: 'is not JSON' } };

/** The long way: the canonical text is written and compared. `raw` is the line's event. */
function readAtLength(raw: LineEvent, line: Buffer): SealedLine {
  const text = line.toString('utf8');
  const event: LineEvent = JSON.parse(text);
  if (LONE_SURROGATE.test(event.stream))
    return {
      event: null,
      problem: { kind: 'not_an_event', message: 'has a stream of no Unicode' },
    };
  // Read as Latin-1 an escape stands for itself, and not for the bytes that UTF-8 has for it.
  return {
    event: line.includes(ESCAPE) ? rawValue(event) : raw,
    problem: problemOfText(event, text),
  };
}

const ESCAPE = '\\u';
const LONE_SURROGATE = /\p{Surrogate}/u;

function problemOfText(event: LineEvent, line: string): SealProblem | null {
  try {
    const canonical = canonicalJson(event as unknown as JsonObject);
    if (canonical === line) return problemOfSeal(event, contentHash(event));
    return notCanonical(difference(line, canonical));
  } catch (error) {
    if (error instanceof TypeError) return notCanonical(error.message);
    throw error;
  }
}

function notCanonical(why: string): SealProblem {
  return { kind: 'not_canonical', message: `is not canonical JSON (RFC 8785): ${why}` };
}

/** The same for an event that was read from a store, whose JSON text nobody sees. Null when it is sealed. */
export function problemOfEvent(event: Omit<AuditEvent, 'position'>): SealProblem | null {
  const metadataProblem = problemOfMetadata(event.metadata);
  if (metadataProblem !== null) return { kind: 'not_an_event', message: metadataProblem };
  let computed: string;
  try {
    computed = contentHash(event);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { kind: 'not_canonical', message: `cannot be written as JSON: ${error.message}` };
  }
  return problemOfSeal(event, computed);
}

function problemOfSeal(event: Omit<AuditEvent, 'position'>, computed: string): SealProblem | null {
  const stored = event.metadata['hash'];
  if (computed !== stored) {
    return {
      kind: 'wrong_hash',
      message: `was changed: its content hashes to ${computed}, metadata.hash says ${stored}`,
    };
  }
  const id = eventIdOf(computed);
  if (event.id === id) return null;
  return { kind: 'wrong_event_id', message: `has id ${event.id}, its hash gives ${id}` };
}

const MEMBERS_IN_ORDER = ['data', 'id', 'metadata', 'position', 'revision', 'stream', 'type'];
const MEMBERS = new Set(MEMBERS_IN_ORDER);
const POSITION = /^(0|[1-9]\d{0,19})$/;

function problemOfShape(value: JsonValue): string | null {
  if (!isJsonObject(value)) return 'is no JSON object';
  const { data, id, metadata, position, revision, stream, type } = value;
  for (const name in value)
    if (!MEMBERS.has(name)) return `has a member "${name}", which events have not`;
  if (!isJsonObject(data)) return 'has no data';
  if (typeof id !== 'string') return 'has no id';
  if (!isJsonObject(metadata)) return 'has no metadata';
  if (typeof position !== 'string' || !POSITION.test(position)) return 'has no position';
  if (typeof revision !== 'number' || !Number.isSafeInteger(revision) || revision < 0) {
    return 'has no revision';
  }
  if (typeof stream !== 'string') return 'has no stream';
  if (typeof type !== 'string') return 'has no type';
  return problemOfMetadata(metadata);
}

function problemOfMetadata(metadata: JsonObject): string | null {
  for (const name in metadata) {
    if (typeof metadata[name] !== 'string') return `has metadata.${name} that is no text`;
  }
  // Whether they are the right ones is seen later: a hash by its content, prev_hash by the event before.
  if (metadata['hash'] === undefined) return 'has no metadata.hash';
  if (metadata['prev_hash'] === undefined) return 'has no metadata.prev_hash';
  return null;
}

/** Where in a canonical line the parts begin that its hash does not cover; in bytes. */
interface LineParts {
  /** `,"id":"…"` */
  readonly id: number;
  /** `,"metadata":{…}` */
  readonly metadata: number;
  /** `"hash":"…",` in there: a comma follows, since `prev_hash` comes after it. */
  readonly hash: number;
  readonly afterHash: number;
  /** `,"position":"…"` */
  readonly position: number;
  /** `,"revision":…` */
  readonly revision: number;
}

/**
 * The parts of a canonical line; null when it is not canonical, or when the short way cannot tell: texts that need an
 * escape, fractions and numbers beyond exact arithmetic, metadata that servers add.
 *
 * Without those, and without exponents, no text of a value is shorter than the canonical one: white space, other escapes, longer numbers and
 * repeated names each add to it. So a line that is just as long as its value is at least, with its names in order, is
 * canonical, and nothing has to be written anew to see that, which would be a third of the work on a line.
 */
function partsOfLine(event: LineEvent, line: Buffer): LineParts | null {
  const { data, id, metadata, position, revision, stream, type } = event;
  mayBeShorter = mayHaveExponent(revision);
  hasAstral = ASTRAL_LEADS.some((byte) => line.includes(byte));
  const idAt = '{"data":'.length + shortestBytes(data, 1);
  const metadataAt = idAt + ',"id":""'.length + id.length;
  const positionAt = metadataAt + ',"metadata":'.length + shortestMetadata(metadata);
  const revisionAt = positionAt + ',"position":""'.length + position.length;
  const streamAt = revisionAt + ',"revision":'.length + digitsOf(revision);
  const end = streamAt + ',"stream":"","type":""}'.length + stream.length + type.length;
  // Also when something was NaN.
  if (end !== line.length || !hasMembersInOrder(event)) return null;
  if (mayBeShorter && EXPONENT.test(line.toString('latin1'))) return null;
  const hash = metadataAt + ',"metadata":'.length + hashAt;
  const afterHash = hash + '"hash":"",'.length + (metadata['hash'] ?? '').length;
  return {
    id: idAt,
    metadata: metadataAt,
    hash,
    afterHash,
    position: positionAt,
    revision: revisionAt,
  };
}

function hasMembersInOrder(event: LineEvent): boolean {
  let place = 0;
  for (const name in event) {
    if (name !== MEMBERS_IN_ORDER[place]) return false;
    place += 1;
  }
  return true;
}

/** SHA-256 of the line without those parts, which is the text that was hashed. */
function hashOfParts(line: Buffer, parts: LineParts): string {
  const hashed = line.length <= scratch.length ? scratch : new Uint8Array(line.length);
  hashed.set(line);
  let end = parts.id;
  hashed.copyWithin(end, parts.metadata, parts.hash);
  end += parts.hash - parts.metadata;
  hashed.copyWithin(end, parts.afterHash, parts.position);
  end += parts.position - parts.afterHash;
  hashed.copyWithin(end, parts.revision, line.length);
  end += line.length - parts.revision;
  return digest('sha256', hashed.subarray(0, end), 'hex');
}

/** A usual line has 1,300 bytes. */
const scratch = new Uint8Array(16 * 1024);

/** The one way to write a value shorter than canonical JSON does (`1e3`), or a text that looks like it. */
const EXPONENT = /[:,[]\s*-?\d[\d.]*[eE]/;

/** Whether the value in hand has a number that an exponent writes in no more characters. */
let mayBeShorter = false;

/** 100 and its like. */
function mayHaveExponent(whole: number): boolean {
  return whole % 100 === 0 && whole !== 0;
}

/**
 * Names are sorted by UTF-16 code units, and raw text compares by bytes: another order only where a character beyond
 * U+FFFF is compared, whose UTF-8 begins with one of these bytes.
 */
const ASTRAL_LEADS = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4];
let hasAstral = false;
const BEYOND_ASCII = /[\u0080-\u00FF]/;

/** Where the member `hash` begins in the metadata in hand. */
let hashAt = 0;

const NOT_PLAIN = Number.NaN;

/**
 * How many bytes the canonical text of a value with raw texts has when none of them needs an escape; NaN when names are
 * out of order, or when the short way cannot say.
 */
function shortestBytes(value: JsonValue, depth: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value === 'number') {
    // Fractions, and numbers that have several texts of one length.
    if (!Number.isSafeInteger(value)) return NOT_PLAIN;
    mayBeShorter ||= mayHaveExponent(value);
    return digitsOf(value);
  }
  if (typeof value === 'boolean' || value === null) return `${value}`.length;
  if (depth >= MAX_JSON_DEPTH) return NOT_PLAIN;
  return Array.isArray(value)
    ? shortestArray(value as readonly JsonValue[], depth + 1)
    : shortestObject(value as JsonObject, depth + 1);
}

function shortestArray(items: readonly JsonValue[], depth: number): number {
  let bytes = items.length === 0 ? 2 : items.length + 1;
  for (const item of items) bytes += shortestBytes(item, depth);
  return bytes;
}

function shortestObject(members: JsonObject, depth: number): number {
  let bytes = 2;
  let before = '';
  for (const name in members) {
    const member = members[name];
    if (member === undefined || !mayFollow(name, before, bytes > 2)) return NOT_PLAIN;
    // Quotes and colon, and a comma after the first.
    bytes += name.length + (bytes === 2 ? 3 : 4) + shortestBytes(member, depth);
    before = name;
  }
  return bytes;
}

/** The same for metadata, where it also sees where the hash is. */
function shortestMetadata(metadata: LineEvent['metadata']): number {
  let bytes = 2;
  let before = '';
  for (const name in metadata) {
    const text = metadata[name];
    if (text === undefined || !mayFollow(name, before, bytes > 2)) return NOT_PLAIN;
    if (name.startsWith('$schema.')) return NOT_PLAIN;
    if (name === 'hash') hashAt = bytes === 2 ? 1 : bytes;
    bytes += name.length + (bytes === 2 ? 5 : 6) + text.length;
    before = name;
  }
  return bytes;
}

/** Whether a name is in its place: behind the one before it, and no array index, which JavaScript puts first. */
function mayFollow(name: string, before: string, hasBefore: boolean): boolean {
  const first = name.charCodeAt(0);
  if (first >= DIGIT_0 && first <= DIGIT_9) return false;
  if (hasBefore && name <= before) return false;
  return !(hasAstral && BEYOND_ASCII.test(name));
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** How many characters the canonical text of a safe integer has. */
function digitsOf(value: number): number {
  let rest = Math.abs(value);
  let digits = value < 0 ? 2 : 1;
  for (; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  return digits;
}

const SHOWN_UNITS = 24;

function difference(line: string, canonical: string): string {
  let at = 0;
  while (line[at] === canonical[at]) at += 1;
  const shown = (text: string) => JSON.stringify(text.slice(at, at + SHOWN_UNITS));
  return `at character ${at + 1} it has ${shown(line)}, canonical is ${shown(canonical)}`;
}
