import type { ConsumptionStats } from '@points/contracts/http';
import type { ReadTables } from '@points/read-model/tables';
import type { Kysely } from 'kysely';
import { formatLocalTime } from '../local-time.ts';
import { selectAccountPoints } from './account.ts';

/**
 * Totals since the account's first event; a recharge or reward that was taken back is no part of them. Without adjustments
 * recharge + reward − consume + refund − expired = current.
 */
export async function selectStats(
  db: Kysely<ReadTables>,
  accountId: string,
  now: Date,
): Promise<ConsumptionStats> {
  const points = await selectAccountPoints(db, accountId, now);
  return {
    currentPoints: points.balance,
    totalRechargePoints: points.totalRecharged,
    totalConsumePoints: points.totalConsumed,
    totalRefundPoints: points.totalRefunded,
    pointsExpiresAt:
      points.nextExpiry === null ? null : formatLocalTime(points.nextExpiry.expiresAt),
    totalExpiredPoints: points.totalExpired,
    totalRewardPoints: points.totalRewarded,
  };
}
