import type { ReadTables } from '@points/read-model/tables';
import { type Kysely, sql } from 'kysely';

/** The projector's row among the checkpoints. */
const CHECKPOINT = 'read';
/** The advisory lock that the one projector at work holds on its session. */
const ACTIVE_PROJECTOR = { system: 7_064_878, purpose: 1 };

/** Up to where the read tables are; null when nothing was ever applied. */
export async function selectAppliedPosition(db: Kysely<ReadTables>): Promise<bigint | null> {
  const row = await db
    .selectFrom('projection_checkpoints')
    .select('position')
    .where('name', '=', CHECKPOINT)
    .executeTakeFirst();
  return row?.position ?? null;
}

export async function isProjectorActive(db: Kysely<ReadTables>): Promise<boolean> {
  const { system, purpose } = ACTIVE_PROJECTOR;
  const { rows } = await sql<{ active: boolean }>`
    select exists (
      select from pg_locks
      where locktype = 'advisory' and granted and classid = ${system} and objid = ${purpose} and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())
    ) as active`.execute(db);
  return rows[0]?.active === true;
}
