import { DAY_MS, formatTime } from '../time.ts';
import type { OpenHold } from './account.ts';
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
  const due = new Set(
    draft.account.batches
      .filter((batch) => isDue(batch, draft.nowMs))
      .map((batch) => batch.batchId),
  );
  return released
    .filter((part) => due.has(part.batch_id))
    .map((part) => ({
      batch_id: nextBatchId(draft),
      points: part.points,
      expires_at: formatTime(draft.nowMs + GRACE_MS),
      origin_batch_id: part.batch_id,
    }));
}
