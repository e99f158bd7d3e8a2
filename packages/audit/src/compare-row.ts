import { canonicalJson } from '@points/event-store/canonical-json';
import type { JsonValue } from '@points/event-store/event-log';
import type { ReadTables } from '@points/read-model/tables';

/** A row of a read table with every value as text in one form, so that equal values are equal texts; null = null. */
export type TextRow = Readonly<Record<string, string | null>>;

type ColumnKind = 'text' | 'integer' | 'number' | 'boolean' | 'time' | 'json';

interface TableShape<Column extends string = string> {
  /** The column that says whose row it is; null = nobody's. */
  readonly account: 'user_id' | 'account_id' | null;
  readonly key: readonly Column[];
  /** Every column: the log determines them all. */
  readonly columns: Readonly<Record<Column, ColumnKind>>;
}

/** All but those that say how far the projector, and the comparison itself, have come. */
export type ComparedTable = Exclude<
  keyof ReadTables,
  'projection_checkpoints' | 'reconcile_progress' | 'reconcile_drift' | 'reconcile_skipped'
>;

/** What is compared, in this order. */
const SHAPES: {
  readonly [Table in ComparedTable]: TableShape<keyof ReadTables[Table] & string>;
} = {
  user_points: {
    account: 'user_id',
    key: ['user_id'],
    columns: {
      user_id: 'text',
      id: 'integer',
      balance: 'integer',
      held: 'integer',
      available: 'integer',
      debt: 'integer',
      total_recharged: 'integer',
      total_rewarded: 'integer',
      total_reversed: 'integer',
      total_adjusted: 'integer',
      total_consumed: 'integer',
      total_refunded: 'integer',
      total_expired: 'integer',
      next_expires_at: 'time',
      frozen_at: 'time',
      ledger_version: 'integer',
      updated_at: 'time',
    },
  },
  point_batches: {
    account: 'user_id',
    key: ['user_id', 'batch_id'],
    columns: {
      user_id: 'text',
      batch_id: 'text',
      id: 'integer',
      kind: 'text',
      points: 'integer',
      remaining: 'integer',
      held: 'integer',
      expired: 'integer',
      expires_at: 'time',
      source_ref: 'text',
      origin_batch_id: 'text',
      created_at: 'time',
      expired_at: 'time',
    },
  },
  point_transactions: {
    account: 'user_id',
    key: ['user_id', 'id'],
    columns: {
      user_id: 'text',
      id: 'integer',
      type: 'text',
      delta: 'integer',
      balance_before: 'integer',
      balance_after: 'integer',
      task_no: 'text',
      source_type: 'text',
      source_id: 'text',
      biz_type: 'text',
      batch_id: 'integer',
      batch_allocations: 'json',
      duration: 'number',
      quantity: 'number',
      description: 'text',
      order_no: 'text',
      hold_id: 'text',
      operator: 'text',
      event_id: 'text',
      occurred_at: 'time',
    },
  },
  point_holds: {
    account: 'user_id',
    key: ['user_id', 'hold_id'],
    columns: {
      user_id: 'text',
      hold_id: 'text',
      record_id: 'integer',
      amount: 'integer',
      actual_amount: 'integer',
      refunded: 'integer',
      status: 'text',
      source_type: 'text',
      model: 'text',
      biz_type: 'text',
      biz_id: 'text',
      task_no: 'text',
      quantity: 'number',
      estimated_duration: 'number',
      price: 'json',
      charge_mode: 'text',
      owner: 'text',
      allocations: 'json',
      expires_at: 'time',
      reason: 'text',
      late_of: 'text',
      late_hold_id: 'text',
      revision: 'integer',
      settled_revision: 'integer',
      revisions: 'json',
      created_at: 'time',
      settled_at: 'time',
    },
  },
  point_tombstones: {
    account: 'user_id',
    key: ['user_id', 'hold_id'],
    columns: { user_id: 'text', hold_id: 'text', request_hash: 'text', revision: 'integer' },
  },
  point_sources: {
    account: 'user_id',
    key: ['user_id', 'source_ref'],
    columns: {
      user_id: 'text',
      source_ref: 'text',
      source: 'text',
      order_no: 'text',
      request_hash: 'text',
      revision: 'integer',
      reversed_revision: 'integer',
      revisions: 'json',
    },
  },
  point_commands: {
    account: 'account_id',
    key: ['account_id', 'command_id'],
    columns: { account_id: 'text', command_id: 'text', request_hash: 'text', revision: 'integer' },
  },
  memberships: {
    account: 'user_id',
    key: ['user_id', 'order_no'],
    columns: {
      user_id: 'text',
      order_no: 'text',
      membership_type: 'text',
      start_date: 'time',
      end_date: 'time',
      revoked_at: 'time',
      request_hash: 'text',
      revision: 'integer',
    },
  },
  ai_models: {
    account: null,
    key: ['model_id'],
    columns: {
      model_id: 'text',
      id: 'integer',
      model_name: 'text',
      display_name: 'text',
      description: 'text',
      points_cost: 'integer',
      platform: 'text',
      provider_type: 'text',
      model_type: 'text',
      task_type: 'text',
      is_enabled: 'boolean',
      extended_config: 'json',
      ledger_version: 'integer',
      deleted_at: 'time',
    },
  },
  points_packages: {
    account: null,
    key: ['price_id'],
    columns: {
      price_id: 'text',
      id: 'integer',
      name: 'text',
      points: 'integer',
      bonus: 'integer',
      price_fen: 'integer',
      validity_days: 'integer',
      is_active: 'boolean',
      sort_order: 'integer',
      ledger_version: 'integer',
      retired_at: 'time',
    },
  },
  membership_prices: {
    account: null,
    key: ['price_id'],
    columns: {
      price_id: 'text',
      id: 'integer',
      name: 'text',
      membership_type: 'text',
      duration_days: 'integer',
      price_fen: 'integer',
      original_price_fen: 'integer',
      features: 'json',
      is_active: 'boolean',
      sort_order: 'integer',
      ledger_version: 'integer',
      retired_at: 'time',
    },
  },
};

