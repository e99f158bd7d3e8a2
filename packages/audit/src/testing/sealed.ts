import type { RecordedAccountEvent } from '@points/domain/account/events';
import { encodeMetadata } from '@points/contracts/stored-events';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import type { JsonObject } from '@points/event-store/event-log';
import type { AuditEvent } from '../audit-event.ts';

/** For tests: an account's events as the log has them, with their hash chain. Positions go up by 10 from 3. */
export function sealed(
  accountId: string,
  events: readonly RecordedAccountEvent[],
): (AuditEvent & { createdMs: number })[] {
  const stream = `account-${accountId}`;
  const drafts = events.map(({ event, context }) => ({
    type: event.type,
    data: structuredClone(event.data) as unknown as JsonObject,
    metadata: encodeMetadata({
      eventType: event.type,
      // Books hash nothing.
      context: { ...context, request_hash: 'a'.repeat(64) },
      commandName: 'hold',
      actorType: 'client',
      actorId: 'ai-demo',
      correlationId: 'c',
      causationId: 'c',
    }),
  }));
  return chainEvents(stream, 0, GENESIS_HASH, drafts).map((event, revision) => ({
    ...event,
    stream,
    revision,
    position: BigInt(revision * 10 + 3),
    createdMs: Date.parse(event.metadata['occurred_at'] ?? ''),
  }));
}
