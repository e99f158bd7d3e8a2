import { sql } from 'kysely';

/**
 * Tables and columns for every event of an account. What they show of the past is in the log alone, so all rows go and
 * the projector starts again from the log's beginning.
 */
export const everyAccountEvent = sql`
truncate projection_checkpoints, user_points, point_batches, point_transactions, point_holds, point_commands, ai_models;

alter table user_points
  add column total_reversed bigint not null default 0 check (total_reversed >= 0);

alter table point_batches
  add column expired bigint not null default 0 check (expired >= 0),
  add column origin_batch_id text;

alter table point_holds
  add column refunded bigint not null default 0,
  add column late_of text,
  add column late_hold_id text,
  add column settled_revision bigint,
  add column revisions jsonb not null default '[]',
  add constraint point_holds_refund_what_was_charged check (
    case status
      when 'confirmed' then refunded between 0 and actual_amount
      when 'canceled' then refunded >= 0
      else refunded = 0
    end
  );

create table point_tombstones (
  user_id text not null,
  hold_id text not null,
  request_hash text not null,
  revision bigint not null,
  primary key (user_id, hold_id)
);

create table point_sources (
  user_id text not null,
  source_ref text not null,
  source text not null,
  order_no text,
  request_hash text not null,
  revision bigint not null,
  reversed_revision bigint,
  revisions jsonb not null,
  primary key (user_id, source_ref)
);

create table memberships (
  user_id text not null,
  order_no text not null,
  membership_type text not null,
  start_date timestamptz not null,
  end_date timestamptz not null,
  revoked_at timestamptz,
  request_hash text not null,
  revision bigint not null,
  primary key (user_id, order_no),
  check (start_date < end_date)
);
`;