export function shapeOf(table: ComparedTable): TableShape {
  return SHAPES[table];
}

const TABLES = Object.keys(SHAPES) as readonly ComparedTable[];
/** Tables whose rows belong to accounts. */
export const ACCOUNT_TABLES = TABLES.filter((table) => shapeOf(table).account !== null);
/** Tables whose rows belong to nobody: the catalog and the price lists. */
export const CATALOG_TABLES = TABLES.filter((table) => shapeOf(table).account === null);

/** What the log says of a row, by column: integers, doubles, ISO-8601 times, plain data. Other fields are of no account. */
export function expectedText(
  table: ComparedTable,
  row: Readonly<Record<string, unknown>>,
): TextRow {
  return mapColumns(table, (column, kind) => {
    const value = row[column] ?? null;
    if (value === null) return null;
    if (kind === 'json') return canonicalJson(value as JsonValue);
    return kind === 'time' ? oneTimeForm(String(value)) : String(value);
  });
}

/** `row` as PostgreSQL casts its columns to text in a session whose time zone is UTC. */
export function actualText(table: ComparedTable, row: TextRow): TextRow {
  return mapColumns(table, (column, kind) => {
    const value = row[column] ?? null;
    if (value === null) return null;
    if (kind === 'json') return canonicalJson(JSON.parse(value) as JsonValue);
    if (kind === 'number') return String(Number(value));
    return kind === 'time' ? oneTimeForm(value) : value;
  });
}

function mapColumns(
  table: ComparedTable,
  text: (column: string, kind: ColumnKind) => string | null,
): TextRow {
  const row: Record<string, string | null> = {};
  for (const [column, kind] of Object.entries(shapeOf(table).columns))
    row[column] = text(column, kind);
  return row;
}

const PARTS_OF_A_TIME = /^(\d+-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|\+00)$/;

/** ISO-8601 with at least milliseconds, and microseconds where there are any; `infinity` and other eras stay as they are. */
function oneTimeForm(text: string): string {
  const [, date, time, fraction = ''] = PARTS_OF_A_TIME.exec(text) ?? [];
  return date === undefined ? text : `${date}T${time}.${fraction.padEnd(3, '0')}Z`;
}
