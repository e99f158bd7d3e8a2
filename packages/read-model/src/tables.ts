import type { ColumnType, Generated } from 'kysely';

/**
 * The read tables: the agreement between the projector, which alone writes them, and everything that reads them.
 * All of schema `read` can be dropped and rebuilt from the log. Names are resolved through the role's search_path.
 *
 * Points are integers in `bigint` columns that never leave the safe integer range, so they are numbers here.
 * Positions are 64-bit and therefore bigint. Times are `timestamptz`.
 */
export interface ReadTables {
  user_points: UserPointsTable;
  point_batches: PointBatchesTable;
  point_transactions: PointTransactionsTable;
  point_holds: PointHoldsTable;
  point_tombstones: PointTombstonesTable;
  point_sources: PointSourcesTable;
  point_commands: PointCommandsTable;
  memberships: MembershipsTable;
  ai_models: AiModelsTable;
  points_packages: PointsPackagesTable;
  membership_prices: MembershipPricesTable;
  projection_checkpoints: ProjectionCheckpointsTable;
  reconcile_progress: ReconcileProgressTable;
  reconcile_drift: ReconcileDriftTable;
  reconcile_skipped: ReconcileSkippedTable;
}

type Time = ColumnType<Date, Date | string, Date | string>;
type NullableTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
type Json<T> = ColumnType<T, string, string>;

export interface UserPointsTable {
  /** Log position of the account's first event. */
  id: bigint;
  user_id: string;
  balance: number;
  held: number;
  /** Generated: balance − held. */
  available: Generated<number>;
  debt: number;
  /** Paid, bonus and imported points, less what was taken back of them. */
  total_recharged: number;
  /** Rewarded points, less what was taken back of them. */
  total_rewarded: number;
  /** Points that were taken back of recharges and rewards: they are no longer in the two totals above. */
  total_reversed: Generated<number>;
  /** Signed. */
  total_adjusted: number;
  total_consumed: number;
  total_refunded: number;
  total_expired: number;
  next_expires_at: NullableTime;
  /** Since when no hold is accepted; null = not frozen. */
  frozen_at: NullableTime;
  /** Revision of the last applied event of `account-<user_id>`. */
  ledger_version: number;
  updated_at: Time;
}

export interface PointBatchesTable {
  id: bigint;
  batch_id: string;
  user_id: string;
  kind: 'paid' | 'bonus' | 'reward' | 'grace' | 'adjust';
  points: number;
  remaining: number;
  held: number;
  /** Points of this batch that were not used in time. */
  expired: Generated<number>;
  expires_at: NullableTime;
  /** The recharge that the points came with, also of a grace batch; null for adjustments. */
  source_ref: string | null;
  /** The batch that a grace batch continues. */
  origin_batch_id: string | null;
  created_at: Time;
  expired_at: NullableTime;
}

/** A reversal is a negative row of what it takes back: `recharge` or `reward`. */
export type TransactionType =
  | 'recharge'
  | 'consume'
  | 'refund'
  | 'reward'
  | 'expire'
  | 'admin_adjust';

export interface PointTransactionsTable {
  id: bigint;
  user_id: string;
  type: TransactionType;
  /** Signed; never 0. */
  delta: number;
  balance_before: number;
  balance_after: number;
  task_no: string | null;
  source_type: string | null;
  source_id: string | null;
  biz_type: string | null;
  /** `point_batches.id` of the first batch touched. */
  batch_id: bigint | null;
  batch_allocations: Json<readonly { batch_id: string; points: number }[]>;
  /** Seconds. */
  duration: number | null;
  quantity: number | null;
  description: string;
  order_no: string | null;
  hold_id: string | null;
  operator: string | null;
  event_id: string;
  occurred_at: Time;
}

export interface PointHoldsTable {
  record_id: number;
  hold_id: string;
  user_id: string;
  amount: number;
  actual_amount: number | null;
  /** Points given back of the charge. */
  refunded: Generated<number>;
  /** `canceled` is also what was charged and refunded in one append because the work failed. */
  status: 'pending' | 'confirmed' | 'canceled';
  source_type: string | null;
  model: string | null;
  biz_type: string | null;
  biz_id: string | null;
  task_no: string;
  /** What the caller announced. */
  quantity: number | null;
  /** Seconds that the caller announced. */
  estimated_duration: number | null;
  price: Json<Record<string, unknown>>;
  charge_mode: 'charged' | 'free' | 'member_free';
  owner: string;
  /** The points pinned in each batch while the hold was open. */
  allocations: Json<readonly { batch_id: string; points: number }[]>;
  expires_at: Time;
  reason: string | null;
  /** The expired hold that this one was placed and confirmed for. */
  late_of: string | null;
  /** The hold that was confirmed in place of this expired one. */
  late_hold_id: string | null;
  /** Revision of the PointsHeld event. */
  revision: number;
  /** Revision of the first event of the command that settled it: where that command's answer stands. */
  settled_revision: number | null;
  /**
   * Revisions, rising, of all events of the account that concern this hold: it was placed, extended, settled or refunded, a
   * late confirm came for it, or its debt was repaid.
   */
  revisions: ColumnType<number[], string | undefined, string>;
  created_at: Time;
  settled_at: NullableTime;
}

