import type { AllStreamResolvedEvent, ResolvedEvent } from '@eventstore/db-client';
import { StoreUnavailableError, isJsonObject } from './event-log.ts';
import type { JsonObject, JsonValue, StoredEvent } from './event-log.ts';

/**
 * The name under which `StoredEvent.data` (or `metadata`) holds what is not a JSON object (or not a flat map of strings)
 * in the store. No event of ours has a field of that name and all of ours have required fields and a hash, so whoever
 * decodes or verifies such an event refuses it, and says what it found.
 */
export const UNREADABLE = '$unreadable';

/**
 * A recorded event as the port gives it, or null for a link whose target is gone.
 *
 * Bytes that are not JSON come as base64 under `UNREADABLE`, JSON that is not an object as it is.
 */
export function toStoredEvent(
  resolved: ResolvedEvent | AllStreamResolvedEvent,
): StoredEvent | null {
  const { event } = resolved;
  if (event === undefined) return null;
  if (event.position === undefined || event.position.commit === NO_POSITION) {
    throw new StoreUnavailableError(
      'the server does not tell the positions of events in a stream (EventStoreDB 22.6 and newer do)',
    );
  }
  return {
    id: event.id,
    type: event.type,
    stream: event.streamId,
    revision: Number(event.revision),
    position: event.position.commit,
    createdMs: event.created.getTime(),
    data: toData(event.data),
    metadata: toMetadata(event.metadata),
  };
}

/** What servers send for "no position": all 64 bits set. */
const NO_POSITION = 0xffff_ffff_ffff_ffffn;

/** The client has parsed JSON already; what it could not parse comes as text, what is not marked as JSON as bytes. */
function toData(data: unknown): JsonObject {
  if (data instanceof Uint8Array) return { [UNREADABLE]: Buffer.from(data).toString('base64') };
  return isJsonObject(data) ? data : { [UNREADABLE]: isJson(data) ? data : null };
}

function toMetadata(metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (metadata instanceof Uint8Array)
    return { [UNREADABLE]: Buffer.from(metadata).toString('base64') };
  return isFlatStringMap(metadata) ? metadata : { [UNREADABLE]: JSON.stringify(metadata) };
}

function isJson(value: unknown): value is JsonValue {
  return value === null || ['string', 'number', 'boolean', 'object'].includes(typeof value);
}

function isFlatStringMap(value: unknown): value is Record<string, string> {
  return isJsonObject(value) && Object.values(value).every((item) => typeof item === 'string');
}
