import { type LedgerEvent, decodeStoredEvent, schemaName } from '@points/contracts/stored-events';
import { type LedgerStream, parseStream } from '@points/contracts/streams';
import type { AccountEvent, AccountEventType, EventContext } from '@points/domain/account/events';
import type { AuditEvent } from '../audit-event.ts';
import { hasShape, isTime } from './event-shapes.ts';

/**
 * Reads one event of the log. An account's event as it is written today takes a short way; everything else (older
 * shapes, other streams, anything odd) is read by contracts, which throws `UnreadableEventError`. Fields that are not
 * known are left in the data.
 */
export function decodeEvent(event: Omit<AuditEvent, 'position'>): LedgerEvent {
  return decodePresent(parseStream(event.stream), event) ?? decodeStoredEvent(event);
}

/** The short way, `name` being that of the event's stream; null = take the long one. Its texts may be raw. */
export function decodePresent(
  name: LedgerStream | null,
  { type, data, metadata }: Pick<AuditEvent, 'type' | 'data' | 'metadata'>,
): LedgerEvent | null {
  if (name?.category !== 'account') return null;
  const context = contextOf(metadata);
  if (context === null || !hasShape(type, data)) return null;
  if (metadata['schema'] !== schemaName(type as AccountEventType)) return null;
  // The shape of this type has just been seen, so the pair is what the type says.
  const event = { type, data } as unknown as AccountEvent;
  return { category: 'account', accountId: name.accountId, event, context };
}

const HASH = /^[0-9a-f]{64}$/;
const INDEX = /^(0|[1-9]\d{0,4})$/;

function contextOf(metadata: AuditEvent['metadata']): EventContext | null {
  const { command_id, request_hash, index, occurred_at } = metadata;
  if (typeof command_id !== 'string' || command_id === '') return null;
  if (typeof request_hash !== 'string' || !HASH.test(request_hash)) return null;
  if (typeof index !== 'string' || !INDEX.test(index)) return null;
  if (occurred_at === undefined || !isTime(occurred_at)) return null;
  return { command_id, request_hash, index: Number(index), occurred_at };
}
