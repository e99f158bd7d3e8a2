import { sql } from 'kysely';

/** How far the scheduled comparison of the read tables with the log has come, and what it found. A rebuild begins anew. */
export const reconcile = sql`
create table reconcile_progress (
  name text primary key,
  -- The last account that was looked at; the next round goes on after it.
  last_account_id text not null,
  accounts_checked bigint not null,
  last_round_at timestamptz not null,
  last_full_round_at timestamptz
);

create table reconcile_drift (
  account_id text not null,
  place integer not null,
  table_name text,
  row_key jsonb not null,
  column_name text,
  kind text not null,
  log_value text,
  row_value text,
  revision bigint not null,
  position bigint not null,
  found_at timestamptz not null,
  checked_at timestamptz not null,
  primary key (account_id, place)
);
create index reconcile_drift_next on reconcile_drift (checked_at, account_id);
`;
