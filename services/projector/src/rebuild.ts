import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { openSession, READ_SCHEMA } from '@points/read-model/database';
import { migrate } from '@points/read-model/migrate';
import type { ReadTables } from '@points/read-model/tables';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { applyBatch } from './apply.ts';
import { announcePosition, tryLock } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { copyGrants } from './copy-grants.ts';
import { catchUp } from './follow-log.ts';
import type { EventBatch } from './follow-log.ts';
import { ALL_TABLES } from './rows.ts';
import { lookUpByKey } from './table-rows.ts';

/**
 * Makes the read tables anew from the log, in schema `read_next`, while the old ones in `read` serve and the live
 * projector goes on writing them. Row ids are log positions, so the new tables have the same ids.
 *
 *  1. `read_next` is made by the same migrations and filled by the same code as the live tables, up to the end of the
 *     log; indexes that only readers need are made last.
 *  2. The lock `swap` is taken exclusively. The projector holds it shared in each transaction, from its first statement
 *     on, so none is under way now and none can begin: what it has projected meanwhile is all committed to `read`, at
 *     positions that lie in the log.
 *  3. The rest of the log, which is short, is replayed. The new tables are now at least as far as the old ones, and no
 *     reader will see time run backwards.
 *  4. One transaction renames `read` to `read_old` and `read_next` to `read`. Readers find one or the other.
 *  5. The lock is released. The projector finds a checkpoint that is not the one it left, drops its session, reads the
 *     checkpoint of the new tables and goes on from there: nothing is lost and nothing is applied twice.
 *  6. `read_old` is dropped.
 *
 * Ended anywhere before 4, it leaves `read` as it was and `read_next` as rubbish that the next rebuild removes. One
 * rebuild runs at a time. While one runs, every projector must be of the same version: it will write to the new tables.
 */
export async function rebuild(deps: RebuildDeps): Promise<RebuildResult> {
  const session = await openSession({
    url: deps.databaseUrl,
    applicationName: 'rebuild',
    schema: NEXT,
    statementTimeoutMs: 0,
  });
  try {
    const { db } = session;
    if (!(await tryLock(db, LOCKS.rebuild))) {
      throw new RebuildError('another rebuild is running in this database');
    }
    await dropSchema(db, NEXT);
    await dropSchema(db, OLD);
    await migrate(db, NEXT);
    // A crash loses work that would be thrown away anyway; the swap waits for the disk, and so for all before it.
    await sql`set synchronous_commit to off`.execute(db);
    await lookUpByKey(db);
    const indexes = await dropIndexes(db);
    const replay = createReplay(db, deps);
    const { position } = await replay.toTheEnd();
    if (position === null) throw new RebuildError('the event store is empty');
    for (const index of indexes) await sql.raw(index).execute(db);
    for (const { table } of ALL_TABLES) await sql.raw(`analyze ${table}`).execute(db);
    // What came while the indexes were made, so that little is left for when the projector must wait.
    await replay.toTheEnd();
    const [system, purpose] = LOCKS.swap;
    await sql`select pg_advisory_lock(${system}, ${purpose})`.execute(db);
    const result = await replay.toTheEnd();
    await swap(db, result.position);
    await sql`select pg_advisory_unlock(${system}, ${purpose})`.execute(db);
    await dropSchema(db, OLD);
    return result;
  } finally {
    await session.close();
  }
}

const NEXT = 'read_next';
const OLD = 'read_old';
/** Larger than live ones: fewer transactions and, for busy accounts, fewer writes. */
const BATCH_EVENTS = 8_192;

export interface RebuildDeps {
  readonly eventLog: EventLog;
  readonly databaseUrl: string;
  /** Aborted: the rebuild ends with the signal's reason and the old tables stay. */
  readonly signal: AbortSignal;
  /** Called after each batch; `events` = applied so far. */
  readonly onProgress?: (progress: { readonly events: number; readonly position: bigint }) => void;
}

export interface RebuildResult {
  readonly events: number;
  /** How far the log was replayed. */
  readonly position: bigint | null;
}

/** The rebuild could not be done; the old tables stay as they were. */
export class RebuildError extends Error {
  override readonly name = 'RebuildError';
}

function createReplay(db: Kysely<ReadTables>, { eventLog, signal, onProgress }: RebuildDeps) {
  let checkpoint: Checkpoint | null = null;
  let events = 0;
  const apply = async (batch: EventBatch): Promise<void> => {
    if (batch.position === checkpoint?.position) return;
    checkpoint = await applyBatch({ db, announce: false }, checkpoint, batch);
    events += batch.events.length;
    onProgress?.({ events, position: checkpoint.position });
  };
  return {
    async toTheEnd(): Promise<RebuildResult> {
      const from = checkpoint?.position ?? null;
      await catchUp({ eventLog, signal, batchEvents: BATCH_EVENTS }, from, apply);
      return { events, position: checkpoint?.position ?? null };
    },
  };
}

async function swap(db: Kysely<ReadTables>, position: bigint | null): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await sql`set local synchronous_commit to on`.execute(transaction);
    const { rows } = await sql`
      select 1 from pg_namespace where nspname = ${READ_SCHEMA}`.execute(transaction);
    if (rows.length > 0) {
      await copyGrants(transaction, READ_SCHEMA, NEXT);
      await sql`alter schema ${sql.id(READ_SCHEMA)} rename to ${sql.id(OLD)}`.execute(transaction);
    }
    await sql`alter schema ${sql.id(NEXT)} rename to ${sql.id(READ_SCHEMA)}`.execute(transaction);
    if (position !== null) await announcePosition(transaction, position);
  });
}

/** Drops the indexes that only readers need and gives their definitions: sorting once is cheaper than keeping in order. */
async function dropIndexes(db: Kysely<ReadTables>): Promise<string[]> {
  const { rows } = await sql<{ name: string; definition: string }>`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
    from pg_index join pg_class on pg_class.oid = indexrelid
    where relnamespace = ${NEXT}::regnamespace and not indisunique`.execute(db);
  for (const { name } of rows) await sql.raw(`drop index ${name}`).execute(db);
  return rows.map(({ definition }) => definition);
}

async function dropSchema(db: Kysely<ReadTables>, schema: string): Promise<void> {
  await sql`drop schema if exists ${sql.id(schema)} cascade`.execute(db);
}
