import { sql } from 'kysely';

/**
 * The tables of the first version. Checks state what is true of every account at every position; the projector stops
 * on an event that would break one. Text has no limits here: the contracts have them.
 */
export const ledgerTables = sql`
create table projection_checkpoints (
  name text primary key,
  position bigint not null,
  -- The last event that was applied: proof that the log is still the same one.
  event_position bigint,
  event_stream text,
  event_revision bigint,
  event_id text,
  updated_at timestamptz not null
);

create table user_points (
  user_id text primary key,
  id bigint not null unique,
  balance bigint not null,
  held bigint not null check (held >= 0),
  available bigint not null generated always as (balance - held) stored,
  debt bigint not null check (debt >= 0),
  total_recharged bigint not null,
  total_rewarded bigint not null,
  total_adjusted bigint not null,
  total_consumed bigint not null,
  total_refunded bigint not null,
  total_expired bigint not null,
  next_expires_at timestamptz,
  frozen_at timestamptz,
  ledger_version bigint not null,
  updated_at timestamptz not null,
  constraint user_points_totals_make_the_balance check (
    balance = total_recharged + total_rewarded + total_adjusted
              - total_consumed + total_refunded - total_expired
  )
);

create table point_batches (
  user_id text not null,
  batch_id text not null,
  id bigint not null,
  kind text not null,
  points bigint not null,
  remaining bigint not null,
  held bigint not null,
  expires_at timestamptz,
  source_ref text,
  created_at timestamptz not null,
  expired_at timestamptz,
  primary key (user_id, batch_id),
  constraint point_batches_points_add_up check (
    0 <= held and held <= remaining and remaining <= points
  )
);
create index point_batches_left on point_batches (user_id, expires_at) where remaining > 0;
create index point_batches_due on point_batches (expires_at) where remaining > held;

create table point_transactions (
  id bigint primary key,
  user_id text not null,
  type text not null,
  delta bigint not null check (delta <> 0),
  balance_before bigint not null,
  balance_after bigint not null,
  task_no text,
  source_type text,
  source_id text,
  biz_type text,
  batch_id bigint,
  batch_allocations jsonb not null,
  duration double precision,
  quantity double precision,
  description text not null,
  order_no text,
  hold_id text,
  operator text,
  event_id text not null unique,
  occurred_at timestamptz not null,
  constraint point_transactions_move_the_balance check (balance_before + delta = balance_after)
);
create index point_transactions_newest on point_transactions (user_id, id desc);
create index point_transactions_newest_of_type on point_transactions (user_id, type, id desc);

create table point_holds (
  user_id text not null,
  hold_id text not null,
  record_id bigint not null,
  amount bigint not null check (amount >= 0),
  actual_amount bigint check (actual_amount >= 0),
  status text not null,
  source_type text,
  model text,
  biz_type text,
  biz_id text,
  task_no text not null,
  quantity double precision,
  estimated_duration double precision,
  price jsonb not null,
  charge_mode text not null,
  owner text not null,
  allocations jsonb not null,
  expires_at timestamptz not null,
  reason text,
  revision bigint not null,
  created_at timestamptz not null,
  settled_at timestamptz,
  primary key (user_id, hold_id),
  constraint point_holds_settle_once check (
    case status
      when 'pending' then settled_at is null and actual_amount is null
      when 'confirmed' then settled_at is not null and actual_amount is not null
      when 'canceled' then settled_at is not null and actual_amount is null and reason is not null
      else false
    end
  )
);
create index point_holds_record on point_holds (user_id, record_id);
create index point_holds_by_status on point_holds (status, created_at);
create index point_holds_open on point_holds (expires_at) where status = 'pending';

create table point_commands (
  account_id text not null,
  command_id text not null,
  request_hash text not null,
  revision bigint not null,
  primary key (account_id, command_id)
);

create table ai_models (
  model_id text primary key,
  id bigint not null unique,
  model_name text not null,
  display_name text not null,
  description text not null,
  points_cost bigint not null check (points_cost >= 0),
  platform text not null,
  provider_type text not null,
  model_type text not null,
  task_type text not null,
  is_enabled boolean not null,
  extended_config jsonb not null,
  ledger_version bigint not null,
  deleted_at timestamptz
);
create index ai_models_by_kind on ai_models (task_type, provider_type, is_enabled) where deleted_at is null;
create index ai_models_by_name on ai_models (model_name) where deleted_at is null;
`;
