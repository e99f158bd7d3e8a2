import type { PointsBalance } from '@points/contracts/http';
import type { ReadTables } from '@points/read-model/tables';
import type { Kysely } from 'kysely';
import { formatLocalTime, wholeDaysUntil } from '../local-time.ts';
import { selectAccountPoints } from './account.ts';

/** Points that expire within this many whole days "expire soon". */
const EXPIRING_SOON_DAYS = 7;

/** What the account has right now. `currentPoints` is settled: held points are part of it, debt is subtracted. */
export async function selectBalance(
  db: Kysely<ReadTables>,
  accountId: string,
  now: Date,
): Promise<PointsBalance> {
  const { balance, held, nextExpiry } = await selectAccountPoints(db, accountId, now);
  const daysUntilExpire = nextExpiry === null ? null : wholeDaysUntil(nextExpiry.expiresAt, now);
  return {
    currentPoints: balance,
    pointsExpiresAt: nextExpiry === null ? null : formatLocalTime(nextExpiry.expiresAt),
    willExpireSoon: daysUntilExpire !== null && daysUntilExpire <= EXPIRING_SOON_DAYS,
    daysUntilExpire,
    heldPoints: held,
    availablePoints: balance - held,
    expiringPoints: nextExpiry?.points ?? 0,
  };
}
