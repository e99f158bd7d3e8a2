import { mapValues } from '../persistent-map.ts';
import { formatTime } from '../time.ts';
import type { OpenHold } from './account.ts';
import { freeOf, isDue } from './batches.ts';
import { releaseHold } from './release-hold.ts';
import { type Draft, emit } from './draft.ts';

/** Batches expired and holds canceled by one decision at most; the sweeper comes again. */
export const MAX_EXPIRED_BATCHES = 100;
export const MAX_CANCELED_HOLDS = 100;

/**
 * Expires the free points of due batches; points that open holds pin stay until they are released. However often a
 * decision calls this, it expires no more than `MAX_EXPIRED_BATCHES` in all: a decision must fit into one append.
 */
export function expireDueBatches(draft: Draft): void {
  const due = draft.account.batches.filter(
    (batch) => isDue(batch, draft.nowMs) && freeOf(batch) > 0,
  );
  for (const batch of due.slice(0, MAX_EXPIRED_BATCHES - draft.expiredBatchCount)) {
    draft.expiredBatchCount++;
    emit(draft, {
      type: 'BatchExpired',
      data: {
        batch_id: batch.batchId,
        points: freeOf(batch),
        expired_at: formatTime(batch.expiresMs ?? 0),
        pinned_left: batch.pinned,
      },
    });
  }
}

/**
 * Cancels holds whose expiry and grace have passed, oldest expiry first. A settlement that was queued in time always
 * wins: nothing is overdue later than the watermark, and nothing at all while the watermark is unknown.
 */
export function cancelOverdueHolds(draft: Draft): void {
  const { watermarkMs, limits } = draft.context;
  if (watermarkMs === null) return;
  const latest = Math.min(draft.nowMs, watermarkMs) - limits.holdGraceMs;
  const overdue = mapValues(draft.account.openHolds).filter((hold) => hold.expiresMs <= latest);
  overdue.sort(byExpiry);
  for (const hold of overdue.slice(0, MAX_CANCELED_HOLDS)) releaseHold(draft, hold, 'expired');
}

function byExpiry(a: OpenHold, b: OpenHold): number {
  if (a.expiresMs !== b.expiresMs) return a.expiresMs - b.expiresMs;
  return a.holdId < b.holdId ? -1 : 1;
}
