import { firstRevision, ignored } from './account-projection.ts';
import type { AccountProjection } from './account-projection.ts';

/** `point_tombstones`: ids of holds that were canceled before they came. */
export const tombstones: AccountProjection = {
  PointsRecharged: ignored,
  RechargeReversed: ignored,
  PointsHeld: ignored,
  HoldConfirmed: ignored,
  HoldCanceled(set, data, place) {
    if (data.reason !== 'tombstone') return;
    set.tombstones.push({
      user_id: place.accountId,
      hold_id: data.hold_id,
      request_hash: place.context.request_hash,
      revision: firstRevision(place),
    });
  },
  HoldExtended: ignored,
  BatchExpired: ignored,
  PointsRefunded: ignored,
  PointsAdjusted: ignored,
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
};
