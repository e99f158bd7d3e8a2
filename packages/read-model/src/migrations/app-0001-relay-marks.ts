import { sql } from 'kysely';

export const relayMarks = sql`
create table relay_marks (
  name text primary key,
  sequence bigint not null check (sequence > 0),
  event_position bigint not null,
  event_stream text not null,
  event_revision bigint not null,
  event_id text not null,
  updated_at timestamptz not null
);
`;
