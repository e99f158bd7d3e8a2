import { mapGet } from '../persistent-map.ts';
import { DAY_MS, formatTime } from '../time.ts';
import type { OpenHold } from './account.ts';
import { freePoints, splitAllocations, summarize } from './batches.ts';
import type { ConfirmHold } from './commands.ts';
import { settleOpenHold } from './settle-hold.ts';
import { type Draft, emit } from './draft.ts';
import { cancelOverdueHolds, expireDueBatches } from './expire.ts';
import { freeRecordId } from './record-id.ts';
import { type Verdict, refuse } from './verdict.ts';

/** How long after its expiry a hold may still be confirmed, if the points are there. */
export const LATE_CONFIRM_MS = DAY_MS;

/**
 * The work was done, but the confirm came after the hold had expired: a new hold is placed and confirmed in one append,
 * for all of it or not at all. Also while the account is frozen, and not counted against the limit of open holds.
 */
export function confirmLate(
  command: ConfirmHold,
  expired: OpenHold,
  expiredAtMs: number,
  requested: number,
  draft: Draft,
): Verdict {
  if (expired.lateConfirm === 'reject' || draft.nowMs >= expiredAtMs + LATE_CONFIRM_MS)
    return refuse('hold_expired', { reason: 'expired' });
  if (requested > expired.amount && expired.overage === 'reject')
    return refuse('overage_rejected', {
      held_amount: expired.amount,
      requested_amount: requested,
    });
  const available = (): number => summarize(draft.account, draft.nowMs).available;
  expireDueBatches(draft);
  if (requested > 0 && available() < requested) cancelOverdueHolds(draft);
  if (requested > 0 && available() < requested)
    return refuse('hold_expired', { required: requested, available: available() });
  placeLate(command, expired, requested, draft);
  const hold = mapGet(draft.account.openHolds, command.late.holdId);
  if (hold === undefined) throw new Error(`hold ${command.late.holdId} was not placed`);
  return settleOpenHold(draft, hold, {
    requested,
    lateOf: expired.holdId,
    actual: command.actual,
    description: command.description,
  });
}

function placeLate({ late }: ConfirmHold, expired: OpenHold, amount: number, draft: Draft): void {
  const now = formatTime(draft.nowMs);
  const free = freePoints(draft.account.batches, draft.nowMs);
  emit(draft, {
    type: 'PointsHeld',
    data: {
      hold_id: late.holdId,
      record_id: freeRecordId(late.recordId, draft),
      amount,
      allocations: splitAllocations(free, amount).taken,
      price: expired.price,
      charge_mode: expired.chargeMode,
      list_price: expired.listPrice,
      ...expired.labels,
      task_no: expired.taskNo,
      overage: expired.overage,
      debt_floor: expired.debtFloor,
      failure_policy: expired.failurePolicy,
      late_confirm: 'reject',
      late_of: expired.holdId,
      description: expired.description,
      ...(expired.refundDescription === null
        ? {}
        : { refund_description: expired.refundDescription }),
      metadata: {},
      expires_at: now,
      max_expires_at: now,
      owner: expired.owner,
    },
  });
}
