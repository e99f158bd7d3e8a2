import { hash as digest } from 'node:crypto';
import { canonicalJson } from '@points/event-store/canonical-json';
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
 * `line` has to come from valid UTF-8: a decoder that puts U+FFFD for bad bytes would hide them from this judge.
 * A canonical line holds the hashed text already: it is cut out of the line, not written anew.
 */
export function readSealedLine(line: string): SealedLine {
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
  const text = hashedText(line, event);
  const computed = text === null ? contentHash(event) : digest('sha256', text, 'hex');
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
const HASH = /^[0-9a-f]{64}$/;

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
  const { hash, prev_hash } = metadata as Record<string, string>;
  if (hash === undefined || !HASH.test(hash)) return 'has no metadata.hash of 64 hex digits';
  if (prev_hash === undefined || !HASH.test(prev_hash)) {
    return 'has no metadata.prev_hash of 64 hex digits';
  }
  return null;
}

/**
 * The text that the hash of a canonical line covers; null when it has to be written anew (metadata that servers add).
 *
 * The line ends in scalars, and metadata is a flat map of texts, in which a quote is always escaped: so the last
 * `,"position":"` and the last `,"metadata":{` before it are members of the event itself.
 */
function hashedText(line: string, { metadata }: LineEvent): string | null {
  const position = line.lastIndexOf(',"position":"');
  const start = line.lastIndexOf(',"metadata":{', position);
  const map = line.slice(start, position);
  if (map.includes('"$schema.')) return null;
  const member = `"hash":"${metadata['hash']}"`;
  const at = map.indexOf(member);
  const id = line.lastIndexOf(',"id":"', start);
  const revision = line.indexOf(',"revision":', position);
  // In front of "prev_hash" at the latest, so a comma follows.
  return (
    line.slice(0, id) + map.slice(0, at) + map.slice(at + member.length + 1) + line.slice(revision)
  );
}

/** Null when `line` is the canonical text of `value`. */
function whyNotCanonical(value: JsonValue, line: string): string | null {
  try {
    // What JSON.stringify writes is canonical except for the order of names, and lone surrogates.
    if (JSON.stringify(value) === line && isSorted(value) && !line.includes('\\ud')) return null;
    const canonical = canonicalJson(value);
    return canonical === line
      ? null
      : `is not canonical JSON (RFC 8785): ${difference(line, canonical)}`;
  } catch (error) {
    if (error instanceof TypeError) return `is not canonical JSON (RFC 8785): ${error.message}`;
    if (error instanceof RangeError) return 'is nested too deeply';
    throw error;
  }
}

/** Names that look like array indexes come first in every object, so they are out of order unless they are alone or sorted. */
function isSorted(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) if (!isSorted(item)) return false;
    return true;
  }
  const members = value as JsonObject;
  let before = '';
  for (const name in members) {
    if (name < before) return false;
    before = name;
    const member = members[name];
    if (typeof member === 'object' && !isSorted(member)) return false;
  }
  return true;
}

const SHOWN_UNITS = 24;

function difference(line: string, canonical: string): string {
  let at = 0;
  while (line[at] === canonical[at]) at += 1;
  const shown = (text: string) => JSON.stringify(text.slice(at, at + SHOWN_UNITS));
  return `at character ${at + 1} it has ${shown(line)}, canonical is ${shown(canonical)}`;
}
