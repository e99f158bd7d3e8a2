import { sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';
import { APP_SCHEMA } from './database.ts';
import { ledgerTables } from './migrations/0001-ledger-tables.ts';
import { everyAccountEvent } from './migrations/0002-every-account-event.ts';
import { viewsOfOlderSystems } from './migrations/0003-views-of-older-systems.ts';
import { priceLists } from './migrations/0004-price-lists.ts';
import { reconcile } from './migrations/0005-reconcile.ts';
import { reconcileSkipped } from './migrations/0006-reconcile-skipped.ts';
import { relayMarks } from './migrations/app-0001-relay-marks.ts';

/** SQL that runs with its schema first in the search_path, so that it names no schema. */
export type Migration = ReturnType<typeof sql>;

/** In order. Names are kept in the database: never renamed, never removed, never edited once released. */
const READ_MIGRATIONS: Migrations = {
  '0001-ledger-tables': ledgerTables,
  '0002-every-account-event': everyAccountEvent,
  '0003-views-of-older-systems': viewsOfOlderSystems,
  '0004-price-lists': priceLists,
  '0005-reconcile': reconcile,
  '0006-reconcile-skipped': reconcileSkipped,
};

/** State that a rebuild never touches. */
const APP_MIGRATIONS: Migrations = { '0001-relay-marks': relayMarks };

type Migrations = Readonly<Record<string, Migration>>;

/** The database was made by a version that knows more, or other, migrations. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Brings the read tables in `schema` up to date, creating what is missing; all or nothing. Several processes may do
 * this at the same time. Throws `MigrationError` when the database is newer than this code.
 */
export function migrate<Database>(db: Kysely<Database>, schema: string): Promise<void> {
  return run(db, schema, READ_MIGRATIONS);
}

/** The same for the application's own state, schema `app`. */
export function migrateApp<Database>(db: Kysely<Database>): Promise<void> {
  return run(db, APP_SCHEMA, APP_MIGRATIONS);
}

async function run<Database>(
  db: Kysely<Database>,
  schema: string,
  migrations: Migrations,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    // Held to the end of the transaction: whoever starts at the same time waits here and then finds nothing to do.
    await sql`select pg_advisory_xact_lock(hashtext('points-ledger migrate'))`.execute(transaction);
    // "if not exists" would ask this session's memory, which the wait for the lock has made old.
    const { rows } = await sql`
      select 1 from pg_namespace where nspname = ${schema}`.execute(transaction);
    if (rows.length === 0) await sql`create schema ${sql.id(schema)}`.execute(transaction);
    await sql`set local search_path to ${sql.id(schema)}`.execute(transaction);
    await sql`create table if not exists schema_migrations (
      name text primary key,
      applied_at timestamptz not null default now()
    )`.execute(transaction);
    for (const name of await pending(transaction, schema, migrations)) {
      await migrations[name]?.execute(transaction);
      await sql`insert into schema_migrations (name) values (${name})`.execute(transaction);
    }
  });
}

/** What is still to do; the applied ones must be the first of ours. */
async function pending<Database>(
  transaction: Transaction<Database>,
  schema: string,
  migrations: Migrations,
): Promise<string[]> {
  const names = Object.keys(migrations);
  const { rows } = await sql<{ name: string }>`
    select name from schema_migrations order by name`.execute(transaction);
  rows.forEach(({ name }, place) => {
    if (names[place] === name) return;
    throw new MigrationError(
      `Schema "${schema}" has migration "${name}", which this version does not know: a newer version has used this ` +
        'database. Start that version or a later one.',
    );
  });
  return names.slice(rows.length);
}
