import type { Kysely, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { PointBatchesTable, ReadTables } from './tables.ts';
import type { Selectable } from 'kysely';

/** Ids of one account that its ledger no longer remembers; absent = not asked for. */
export interface RecallQuery {
  readonly accountId: string;
  readonly commandId?: string;
  readonly hold?: RecallHoldBy;
  readonly sourceRef?: string;
  readonly orderNo?: string;
}

export type RecallHoldBy =
  | { readonly holdId: string }
  | { readonly recordId: number }
  /** Id of the event that charged or refunded it. */
  | { readonly transactionId: string };

/** Where in the account's stream those ids stand. All of one moment; null = not known, or not asked for. */
export interface RecalledPlaces {
  /** The account's events are known up to this revision; −1 = none. */
  readonly appliedRevision: number;
  readonly command: RecalledAnswer | null;
  readonly hold: RecalledHold | RecalledTombstone | null;
  /** The hold that was confirmed in place of `hold`, which had expired. */
  readonly lateHold: RecalledHold | null;
  readonly source: RecalledSource | null;
  readonly order: RecalledAnswer | null;
}

export interface RecalledAnswer {
  readonly request_hash: string;
  /** Of the first event of the command that was answered. */
  readonly revision: number;
}

export interface RecalledHold {
  readonly kind: 'hold';
  readonly hold_id: string;
  readonly record_id: number;
  readonly status: 'pending' | 'confirmed' | 'canceled';
  /** Rising; see `point_holds.revisions`. */
  readonly revisions: readonly number[];
}

/** A hold that was canceled before it came. */
export interface RecalledTombstone extends RecalledAnswer {
  readonly kind: 'tombstone';
  readonly hold_id: string;
  readonly record_id: null;
}

export interface RecalledSource extends RecalledAnswer {
  readonly source_ref: string;
  /** Of the first event of the command that took it back. */
  readonly reversed_revision: number | null;
  /** Rising; see `point_sources.revisions`. */
  readonly revisions: readonly number[];
}

/** What a batch is, whatever is left of it. */
export type RecalledBatch = Pick<
  Selectable<PointBatchesTable>,
  'batch_id' | 'kind' | 'points' | 'created_at' | 'expires_at' | 'source_ref' | 'origin_batch_id'
>;

/** Looks the ids up in one statement, so that what is found is what the account had at `appliedRevision`. */
export async function recallPlaces(
  db: Kysely<ReadTables>,
  { accountId, commandId, hold, sourceRef, orderNo }: RecallQuery,
): Promise<RecalledPlaces> {
  const { rows } = await sql<RecalledPlaces>`
    with hold as materialized (
      select hold_id, record_id, status, revisions, late_hold_id from point_holds
      where user_id = ${accountId} and ${namedHold(accountId, hold)}
      limit 1
    )
    select
      coalesce((select ledger_version from user_points where user_id = ${accountId}), -1)
        as "appliedRevision",
      (select json_build_object('request_hash', request_hash, 'revision', revision)
       from point_commands where account_id = ${accountId} and command_id = ${orNull(commandId)}) as command,
      coalesce(
        (select ${HOLD_AS_JSON} from hold as h),
        (select json_build_object('kind', 'tombstone', 'hold_id', hold_id, 'record_id', null,
                                  'request_hash', request_hash, 'revision', revision)
         from point_tombstones where user_id = ${accountId} and hold_id = ${holdIdOf(hold)})
      ) as hold,
      (select ${HOLD_AS_JSON} from hold join point_holds as h on h.hold_id = hold.late_hold_id
       where h.user_id = ${accountId}) as "lateHold",
      (select json_build_object('source_ref', source_ref, 'request_hash', request_hash, 'revision', revision,
                                'reversed_revision', reversed_revision, 'revisions', revisions)
       from point_sources where user_id = ${accountId} and source_ref = ${orNull(sourceRef)}) as source,
      (select json_build_object('request_hash', request_hash, 'revision', revision)
       from memberships where user_id = ${accountId} and order_no = ${orNull(orderNo)}) as "order"
  `.execute(db);
  const [found] = rows;
  if (found === undefined) throw new Error('a select without a table gave no row');
  return found;
}

/** What these batches of an account are; those that are not known are left out. It never changes. */
export async function batchOrigins(
  db: Kysely<ReadTables>,
  accountId: string,
  batchIds: readonly string[],
): Promise<RecalledBatch[]> {
  if (batchIds.length === 0) return [];
  return db
    .selectFrom('point_batches')
    .select([
      'batch_id',
      'kind',
      'points',
      'created_at',
      'expires_at',
      'source_ref',
      'origin_batch_id',
    ])
    .where('user_id', '=', accountId)
    .where('batch_id', '=', sql<string>`any(${batchIds}::text[])`)
    .execute();
}

const HOLD_AS_JSON = sql`json_build_object('kind', 'hold', 'hold_id', h.hold_id, 'record_id', h.record_id,
                                           'status', h.status, 'revisions', h.revisions)`;

function namedHold(accountId: string, by: RecallHoldBy | undefined): RawBuilder<unknown> {
  if (by === undefined) return sql`false`;
  if ('holdId' in by) return sql`hold_id = ${by.holdId}`;
  if ('recordId' in by) return sql`record_id = ${by.recordId}`;
  return sql`hold_id = (select hold_id from point_transactions
                        where user_id = ${accountId} and event_id = ${by.transactionId})`;
}

function holdIdOf(by: RecallHoldBy | undefined): RawBuilder<unknown> {
  return orNull(by !== undefined && 'holdId' in by ? by.holdId : undefined);
}

/** Null equals nothing. */
function orNull(text: string | undefined): RawBuilder<unknown> {
  return sql`${text ?? null}::text`;
}
