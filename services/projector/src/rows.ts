import type {
  Allocation,
  BatchKind,
  ChargeMode,
  RechargeSource,
} from '@points/domain/account/events';
import type { TransactionType } from '@points/read-model/tables';
import { MEMBERSHIP_PRICES, PACKAGES } from './price-rows.ts';

/** A time as an event has it (ISO-8601 UTC) or as PostgreSQL gave it back. */
export type Time = string | Date;

export interface AccountRow {
  user_id: string;
  id: string;
  balance: number;
  held: number;
  debt: number;
  total_recharged: number;
  total_rewarded: number;
  total_reversed: number;
  total_adjusted: number;
  total_consumed: number;
  total_refunded: number;
  total_expired: number;
  frozen_at: Time | null;
  ledger_version: number;
  updated_at: Time;
}

export interface BatchRow {
  user_id: string;
  batch_id: string;
  id: string;
  kind: BatchKind;
  points: number;
  remaining: number;
  held: number;
  expired: number;
  expires_at: Time | null;
  source_ref: string | null;
  origin_batch_id: string | null;
  created_at: Time;
  expired_at: Time | null;
}

export interface TransactionRow {
  id: string;
  user_id: string;
  type: TransactionType;
  delta: number;
  balance_before: number;
  balance_after: number;
  task_no: string | null;
  source_type: string | null;
  source_id: string | null;
  biz_type: string | null;
  batch_id: string | null;
  batch_allocations: readonly Allocation[];
  duration: number | null;
  quantity: number | null;
  description: string;
  order_no: string | null;
  hold_id: string | null;
  operator: string | null;
  event_id: string;
  occurred_at: Time;
}

export interface HoldRow {
  user_id: string;
  hold_id: string;
  record_id: number;
  amount: number;
  actual_amount: number | null;
  refunded: number;
  status: 'pending' | 'confirmed' | 'canceled';
  source_type: string | null;
  model: string | null;
  biz_type: string | null;
  biz_id: string | null;
  task_no: string;
  quantity: number | null;
  estimated_duration: number | null;
  price: object;
  charge_mode: ChargeMode;
  owner: string;
  allocations: readonly Allocation[];
  expires_at: Time;
  reason: string | null;
  late_of: string | null;
  late_hold_id: string | null;
  revision: number;
  settled_revision: number | null;
  /** Rising. */
  readonly revisions: number[];
  created_at: Time;
  settled_at: Time | null;
}

export interface TombstoneRow {
  user_id: string;
  hold_id: string;
  request_hash: string;
  revision: number;
}

export interface SourceRow {
  user_id: string;
  source_ref: string;
  source: RechargeSource;
  order_no: string | null;
  request_hash: string;
  revision: number;
  reversed_revision: number | null;
  /** Rising. */
  readonly revisions: number[];
}

export interface MembershipRow {
  user_id: string;
  order_no: string;
  membership_type: string;
  start_date: Time;
  end_date: Time;
  revoked_at: Time | null;
  request_hash: string;
  revision: number;
}

export interface CommandRow {
  account_id: string;
  command_id: string;
  request_hash: string;
  revision: number;
}

export interface ModelRow {
  model_id: string;
  id: string;
  model_name: string;
  display_name: string;
  description: string;
  points_cost: number;
  platform: string;
  provider_type: string;
  model_type: string;
  task_type: string;
  is_enabled: boolean;
  extended_config: object;
  ledger_version: number;
  deleted_at: Time | null;
}

/** How rows of one table are read and written. */
export interface TableSpec<Row> {
  readonly table: string;
  readonly key: readonly (keyof Row & string)[];
  /** `position` is a bigint that is text on our side, for JSON knows no 64-bit integers. */
  readonly columns: { readonly [Column in keyof Row]-?: ColumnType };
  /** Columns that PostgreSQL works out; SQL in which `r` is the row. */
  readonly computed?: Readonly<Record<string, string>>;
  /** What happens to a row whose key is there already. */
  readonly existing: 'update' | 'keep' | 'refuse';
}

type ColumnType =
  | 'text'
  | 'bigint'
  | 'position'
  | 'double precision'
  | 'boolean'
  | 'timestamptz'
  | 'jsonb';

export const ACCOUNTS: TableSpec<AccountRow> = {
  table: 'user_points',
  key: ['user_id'],
  existing: 'update',
  columns: {
    user_id: 'text',
    id: 'position',
    balance: 'bigint',
    held: 'bigint',
    debt: 'bigint',
    total_recharged: 'bigint',
    total_rewarded: 'bigint',
    total_reversed: 'bigint',
    total_adjusted: 'bigint',
    total_consumed: 'bigint',
    total_refunded: 'bigint',
    total_expired: 'bigint',
    frozen_at: 'timestamptz',
    ledger_version: 'bigint',
    updated_at: 'timestamptz',
  },
  // Right only when the batches are written before the accounts.
  computed: {
    next_expires_at: `(select min(b.expires_at) from point_batches b
                       where b.user_id = r.user_id and b.remaining > 0 and b.expired_at is null)`,
  },
};

