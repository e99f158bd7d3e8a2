import { hash } from 'node:crypto';
import { parse } from 'uuid';
import { canonicalJson, canonicalString } from './canonical-json.ts';
import type { EventToAppend, JsonObject, StoredEvent } from './event-log.ts';

/** `prev_hash` of the first event of a stream (revision 0). */
export const GENESIS_HASH = '0'.repeat(64);

/** An event before it has its place in a stream, and so its hash and id. */
export interface EventDraft {
  readonly type: string;
  readonly data: JsonObject;
  /** Flat map of strings; `hash` and `prev_hash` are added by the chain. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Gives drafts their place in the chain of one stream: adds `prev_hash` and `hash` to each metadata and derives the id.
 *
 * hash = lower-case hex of SHA-256 over the RFC 8785 JSON of `{stream, revision, type, data, metadata}`, metadata without
 * `hash` and without `$schema.*`, revision as a JSON number. id = UUIDv5 of the hash: the same id means the same content
 * at the same place, so a store that accepts a resend by its ids can only ever accept the identical events.
 *
 * `previousHash` is the hash of the event at `firstRevision - 1` (`GENESIS_HASH` when `firstRevision` is 0).
 * Throws `TypeError` when a draft has metadata that the chain or the server owns, or values that JSON cannot carry.
 */
export function chainEvents(
  stream: string,
  firstRevision: number,
  previousHash: string,
  drafts: readonly EventDraft[],
): EventToAppend[] {
  let prevHash = previousHash;
  return drafts.map((draft, index) => {
    for (const name in draft.metadata) {
      if (name === 'hash' || name === 'prev_hash' || isServerMetadata(name)) {
        throw new TypeError(`metadata.${name} is not the writer's to set`);
      }
    }
    const hashed = { ...draft.metadata, prev_hash: prevHash };
    const eventHash = hashOf(stream, firstRevision + index, draft.type, draft.data, hashed);
    prevHash = eventHash;
    return {
      id: eventIdOf(eventHash),
      type: draft.type,
      data: draft.data,
      metadata: { ...hashed, hash: eventHash },
    };
  });
}

/**
 * Null when the event is whole and follows the event whose hash is `previousHash`; else one sentence that says what is
 * wrong. `position` and `createdMs` are the store's own and not covered by the hash.
 */
export function verifyEvent(stored: StoredEvent, previousHash: string): string | null {
  const storedHash = stored.metadata['hash'];
  const storedPrevHash = stored.metadata['prev_hash'];
  if (storedHash === undefined) return 'metadata.hash is missing';
  if (storedPrevHash !== previousHash) {
    return `metadata.prev_hash is ${storedPrevHash ?? 'missing'}, expected ${previousHash}`;
  }
  let computed: string;
  try {
    computed = contentHash(stored);
  } catch (error) {
    return `content cannot be hashed: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (computed !== storedHash)
    return `content hashes to ${computed}, metadata.hash says ${storedHash}`;
  const id = eventIdOf(computed);
  return stored.id === id ? null : `id is ${stored.id}, its hash gives ${id}`;
}

/** What `metadata.hash` of a stored event has to be. Throws `TypeError` when it holds values that JSON cannot carry. */
export function contentHash(
  stored: Pick<StoredEvent, 'stream' | 'revision' | 'type' | 'data' | 'metadata'>,
): string {
  const hashed: Record<string, string> = {};
  for (const [name, value] of Object.entries(stored.metadata)) {
    if (name !== 'hash' && !isServerMetadata(name)) hashed[name] = value;
  }
  return hashOf(stored.stream, stored.revision, stored.type, stored.data, hashed);
}

/** Fixed for ever: another namespace would change every event id. */
const ID_NAMESPACE = parse('6f1c2b0e-6a3d-5c58-9d0a-8f4be1d7a2c5');

/** UUIDv5 (RFC 9562 §5.5) of an event's hash, 64 hex digits. An audit asks for millions, so it is written out here. */
export function eventIdOf(eventHash: string): string {
  nameInSpace.write(eventHash, NAMESPACE_BYTES, 'latin1');
  const hex = hash('sha1', nameInSpace, 'hex');
  const variant = VARIANTS[Number.parseInt(hex.charAt(16), 16) & 3] ?? '';
  return (
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}` +
    `-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
  );
}

const NAMESPACE_BYTES = 16;
const HASH_DIGITS = 64;
/** By the two low bits of the first digit: the RFC's variant in front of them. */
const VARIANTS = ['8', '9', 'a', 'b'];
const nameInSpace = Buffer.alloc(NAMESPACE_BYTES + HASH_DIGITS);
nameInSpace.set(ID_NAMESPACE);

/** Written out in canonical member order (data, metadata, revision, stream, type): one string per event, no throw-away object. */
function hashOf(
  stream: string,
  revision: number,
  type: string,
  data: JsonObject,
  metadata: Readonly<Record<string, string>>,
): string {
  const text =
    `{"data":${canonicalJson(data)},"metadata":${canonicalJson(metadata)},"revision":${canonicalJson(revision)}` +
    `,"stream":${canonicalString(stream)},"type":${canonicalString(type)}}`;
  return hash('sha256', text, 'hex');
}

/** Newer servers add these to stored metadata, so no hash can cover them. */
function isServerMetadata(name: string): boolean {
  return name.startsWith('$schema.');
}
