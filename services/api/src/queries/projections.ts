import { READ_CHECKPOINT } from '@points/read-model/coordination';
import type { Projections } from '@points/contracts/http';
import type { ReadTables } from '@points/read-model/tables';
import type { Kysely } from 'kysely';
import { isProjectorActive } from './position.ts';

/** Differences, and accounts left out, that are listed; all accounts are counted. */
const MAX_LISTED = 100;

/** How far the read tables are, and where they differ from the log. */
export async function selectProjections(db: Kysely<ReadTables>): Promise<Projections> {
  const active = await isProjectorActive(db);
  const checkpoint = await db
    .selectFrom('projection_checkpoints')
    .selectAll()
    .where('name', '=', READ_CHECKPOINT)
    .executeTakeFirst();
  const progress = await db.selectFrom('reconcile_progress').selectAll().executeTakeFirst();
  const drift = await db
    .selectFrom('reconcile_drift')
    .selectAll()
    .orderBy('found_at')
    .orderBy('account_id')
    .orderBy('place')
    .limit(MAX_LISTED)
    .execute();
  const skipped = await db
    .selectFrom('reconcile_skipped')
    .selectAll()
    .orderBy('skipped_at', 'desc')
    .orderBy('account_id')
    .limit(MAX_LISTED)
    .execute();
  const { skippedAccounts } = await db
    .selectFrom('reconcile_skipped')
    .select((sums) => sums.fn.countAll<number>().as('skippedAccounts'))
    .executeTakeFirstOrThrow();
  return {
    projector_active: active,
    position: checkpoint?.position.toString() ?? null,
    last_event:
      checkpoint === undefined || checkpoint.event_stream === null
        ? null
        : {
            stream: checkpoint.event_stream,
            revision: checkpoint.event_revision ?? 0,
            position: String(checkpoint.event_position),
          },
    updated_at: checkpoint?.updated_at.toISOString() ?? null,
    reconcile: {
      drifted_accounts: await countDriftedAccounts(db),
      accounts_checked: progress?.accounts_checked ?? 0,
      last_round_at: progress?.last_round_at.toISOString() ?? null,
      last_full_round_at: progress?.last_full_round_at?.toISOString() ?? null,
      skipped_accounts: skippedAccounts,
      skipped: skipped.map((row) => ({
        account_id: row.account_id,
        reason: row.reason,
        message: row.message,
        skipped_at: row.skipped_at.toISOString(),
      })),
      drift: drift.map((row) => ({
        account_id: row.account_id,
        revision: row.revision,
        position: row.position.toString(),
        kind: row.kind,
        table: row.table_name,
        key: row.row_key,
        column: row.column_name,
        log_value: row.log_value,
        row_value: row.row_value,
        found_at: row.found_at.toISOString(),
        checked_at: row.checked_at.toISOString(),
      })),
    },
  };
}

/** Accounts whose rows differed from the log when the projector last compared them. */
export async function countDriftedAccounts(db: Kysely<ReadTables>): Promise<number> {
  const drift = await db
    .selectFrom('reconcile_drift')
    .select((sums) => sums.fn.count<number>('account_id').distinct().as('accounts'))
    .executeTakeFirst();
  return drift?.accounts ?? 0;
}
