import type { Allocation } from '@points/domain/account/events';
import type { BatchRow } from '../rows.ts';
import { batchKey, holdKey, ProjectionError } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import { ignored } from './account-projection.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `point_batches`: what is left of each batch, and how much of that is pinned by open holds. */
export const batches: AccountProjection = {
  RechargeReversed: ignored,
  HoldExtended: ignored,
  PointsRefunded: ignored,
  PointsAdjusted: ignored,
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
  PointsRecharged(set, data, place) {
    data.batches.forEach((batch, ordinal) => {
      add(set, place, {
        batch_id: batch.batch_id,
        id: rowId(place, ordinal),
        kind: batch.kind,
        points: batch.points,
        expires_at: batch.expires_at,
        source_ref: data.source_ref,
      });
    });
    take(set, place, data.debt_repaid);
  },
  PointsHeld(set, data, { accountId }) {
    for (const pin of data.allocations) change(set, accountId, pin.batch_id, 0, pin.points);
  },
  HoldConfirmed(set, data, place) {
    unpin(set, place, data.hold_id);
    take(set, place, data.allocations);
    take(set, place, data.debt_repaid);
  },
  HoldCanceled(set, data, place) {
    if (data.reason === 'tombstone') return;
    unpin(set, place, data.hold_id);
    take(set, place, data.debt_repaid);
    data.grace.forEach((grace, ordinal) => {
      // Moved, not made: what the new batch has the old one loses.
      const origin = change(set, place.accountId, grace.origin_batch_id, -grace.points, 0);
      add(set, place, {
        batch_id: grace.batch_id,
        id: rowId(place, ordinal),
        kind: 'grace',
        points: grace.points,
        expires_at: grace.expires_at,
        source_ref: origin.source_ref,
      });
    });
  },
  BatchExpired(set, data, { accountId, context }) {
    const batch = change(set, accountId, data.batch_id, -data.points, 0);
    batch.expired_at ??= context.occurred_at;
  },
};

function take(set: WorkingSet, { accountId }: AccountPlace, parts: readonly Allocation[]): void {
  for (const { batch_id, points } of parts) change(set, accountId, batch_id, -points, 0);
}

function unpin(set: WorkingSet, { accountId }: AccountPlace, holdId: string): void {
  const hold = set.holds.change(holdKey(accountId, holdId));
  for (const { batch_id, points } of hold.allocations) change(set, accountId, batch_id, 0, -points);
}

function change(
  set: WorkingSet,
  accountId: string,
  batchId: string,
  remainingDelta: number,
  heldDelta: number,
): BatchRow {
  const batch = set.batches.change(batchKey(accountId, batchId));
  batch.remaining += remainingDelta;
  batch.held += heldDelta;
  return batch;
}

function add(
  set: WorkingSet,
  { accountId, context }: AccountPlace,
  batch: Pick<BatchRow, 'batch_id' | 'id' | 'kind' | 'points' | 'expires_at' | 'source_ref'>,
): void {
  set.batches.add(batchKey(accountId, batch.batch_id), {
    ...batch,
    user_id: accountId,
    remaining: batch.points,
    held: 0,
    created_at: context.occurred_at,
    expired_at: null,
  });
}

/** Positions are places in a file of events that are longer than a few bytes: there is room for an event's batches. */
const MAX_ROWS_PER_EVENT = 100;

function rowId({ position }: AccountPlace, ordinal: number): string {
  if (ordinal >= MAX_ROWS_PER_EVENT) throw new ProjectionError('too many batches in one event');
  return String(position + BigInt(ordinal));
}
