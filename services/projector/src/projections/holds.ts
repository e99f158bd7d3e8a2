import type { DebtRepayment } from '@points/domain/account/events';
import type { HoldRow } from '../rows.ts';
import { holdKey, ProjectionError } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import { firstRevision, ignored } from './account-projection.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `point_holds`: every hold and what became of it. A tombstone was never a hold and has no row. */
export const holds: AccountProjection = {
  PointsRecharged(set, data, place) {
    noteRepaid(set, place, data.debt_repaid);
  },
  PointsHeld(set, data, place) {
    const { accountId, revision, context } = place;
    if (data.late_of !== undefined) note(set, place, data.late_of).late_hold_id = data.hold_id;
    set.holds.add(holdKey(accountId, data.hold_id), {
      user_id: accountId,
      hold_id: data.hold_id,
      record_id: data.record_id,
      amount: data.amount,
      actual_amount: null,
      refunded: 0,
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
      late_of: data.late_of ?? null,
      late_hold_id: null,
      revision,
      settled_revision: null,
      revisions: [revision],
      created_at: context.occurred_at,
      settled_at: null,
    });
  },
  HoldConfirmed(set, data, place) {
    const hold = settled(set, place, data.hold_id);
    hold.status = 'confirmed';
    hold.actual_amount = data.actual_amount;
    if (data.late_of !== undefined) note(set, place, data.late_of);
    noteRepaid(set, place, data.debt_repaid);
  },
  HoldCanceled(set, data, place) {
    if (data.reason === 'tombstone') return;
    const hold = settled(set, place, data.hold_id);
    hold.status = 'canceled';
    hold.reason = data.reason;
    noteRepaid(set, place, data.debt_repaid);
  },
  HoldExtended(set, data, place) {
    note(set, place, data.hold_id).expires_at = data.expires_at;
  },
  BatchExpired: ignored,
  RechargeReversed: ignored,
  PointsRefunded(set, data, place) {
    const hold = note(set, place, data.hold_id);
    if (hold.status !== 'confirmed')
      throw new ProjectionError(`hold ${data.hold_id} is ${hold.status}, not confirmed`);
    hold.refunded = data.refunded_total;
    if (data.as_failure) {
      hold.status = 'canceled';
      hold.actual_amount = null;
      hold.reason = 'failed';
    }
    noteRepaid(set, place, data.debt_repaid);
  },
  PointsAdjusted(set, data, place) {
    noteRepaid(set, place, data.debt_repaid);
  },
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
};

/** The holds whose debt was repaid, each once; debts of reversals and adjustments go by names that no hold has. */
export function repaidHolds(repayments: readonly DebtRepayment[]): Set<string> {
  const refs = repayments.map(({ debt_ref }) => debt_ref);
  return new Set(refs.filter((ref) => !/^(reversal|adjust):/.test(ref)));
}

export function seconds(durationMs: number | undefined): number | null {
  return durationMs === undefined ? null : durationMs / 1000;
}

function settled(set: WorkingSet, place: AccountPlace, holdId: string): HoldRow {
  const hold = note(set, place, holdId);
  if (hold.status !== 'pending')
    throw new ProjectionError(`hold ${holdId} is ${hold.status} already`);
  hold.settled_at = place.context.occurred_at;
  hold.settled_revision = firstRevision(place);
  return hold;
}

function noteRepaid(
  set: WorkingSet,
  place: AccountPlace,
  repayments: readonly DebtRepayment[],
): void {
  for (const holdId of repaidHolds(repayments)) note(set, place, holdId);
}

/** The hold's row, which says from now on that this event concerns it. */
function note(set: WorkingSet, { accountId, revision }: AccountPlace, holdId: string): HoldRow {
  const hold = set.holds.change(holdKey(accountId, holdId));
  hold.revisions.push(revision);
  return hold;
}
