import { hash as digest } from 'node:crypto';
import { MAX_JSON_DEPTH, canonicalJson } from '@points/event-store/canonical-json';
import { isJsonObject, type JsonObject, type JsonValue } from '@points/event-store/event-log';
import { contentHash, eventIdOf } from '@points/event-store/hash-chain';
import type { AuditEvent } from './audit-event.ts';
import type { FindingKind } from './finding.ts';

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
 *
 * `line` has to come from valid UTF-8: a decoder that puts U+FFFD for bad bytes would hide them from this judge. `bytes`
 * are the same line as they stood in the file, if they are at hand: they are hashed as they are.
 * A canonical line holds the hashed text already: it is cut out of the line, not written anew.
 */
export function readSealedLine(line: string, bytes?: Buffer): SealedLine {
  let value: JsonValue;
  try {
    value = JSON.parse(line);
  } catch {
    return { event: null, problem: { kind: 'not_json', message: 'is not JSON' } };
  }
  const shapeProblem = problemOfShape(value);
  if (shapeProblem !== null) {
    return { event: null, problem: { kind: 'not_an_event', message: shapeProblem } };
  }
  const event = value as unknown as LineEvent;
  const notCanonical = whyNotCanonical(value, line);
  if (notCanonical !== null) {
    return { event, problem: { kind: 'not_canonical', message: notCanonical } };
  }
  const computed = hashOfLine(line, bytes, event) ?? contentHash(event);
  return { event, problem: problemOfSeal(event, computed) };
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

const MEMBERS = new Set(['data', 'id', 'metadata', 'position', 'revision', 'stream', 'type']);
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

/**
 * The hash of a canonical line, whose hashed text is the line without some of its parts; null when it has to be written
 * anew (metadata that servers add).
 *
 * The line ends in scalars, and metadata is a flat map of texts, in which a quote is always escaped: so the last
 * `,"position":"` and the last `,"metadata":{` before it are members of the event itself.
 */
function hashOfLine(
  line: string,
  bytes: Buffer | undefined,
  { metadata }: LineEvent,
): string | null {
  const position = line.lastIndexOf(',"position":"');
  const map = line.lastIndexOf(',"metadata":{', position);
  if (line.slice(map, position).includes('"$schema.')) return null;
  const member = `"hash":"${metadata['hash']}"`;
  const from = line.indexOf(member, map);
  // In front of "prev_hash" at the latest, so a comma follows.
  const to = from + member.length + 1;
  const id = line.lastIndexOf(',"id":"', map);
  const revision = line.indexOf(',"revision":', position);
  const further = bytes === undefined ? null : bytesBefore(line, bytes, id);
  if (bytes === undefined || further === null || bytes.length > joined.length) {
    const text =
      line.slice(0, id) + line.slice(map, from) + line.slice(to, position) + line.slice(revision);
    return digest('sha256', text, 'hex');
  }
  let end = bytes.copy(joined, 0, 0, id + further);
  end += bytes.copy(joined, end, map + further, from + further);
  end += bytes.copy(joined, end, to + further, position + further);
  end += bytes.copy(joined, end, revision + further);
  return digest('sha256', joined.subarray(0, end), 'hex');
}

/** A usual line has 1,300 bytes. Longer ones are hashed from their text. */
const joined = Buffer.alloc(16 * 1024);
const ASCII = /^[ -~]*$/;

/** How many bytes further than in the text everything from `at` on is; null when that is not the same for all of it. */
function bytesBefore(line: string, bytes: Buffer, at: number): number | null {
  const further = bytes.length - line.length;
  return further === 0 || ASCII.test(line.slice(at)) ? further : null;
}

/** Null when `line` is the canonical text of `value`. */
function whyNotCanonical(value: JsonValue, line: string): string | null {
  try {
    mayBeShorter = false;
    const isShortest = shortestUnits(value, 0) === line.length;
    if (isShortest && !(mayBeShorter && EXPONENT.test(line))) return null;
    const canonical = canonicalJson(value);
    return canonical === line
      ? null
      : `is not canonical JSON (RFC 8785): ${difference(line, canonical)}`;
  } catch (error) {
    if (error instanceof TypeError) return `is not canonical JSON (RFC 8785): ${error.message}`;
    throw error;
  }
}

/** The one way to write a value shorter than canonical JSON does (`1e3`), or a text that looks like it. */
const EXPONENT = /[:,[]\s*-?\d[\d.]*[eE]/;

/** Whether the value in hand has a number that an exponent writes in no more characters: 100 and its like, and fractions. */
let mayBeShorter = false;

const NOT_PLAIN = Number.NaN;

/**
 * How long the canonical text is when no text in it needs an escape; NaN when names are out of order, or when nobody can
 * say because they look like array indexes, which JavaScript puts first.
 *
 * Without exponents no text of a value is shorter than the canonical one: white space, other escapes, longer numbers and
 * repeated names each add to it. So a line that is just that long is canonical, and nothing has to be written anew to
 * see that, which would be a third of the work on a line.
 */
function shortestUnits(value: JsonValue, depth: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value === 'number') {
    if ((value % 100 === 0 && value !== 0) || !Number.isInteger(value)) mayBeShorter = true;
    return `${value}`.length;
  }
  if (typeof value === 'boolean' || value === null) return `${value}`.length;
  if (depth >= MAX_JSON_DEPTH) return NOT_PLAIN;
  return Array.isArray(value)
    ? unitsOfArray(value as readonly JsonValue[], depth + 1)
    : unitsOfObject(value as JsonObject, depth + 1);
}

function unitsOfArray(items: readonly JsonValue[], depth: number): number {
  let units = items.length === 0 ? 2 : items.length + 1;
  for (const item of items) units += shortestUnits(item, depth);
  return units;
}

function unitsOfObject(members: JsonObject, depth: number): number {
  let units = 2;
  let before: string | null = null;
  for (const name in members) {
    const first = name.charCodeAt(0);
    if (first >= DIGIT_0 && first <= DIGIT_9) return NOT_PLAIN;
    const member = members[name];
    if (member === undefined || (before !== null && name <= before)) return NOT_PLAIN;
    // Quotes and colon, and a comma after the first.
    units += name.length + (before === null ? 3 : 4) + shortestUnits(member, depth);
    before = name;
  }
  return units;
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

const SHOWN_UNITS = 24;

function difference(line: string, canonical: string): string {
  let at = 0;
  while (line[at] === canonical[at]) at += 1;
  const shown = (text: string) => JSON.stringify(text.slice(at, at + SHOWN_UNITS));
  return `at character ${at + 1} it has ${shown(line)}, canonical is ${shown(canonical)}`;
}
