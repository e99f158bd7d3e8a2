import type { Allocation, GraceBatch, PointsRefunded } from '@points/domain/account/events';
import type { BatchRow } from '../rows.ts';
import { batchKey, holdKey, ProjectionError } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import { ignored } from './account-projection.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `point_batches`: what is left of each batch, and how much of that is pinned by open holds. */
export const batches: AccountProjection = {
  PointsRecharged(set, data, place) {
    data.batches.forEach((batch, ordinal) => {
      add(set, place, {
        batch_id: batch.batch_id,
        id: rowId(place, ordinal),
        kind: batch.kind,
        points: batch.points,
        expires_at: batch.expires_at,
        source_ref: data.source_ref,
        origin_batch_id: null,
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
    // Moved, not made: what the new batch has the old one loses.
    for (const { origin_batch_id, points } of data.grace)
      change(set, place.accountId, origin_batch_id, -points, 0);
    addGrace(set, place, data.grace);
  },
  BatchExpired(set, data, { accountId, context }) {
    const batch = change(set, accountId, data.batch_id, -data.points, 0);
    batch.expired += data.points;
    batch.expired_at ??= context.occurred_at;
  },
  RechargeReversed(set, data, place) {
    take(set, place, data.allocations);
  },
  HoldExtended: ignored,
  PointsRefunded(set, data, place) {
    for (const { batch_id, points } of returnedTo(data))
      change(set, place.accountId, batch_id, points, 0);
    addGrace(set, place, data.grace);
    take(set, place, data.debt_repaid);
  },
  PointsAdjusted(set, data, place) {
    if (data.batch !== null) {
      const { batch_id, kind, points, expires_at } = data.batch;
      add(set, place, {
        batch_id,
        id: rowId(place, 0),
        kind,
        points,
        expires_at,
        source_ref: null,
        origin_batch_id: null,
      });
    }
    take(set, place, data.allocations);
    take(set, place, data.debt_repaid);
  },
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
};

/** What a refund gave back to batches that were there before it. */
export function returnedTo({ returns, grace }: PointsRefunded): Allocation[] {
  const added = new Set(grace.map(({ batch_id }) => batch_id));
  return returns
    .filter(({ to }) => to !== 'debt' && !added.has(to))
    .map(({ to, points }) => ({ batch_id: to, points }));
}

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

function addGrace(set: WorkingSet, place: AccountPlace, grace: readonly GraceBatch[]): void {
  grace.forEach(({ batch_id, points, expires_at, origin_batch_id, source_ref }, ordinal) => {
    add(set, place, {
      batch_id,
      id: rowId(place, ordinal),
      kind: 'grace',
      points,
      expires_at,
      source_ref: source_ref ?? null,
      origin_batch_id,
    });
  });
}

function add(
  set: WorkingSet,
  { accountId, context }: AccountPlace,
  batch: Omit<BatchRow, 'user_id' | 'remaining' | 'held' | 'expired' | 'created_at' | 'expired_at'>,
): void {
  set.batches.add(batchKey(accountId, batch.batch_id), {
    ...batch,
    user_id: accountId,
    remaining: batch.points,
    held: 0,
    expired: 0,
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
