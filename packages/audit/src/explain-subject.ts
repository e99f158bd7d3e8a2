import { parseStream } from '@points/contracts/streams';
import type { AuditEvent } from './audit-event.ts';

/** What an id names. */
export type Subject =
  | { readonly kind: 'hold'; readonly hold_id: string }
  | { readonly kind: 'recharge'; readonly source_ref: string }
  /** An event that belongs to neither: an adjustment, an expiry, a freeze, a membership. */
  | { readonly kind: 'event'; readonly revision: number };

export interface FoundSubject {
  readonly accountId: string;
  readonly subject: Subject;
}

/** More than one account has it: a source_ref and a record_id are unique within their account only. */
export interface AmbiguousId {
  /** The first two, in the order of the log. */
  readonly accountIds: readonly [string, string];
}

/**
 * Looks through all events for what an id names, the first of its account: hold_id, record_id, task_no, source_ref,
 * transaction_id (the event's id) or log position. A hold that a late confirm placed is told with the one that had expired. Events are looked at as they are; whoever reports them checks them. Null = none.
 */
export async function findSubject(
  events: AsyncIterable<AuditEvent> | Iterable<AuditEvent>,
  id: string,
): Promise<FoundSubject | AmbiguousId | null> {
  const lateOf = new Map<string, string>();
  let found: FoundSubject | null = null;
  for await (const event of events) {
    const { hold_id, late_of } = event.data;
    if (typeof hold_id === 'string' && typeof late_of === 'string') lateOf.set(hold_id, late_of);
    const name = parseStream(event.stream);
    if (name?.category !== 'account' || !isNamedBy(event, id)) continue;
    const { accountId } = name;
    found ??= { accountId, subject: subjectOf(event, lateOf) };
    if (found.accountId !== accountId) return { accountIds: [found.accountId, accountId] };
  }
  return found;
}

function isNamedBy({ id: eventId, position, data }: AuditEvent, id: string): boolean {
  return (
    eventId === id ||
    String(position) === id ||
    data['hold_id'] === id ||
    data['task_no'] === id ||
    data['source_ref'] === id ||
    (data['record_id'] !== undefined && String(data['record_id']) === id)
  );
}

function subjectOf({ data, revision }: AuditEvent, lateOf: ReadonlyMap<string, string>): Subject {
  const { hold_id, source_ref } = data;
  if (typeof hold_id === 'string') return { kind: 'hold', hold_id: lateOf.get(hold_id) ?? hold_id };
  if (typeof source_ref === 'string') return { kind: 'recharge', source_ref };
  return { kind: 'event', revision };
}
