import type { SourceRow } from '../rows.ts';
import { batchKey, sourceKey } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import { firstRevision, ignored } from './account-projection.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `point_sources`: every recharge and reward, and which events tell what has become of it. */
export const sources: AccountProjection = {
  PointsRecharged(set, data, place) {
    set.sources.add(sourceKey(place.accountId, data.source_ref), {
      user_id: place.accountId,
      source_ref: data.source_ref,
      source: data.source,
      order_no: data.order_no ?? null,
      request_hash: place.context.request_hash,
      revision: firstRevision(place),
      reversed_revision: null,
      revisions: [place.revision],
    });
  },
  RechargeReversed(set, data, place) {
    note(set, place, data.source_ref).reversed_revision = firstRevision(place);
  },
  PointsHeld: ignored,
  HoldConfirmed: ignored,
  HoldCanceled: ignored,
  HoldExtended: ignored,
  BatchExpired(set, data, place) {
    const batch = set.batches.find(batchKey(place.accountId, data.batch_id));
    if (batch !== undefined && batch.source_ref !== null) note(set, place, batch.source_ref);
  },
  PointsRefunded: ignored,
  PointsAdjusted: ignored,
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
};

function note(
  set: WorkingSet,
  { accountId, revision }: AccountPlace,
  sourceRef: string,
): SourceRow {
  const source = set.sources.change(sourceKey(accountId, sourceRef));
  source.revisions.push(revision);
  return source;
}