/** Holds that were canceled before they came; when they come they are refused. */
export interface PointTombstonesTable {
  user_id: string;
  hold_id: string;
  request_hash: string;
  /** Revision of the command's first event. */
  revision: number;
}

/** Where points come from: recharges, rewards and imports, for ever. */
export interface PointSourcesTable {
  user_id: string;
  /** Unique in the account over all sources. */
  source_ref: string;
  source: 'order' | 'reward' | 'admin' | 'import';
  order_no: string | null;
  request_hash: string;
  /** Revision of the command's first event. */
  revision: number;
  /** The same of the command that took it back. */
  reversed_revision: number | null;
  /**
   * Revisions, rising, of all events of the account that concern it: it came, points of its batches or of the grace
   * batches that continue them expired, it was taken back.
   */
  revisions: ColumnType<number[], string, string>;
}

export interface PointCommandsTable {
  account_id: string;
  command_id: string;
  request_hash: string;
  /** Revision of the command's first event. */
  revision: number;
}

/** Granted periods. The present one: `start_date <= now() and now() < end_date and revoked_at is null`. */
export interface MembershipsTable {
  user_id: string;
  /** Unique in the account. */
  order_no: string;
  membership_type: string;
  start_date: Time;
  /** As granted, whether or not it was revoked before. */
  end_date: Time;
  revoked_at: NullableTime;
  request_hash: string;
  /** Revision of the command's first event. */
  revision: number;
}

export interface AiModelsTable {
  /** Log position of the model's registration. */
  id: bigint;
  model_id: string;
  model_name: string;
  display_name: string;
  description: string;
  points_cost: number;
  platform: string;
  provider_type: string;
  model_type: string;
  task_type: string;
  is_enabled: boolean;
  extended_config: Json<Record<string, unknown>>;
  /** Revision of the last applied event of `aiModel-<model_id>`. */
  ledger_version: number;
  deleted_at: NullableTime;
}

/** Packages of points that can be bought. Money is integer fen. */
export interface PointsPackagesTable {
  price_id: string;
  /** Log position at which it was listed. */
  id: bigint;
  name: string;
  points: number;
  bonus: number;
  price_fen: number;
  /** null = the points never expire. */
  validity_days: number | null;
  /** On offer. */
  is_active: boolean;
  sort_order: number;
  /** Revision, in `priceList-credits`, of the last event about it. */
  ledger_version: number;
  /** No longer on offer, for good. */
  retired_at: NullableTime;
}

/** Memberships that can be bought; one price for each type that is not retired. */
export interface MembershipPricesTable {
  price_id: string;
  id: bigint;
  name: string;
  membership_type: string;
  duration_days: number;
  price_fen: number;
  original_price_fen: number | null;
  features: Json<readonly string[]>;
  is_active: boolean;
  sort_order: number;
  /** Revision, in `priceList-membership`, of the last event about it. */
  ledger_version: number;
  retired_at: NullableTime;
}

export interface ProjectionCheckpointsTable {
  name: string;
  /** Everything up to here is applied. Announced on channel `points_position`. */
  position: bigint;
  /** The last event that was applied, null before the first: proof that the log is still the same one. */
  event_position: bigint | null;
  event_stream: string | null;
  event_revision: number | null;
  event_id: string | null;
  updated_at: Time;
}

/** How far the scheduled comparison with the log has come since these tables were made; one row. */
export interface ReconcileProgressTable {
  name: string;
  /** The next round goes on with the account after it. */
  last_account_id: string;
  accounts_checked: number;
  last_round_at: Time;
  /** When the comparison last came to the end of the accounts; null = not yet. */
  last_full_round_at: NullableTime;
}

/** How rows of an account differ from the log, when it was last compared; the first few of each account. */
export interface ReconcileDriftTable {
  account_id: string;
  /** From 0 on, for each account. */
  place: number;
  /** Null = the log itself is wrong; `log_value` says how. */
  table_name: string | null;
  row_key: Json<Record<string, string | null>>;
  /** Null = the whole row. */
  column_name: string | null;
  kind: 'missing' | 'surplus' | 'different' | 'wrong_log';
  log_value: string | null;
  row_value: string | null;
  /** Of the account, and the log's position, as of which it was compared. */
  revision: number;
  position: bigint;
  /** When the account was first found to differ. */
  found_at: Time;
  checked_at: Time;
}

/** Accounts that the scheduled comparison left out when their turn came last. */
export interface ReconcileSkippedTable {
  account_id: string;
  reason: 'too_many_events' | 'failed';
  /** Says why, for people. */
  message: string;
  skipped_at: Time;
}