export const BATCHES: TableSpec<BatchRow> = {
  table: 'point_batches',
  key: ['user_id', 'batch_id'],
  existing: 'update',
  columns: {
    user_id: 'text',
    batch_id: 'text',
    id: 'position',
    kind: 'text',
    points: 'bigint',
    remaining: 'bigint',
    held: 'bigint',
    expired: 'bigint',
    expires_at: 'timestamptz',
    source_ref: 'text',
    origin_batch_id: 'text',
    created_at: 'timestamptz',
    expired_at: 'timestamptz',
  },
};

export const TRANSACTIONS: TableSpec<TransactionRow> = {
  table: 'point_transactions',
  key: ['id'],
  existing: 'refuse',
  columns: {
    id: 'position',
    user_id: 'text',
    type: 'text',
    delta: 'bigint',
    balance_before: 'bigint',
    balance_after: 'bigint',
    task_no: 'text',
    source_type: 'text',
    source_id: 'text',
    biz_type: 'text',
    batch_id: 'position',
    batch_allocations: 'jsonb',
    duration: 'double precision',
    quantity: 'double precision',
    description: 'text',
    order_no: 'text',
    hold_id: 'text',
    operator: 'text',
    event_id: 'text',
    occurred_at: 'timestamptz',
  },
};

export const HOLDS: TableSpec<HoldRow> = {
  table: 'point_holds',
  key: ['user_id', 'hold_id'],
  existing: 'update',
  columns: {
    user_id: 'text',
    hold_id: 'text',
    record_id: 'bigint',
    amount: 'bigint',
    actual_amount: 'bigint',
    refunded: 'bigint',
    status: 'text',
    source_type: 'text',
    model: 'text',
    biz_type: 'text',
    biz_id: 'text',
    task_no: 'text',
    quantity: 'double precision',
    estimated_duration: 'double precision',
    price: 'jsonb',
    charge_mode: 'text',
    owner: 'text',
    allocations: 'jsonb',
    expires_at: 'timestamptz',
    reason: 'text',
    late_of: 'text',
    late_hold_id: 'text',
    revision: 'bigint',
    settled_revision: 'bigint',
    revisions: 'jsonb',
    created_at: 'timestamptz',
    settled_at: 'timestamptz',
  },
};

export const TOMBSTONES: TableSpec<TombstoneRow> = {
  table: 'point_tombstones',
  key: ['user_id', 'hold_id'],
  // As of commands.
  existing: 'keep',
  columns: { user_id: 'text', hold_id: 'text', request_hash: 'text', revision: 'bigint' },
};

export const SOURCES: TableSpec<SourceRow> = {
  table: 'point_sources',
  key: ['user_id', 'source_ref'],
  existing: 'update',
  columns: {
    user_id: 'text',
    source_ref: 'text',
    source: 'text',
    order_no: 'text',
    request_hash: 'text',
    revision: 'bigint',
    reversed_revision: 'bigint',
    revisions: 'jsonb',
  },
};

export const MEMBERSHIPS: TableSpec<MembershipRow> = {
  table: 'memberships',
  key: ['user_id', 'order_no'],
  existing: 'update',
  columns: {
    user_id: 'text',
    order_no: 'text',
    membership_type: 'text',
    start_date: 'timestamptz',
    end_date: 'timestamptz',
    revoked_at: 'timestamptz',
    request_hash: 'text',
    revision: 'bigint',
  },
};

export const COMMANDS: TableSpec<CommandRow> = {
  table: 'point_commands',
  key: ['account_id', 'command_id'],
  // The first answer to a command is the one that counts.
  existing: 'keep',
  columns: { account_id: 'text', command_id: 'text', request_hash: 'text', revision: 'bigint' },
};

export const MODELS: TableSpec<ModelRow> = {
  table: 'ai_models',
  key: ['model_id'],
  existing: 'update',
  columns: {
    model_id: 'text',
    id: 'position',
    model_name: 'text',
    display_name: 'text',
    description: 'text',
    points_cost: 'bigint',
    platform: 'text',
    provider_type: 'text',
    model_type: 'text',
    task_type: 'text',
    is_enabled: 'boolean',
    extended_config: 'jsonb',
    ledger_version: 'bigint',
    deleted_at: 'timestamptz',
  },
};

export const ALL_TABLES = [
  ACCOUNTS,
  BATCHES,
  TRANSACTIONS,
  HOLDS,
  TOMBSTONES,
  SOURCES,
  COMMANDS,
  MEMBERSHIPS,
  MODELS,
  PACKAGES,
  MEMBERSHIP_PRICES,
] as const;
