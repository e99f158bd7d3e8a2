import { parseTime } from '../time.ts';
import type { FirstAnswer, OpenHold } from './account.ts';
import type { HoldPrice, PointsHeld } from './events.ts';

/** A hold as its event placed it; `price` is the event's, or one that says the same. `first` is the answer of the command that the event belongs to. */
export function openHoldOf(
  data: PointsHeld,
  price: HoldPrice,
  first: FirstAnswer,
  atMs: number,
): OpenHold {
  return {
    // Named one by one: a spread here made this the dearest line of folding a long stream.
    requestHash: first.requestHash,
    revision: first.revision,
    holdId: data.hold_id,
    recordId: data.record_id,
    taskNo: data.task_no,
    amount: data.amount,
    pins: data.allocations,
    price,
    chargeMode: data.charge_mode,
    listPrice: data.list_price,
    overage: data.overage,
    debtFloor: data.debt_floor,
    failurePolicy: data.failure_policy,
    lateConfirm: data.late_confirm,
    labels: labelsOf(data),
    description: data.description,
    refundDescription: data.refund_description ?? null,
    placedMs: atMs,
    expiresMs: parseTime(data.expires_at),
    maxExpiresMs: parseTime(data.max_expires_at),
    owner: data.owner,
  };
}

function labelsOf(data: PointsHeld): OpenHold['labels'] {
  const { source_type, model, biz_type, biz_id, quantity, estimated_duration_ms } = data;
  return {
    ...(source_type === undefined ? {} : { source_type }),
    ...(model === undefined ? {} : { model }),
    ...(biz_type === undefined ? {} : { biz_type }),
    ...(biz_id === undefined ? {} : { biz_id }),
    ...(quantity === undefined ? {} : { quantity }),
    ...(estimated_duration_ms === undefined ? {} : { estimated_duration_ms }),
  };
}
