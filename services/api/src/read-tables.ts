import type { ReadTables } from '@points/read-model/tables';
import type { Kysely } from 'kysely';
import pg from 'pg';
import { HttpError, partUnavailable } from './error-body.ts';

/** Reads that run or wait for a connection at the same time; more are refused at once. */
const MAX_READS = 1_000;

/** Runs one read of the read tables and turns its troubles into answers. */
export type Read = <Result>(query: (db: Kysely<ReadTables>) => Promise<Result>) => Promise<Result>;

/**
 * Every read of a request goes through here: `overloaded` when too many wait already, 503 naming `postgres` when it
 * cannot be reached, does not answer in time or has no read tables yet. Bugs pass through as they are.
 */
export function createReader(db: Kysely<ReadTables>, maxReads = MAX_READS): Read {
  let reading = 0;
  return async (query) => {
    if (reading >= maxReads) throw new HttpError('overloaded');
    reading += 1;
    try {
      return await query(db);
    } catch (error) {
      throw toAnswer(error);
    } finally {
      reading -= 1;
    }
  };
}

/** What to throw instead of an error that a query has thrown. */
export function toAnswer(error: unknown): unknown {
  return isPostgresTrouble(error) ? partUnavailable('postgres', error) : error;
}

/** The read tables are not there: the projector has not made them yet. SQLSTATE undefined_table, invalid_schema_name. */
export function isMissingTable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '42P01' || error.code === '3F000');
}

/**
 * SQLSTATE classes of a server that cannot serve right now: connection, transaction rolled back (a rebuild swaps the
 * tables), resources, operator intervention (also a statement timeout), system error.
 */
const TROUBLE_CLASSES: ReadonlySet<string> = new Set(['08', '40', '53', '57', '58']);
/** Authentication: wrong settings of this deployment, not a wrong query. */
const REFUSED_CLASSES: ReadonlySet<string> = new Set(['28', '3D']);

function isPostgresTrouble(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    const sqlClass = error.code?.slice(0, 2) ?? '';
    return TROUBLE_CLASSES.has(sqlClass) || REFUSED_CLASSES.has(sqlClass) || isMissingTable(error);
  }
  // What pg and Node throw for a lost connection or a timeout is a plain Error; TypeError and the like are bugs.
  return error instanceof Error && !BUGS.some((Bug) => error instanceof Bug);
}

const BUGS = [TypeError, RangeError, ReferenceError, SyntaxError, HttpError];
