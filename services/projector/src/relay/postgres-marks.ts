import type { AppTables } from '@points/read-model/app-tables';
import { RELAY_MARK } from '@points/read-model/coordination';
import type { ReadTables } from '@points/read-model/tables';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { Marks } from './relay.ts';

/**
 * The mark in schema `app`, where a rebuild of the read tables leaves it. It is true of the log whoever wrote it and
 * whenever, so a late write by a relay that has lost its lock does no harm.
 */
export function createPostgresMarks(session: Kysely<ReadTables>): Marks {
  const db = session.withTables<AppTables>();
  return {
    async read() {
      const row = await db
        .selectFrom('relay_marks')
        .selectAll()
        .where('name', '=', RELAY_MARK)
        .executeTakeFirst();
      if (row === undefined) return null;
      const { event_stream, event_revision, event_id, event_position } = row;
      return {
        sequence: row.sequence,
        event: {
          stream: event_stream,
          revision: event_revision,
          id: event_id,
          position: event_position,
        },
      };
    },
    async write({ sequence, event }) {
      const values = {
        sequence,
        event_position: event.position,
        event_stream: event.stream,
        event_revision: event.revision,
        event_id: event.id,
        updated_at: sql<Date>`now()`,
      };
      await db
        .insertInto('relay_marks')
        .values({ name: RELAY_MARK, ...values })
        .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
        .execute();
    },
  };
}
