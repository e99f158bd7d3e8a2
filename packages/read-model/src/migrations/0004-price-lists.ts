import { sql } from 'kysely';

/** What can be bought. The projector starts again from the log's beginning, for it has passed these events by. */
export const priceLists = sql`
truncate projection_checkpoints, user_points, point_batches, point_transactions, point_holds, point_tombstones,
  point_sources, memberships, point_commands, ai_models;

create table points_packages (
  price_id text primary key,
  id bigint not null unique,
  name text not null,
  points bigint not null check (points > 0),
  bonus bigint not null check (bonus >= 0),
  price_fen bigint not null check (price_fen > 0),
  validity_days bigint check (validity_days > 0),
  is_active boolean not null,
  sort_order bigint not null,
  ledger_version bigint not null,
  retired_at timestamptz
);

create table membership_prices (
  price_id text primary key,
  id bigint not null unique,
  name text not null,
  membership_type text not null,
  duration_days bigint not null check (duration_days > 0),
  price_fen bigint not null check (price_fen > 0),
  original_price_fen bigint,
  features jsonb not null,
  is_active boolean not null,
  sort_order bigint not null,
  ledger_version bigint not null,
  retired_at timestamptz
);
create unique index membership_prices_by_type on membership_prices (membership_type) where retired_at is null;
`;
