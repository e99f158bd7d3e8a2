import { sql } from 'kysely';

/** The accounts that the scheduled comparison left out when their turn came last, and why. */
export const reconcileSkipped = sql`
create table reconcile_skipped (
  account_id text primary key,
  reason text not null check (reason in ('too_many_events', 'failed')),
  message text not null,
  skipped_at timestamptz not null
);
`;
