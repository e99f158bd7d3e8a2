import { APPEND_MAX_BYTES } from './eventstoredb-guards.ts';
import { type EventLog, type JsonObject, type StoredEvent, isJsonObject } from './event-log.ts';
import { GENESIS_HASH, chainEvents, verifyEvent } from './hash-chain.ts';

/**
 * Snapshots are events of cache streams, of which the store keeps the last only (`keepLastOnly`). Nothing depends on
 * them: whoever finds none, or one that it cannot use, reads the log itself.
 *
 * They carry the same chain as every event of ours, and it says two things of them. `hash` proves the content, so that
 * damage is found before it is believed. `prev_hash` names the snapshot that this one took the place of; readers do not
 * check it, since that one is gone.
 */
export const SNAPSHOT_TYPE = 'SnapshotTaken';

export interface Snapshot {
  /** Of the fold and of the encoding: another version's snapshot is of no use. */
  readonly version: string;
  /** What of the log the state rests on. */
  readonly at: JsonObject;
  readonly state: JsonObject;
}

/** The snapshot cannot be used; the message says why. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** Throws `SnapshotError` when the event is damaged, of another version or no snapshot at all. */
export function readSnapshot(event: StoredEvent, version: string): Snapshot {
  if (event.type !== SNAPSHOT_TYPE) throw new SnapshotError(`it is a ${event.type}`);
  const damage = verifyEvent(event, event.metadata['prev_hash'] ?? '');
  if (damage !== null) throw new SnapshotError(damage);
  const { version: written, at, state } = event.data;
  if (written !== version)
    throw new SnapshotError(`it is of version ${String(written)}, not ${version}`);
  if (!isJsonObject(at) || !isJsonObject(state))
    throw new SnapshotError('it is not shaped like a snapshot');
  return { version, at, state };
}

/** `superseded`: another writer was first. `too_large`: one append cannot carry it; nothing was written. */
export type SnapshotWriting = 'written' | 'superseded' | 'too_large';

/**
 * Puts a snapshot in the place of `last`, the last event read of that stream (null = it had none). Throws what
 * `EventLog.append` throws.
 */
export async function writeSnapshot(
  log: EventLog,
  stream: string,
  last: StoredEvent | null,
  snapshot: Snapshot,
): Promise<SnapshotWriting> {
  const data: JsonObject = { version: snapshot.version, at: snapshot.at, state: snapshot.state };
  if (Buffer.byteLength(JSON.stringify(data)) > APPEND_MAX_BYTES - ENVELOPE_BYTES)
    return 'too_large';
  // Before the first event, so that there is never a second one to keep.
  if (last === null) await log.keepLastOnly(stream);
  const revision = last?.revision ?? -1;
  const events = chainEvents(stream, revision + 1, last?.metadata['hash'] ?? GENESIS_HASH, [
    { type: SNAPSHOT_TYPE, data, metadata: { schema: `${SNAPSHOT_TYPE}.v1` } },
  ]);
  const result = await log.append(stream, events, revision < 0 ? 'no_stream' : revision);
  return result.outcome === 'appended' ? 'written' : 'superseded';
}

/** Type and metadata of a snapshot, with room to spare. */
const ENVELOPE_BYTES = 1_024;
