import type { ReadTables } from '@points/read-model/tables';
import { type Kysely, sql } from 'kysely';

/** An account's points as they are at a moment. */
export interface AccountPoints {
  readonly balance: number;
  readonly held: number;
  readonly totalRecharged: number;
  readonly totalRewarded: number;
  readonly totalConsumed: number;
  readonly totalRefunded: number;
  readonly totalExpired: number;
  /** The batches with points left that expire next; null when nothing expires. */
  readonly nextExpiry: { readonly expiresAt: Date; readonly points: number } | null;
}

const NO_POINTS: AccountPoints = {
  balance: 0,
  held: 0,
  totalRecharged: 0,
  totalRewarded: 0,
  totalConsumed: 0,
  totalRefunded: 0,
  totalExpired: 0,
  nextExpiry: null,
};

/**
 * Batches that are due count as expired, though the sweeper has not come by yet: their free points are gone. Pinned
 * ones stay, because an open hold may still confirm them. An account without events has no points. One statement, so
 * that all numbers are of one moment.
 */
export async function selectAccountPoints(
  db: Kysely<ReadTables>,
  accountId: string,
  now: Date,
): Promise<AccountPoints> {
  const row = await db
    .selectFrom('user_points')
    .leftJoinLateral(
      (from) =>
        from
          .selectFrom('point_batches')
          .select([
            'expires_at',
            (of) => sql<number>`${of.fn.sum('remaining')}::bigint`.as('expiring'),
          ])
          .where('user_id', '=', accountId)
          .where('remaining', '>', 0)
          .where('expires_at', '>', now)
          .groupBy('expires_at')
          .orderBy('expires_at')
          .limit(1)
          .as('next'),
      (join) => join.onTrue(),
    )
    .where('user_points.user_id', '=', accountId)
    .select([
      'balance',
      'held',
      'total_recharged',
      'total_rewarded',
      'total_consumed',
      'total_refunded',
      'total_expired',
    ])
    .select(['next.expires_at', 'next.expiring', duePoints(db, accountId, now).as('due')])
    .executeTakeFirst();
  if (row === undefined) return NO_POINTS;
  return {
    balance: row.balance - row.due,
    held: row.held,
    totalRecharged: row.total_recharged,
    totalRewarded: row.total_rewarded,
    totalConsumed: row.total_consumed,
    totalRefunded: row.total_refunded,
    totalExpired: row.total_expired + row.due,
    nextExpiry:
      row.expires_at === null || row.expiring === null
        ? null
        : { expiresAt: row.expires_at, points: row.expiring },
  };
}

function duePoints(db: Kysely<ReadTables>, accountId: string, now: Date) {
  const due = db
    .selectFrom('point_batches')
    .select((of) => of.fn.sum(sql`remaining - held`).as('points'))
    .where('user_id', '=', accountId)
    .where('remaining', '>', 0)
    .where('expires_at', '<=', now);
  return sql<number>`coalesce((${due}), 0)::bigint`;
}
