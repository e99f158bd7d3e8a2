import type { HoldRow } from '../rows.ts';
import { holdKey, ProjectionError } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import { ignored } from './account-projection.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `point_holds`: every hold and what became of it. A tombstone was never a hold and has no row. */
export const holds: AccountProjection = {
  RechargeReversed: ignored,
  HoldExtended: ignored,
  PointsRefunded: ignored,
  PointsAdjusted: ignored,
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
  PointsRecharged: ignored,
  PointsHeld(set, data, { accountId, revision, context }) {
    set.holds.add(holdKey(accountId, data.hold_id), {
      user_id: accountId,
      hold_id: data.hold_id,
      record_id: data.record_id,
      amount: data.amount,
      actual_amount: null,
      status: 'pending',
      source_type: data.source_type ?? null,
      model: data.model ?? null,
      biz_type: data.biz_type ?? null,
      biz_id: data.biz_id ?? null,
      task_no: data.task_no,
      quantity: data.quantity ?? null,
      estimated_duration: seconds(data.estimated_duration_ms),
      price: data.price,
      charge_mode: data.charge_mode,
      owner: data.owner,
      allocations: data.allocations,
      expires_at: data.expires_at,
      reason: null,
      revision,
      created_at: context.occurred_at,
      settled_at: null,
    });
  },
  HoldConfirmed(set, data, place) {
    const hold = settled(set, place, data.hold_id);
    hold.status = 'confirmed';
    hold.actual_amount = data.actual_amount;
  },
  HoldCanceled(set, data, place) {
    if (data.reason === 'tombstone') return;
    const hold = settled(set, place, data.hold_id);
    hold.status = 'canceled';
    hold.reason = data.reason;
  },
  BatchExpired: ignored,
};

export function seconds(durationMs: number | undefined): number | null {
  return durationMs === undefined ? null : durationMs / 1000;
}

function settled(set: WorkingSet, place: AccountPlace, holdId: string): HoldRow {
  const hold = set.holds.change(holdKey(place.accountId, holdId));
  if (hold.status !== 'pending')
    throw new ProjectionError(`hold ${holdId} is ${hold.status} already`);
  hold.settled_at = place.context.occurred_at;
  return hold;
}
