import { LOCKS, READ_CHECKPOINT } from '@points/read-model/coordination';
import type { ReadTables } from '@points/read-model/tables';
import { type Kysely, sql } from 'kysely';

/** Up to where the read tables are; null when nothing was ever applied. */
export async function selectAppliedPosition(db: Kysely<ReadTables>): Promise<bigint | null> {
  const row = await db
    .selectFrom('projection_checkpoints')
    .select('position')
    .where('name', '=', READ_CHECKPOINT)
    .executeTakeFirst();
  return row?.position ?? null;
}

export async function isProjectorActive(db: Kysely<ReadTables>): Promise<boolean> {
  const [system, purpose] = LOCKS.active;
  const { rows } = await sql<{ active: boolean }>`
    select exists (
      select from pg_locks
      where locktype = 'advisory' and granted and classid = ${system} and objid = ${purpose} and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())
    ) as active`.execute(db);
  return rows[0]?.active === true;
}
