import { membershipKey } from '../working-set.ts';
import { firstRevision, ignored } from './account-projection.ts';
import type { AccountProjection } from './account-projection.ts';

/** `memberships`: every period that was granted. */
export const memberships: AccountProjection = {
  PointsRecharged: ignored,
  RechargeReversed: ignored,
  PointsHeld: ignored,
  HoldConfirmed: ignored,
  HoldCanceled: ignored,
  HoldExtended: ignored,
  BatchExpired: ignored,
  PointsRefunded: ignored,
  PointsAdjusted: ignored,
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted(set, data, place) {
    set.memberships.add(membershipKey(place.accountId, data.order_no), {
      user_id: place.accountId,
      order_no: data.order_no,
      membership_type: data.membership_type,
      start_date: data.starts_at,
      end_date: data.ends_at,
      revoked_at: null,
      request_hash: place.context.request_hash,
      revision: firstRevision(place),
    });
  },
  /** Ends every period that has not ended by itself, those of later too. */
  MembershipRevoked(set, data, place) {
    for (const key of set.memberships.keys()) {
      if (!key.startsWith(membershipKey(place.accountId, ''))) continue;
      const period = set.memberships.find(key);
      if (period === undefined || period.revoked_at !== null) continue;
      if (new Date(period.end_date) <= new Date(data.ended_at)) continue;
      set.memberships.change(key).revoked_at = data.ended_at;
    }
  },
};
