import type { Source } from './account.ts';
import type { PlacedAccountEvent } from './recall-hold.ts';

/**
 * Rebuilds a recharge that a snapshot has left out: what the account would know of it. `events` are all that concern it,
 * in the order of the stream: it came, points of its batches or of the grace batches that continue them expired, it was
 * taken back. Null when it never came.
 */
export function recallSource(
  sourceRef: string,
  events: readonly PlacedAccountEvent[],
): Source | null {
  return events.reduce<Source | null>((source, placed) => after(source, sourceRef, placed), null);
}

function after(
  source: Source | null,
  sourceRef: string,
  { event, context, revision }: PlacedAccountEvent,
): Source | null {
  const first = { requestHash: context.request_hash, revision: revision - context.index };
  if (event.type === 'PointsRecharged' && event.data.source_ref === sourceRef) {
    const credited = event.data.batches.reduce((sum, { points }) => sum + points, 0);
    return { ...first, credited, expired: 0, reversed: null };
  }
  if (source !== null && event.type === 'BatchExpired')
    return { ...source, expired: source.expired + event.data.points };
  if (source !== null && event.type === 'RechargeReversed' && event.data.source_ref === sourceRef)
    return { ...source, reversed: first };
  return source;
}
