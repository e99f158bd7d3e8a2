import type { ChargeMode, BatchKind, Allocation } from '@points/domain/account/events';
import type { TransactionType } from '@points/read-model/tables';

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
  total_adjusted: number;
  total_consumed: number;
  total_refunded: number;
  total_expired: number;
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
  expires_at: Time | null;
  source_ref: string | null;
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
  revision: number;
  created_at: Time;
  settled_at: Time | null;
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
    total_adjusted: 'bigint',
    total_consumed: 'bigint',
    total_refunded: 'bigint',
    total_expired: 'bigint',
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
    expires_at: 'timestamptz',
    source_ref: 'text',
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
    revision: 'bigint',
    created_at: 'timestamptz',
    settled_at: 'timestamptz',
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

export const ALL_TABLES = [ACCOUNTS, BATCHES, TRANSACTIONS, HOLDS, COMMANDS, MODELS] as const;
