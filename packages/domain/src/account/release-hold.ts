import { DAY_MS, formatTime } from '../time.ts';
import type { BatchOrigin, OpenHold } from './account.ts';
import { isDue, repayDebts } from './batches.ts';
import { type Draft, emit, nextBatchId } from './draft.ts';
import type { Allocation, CancelReason, GraceBatch } from './events.ts';

/** How long points live again whose batch ran out while a hold that came to nothing pinned them. */
export const GRACE_MS = 7 * DAY_MS;

/**
 * Cancels an open hold: all its pins are free again. They repay debt first. What then is left of a due batch comes
 * back as a grace batch when the user is not to blame (failed, expired, admin); otherwise it is left free in its due
 * batch, for the caller to expire in the same append.
 */
export function releaseHold(
  draft: Draft,
  hold: OpenHold,
  reason: CancelReason,
  note?: string,
): void {
  const { repaid, rest } = repayDebts(draft.account, hold.pins);
  const blameless = reason === 'failed' || reason === 'expired' || reason === 'admin';
  emit(draft, {
    type: 'HoldCanceled',
    data: {
      hold_id: hold.holdId,
      reason,
      ...(note === undefined ? {} : { note }),
      released: hold.amount,
      debt_repaid: repaid,
      grace: blameless ? graceBatches(draft, rest) : [],
    },
  });
}

function graceBatches(draft: Draft, released: readonly Allocation[]): GraceBatch[] {
  return released.flatMap(({ batch_id, points }) => {
    const origin = draft.account.batches.find(({ batchId }) => batchId === batch_id);
    if (origin === undefined || !isDue(origin, draft.nowMs)) return [];
    return [graceOf(draft, origin, points)];
  });
}

/** A new batch that continues a due one for a few more days. */
export function graceOf(draft: Draft, origin: BatchOrigin, points: number): GraceBatch {
  return {
    batch_id: nextBatchId(draft),
    points,
    expires_at: formatTime(draft.nowMs + GRACE_MS),
    origin_batch_id: origin.batchId,
    ...(origin.sourceRef === null ? {} : { source_ref: origin.sourceRef }),
  };
}
