import type { PostgresPoolClient } from 'kysely';
import pg from 'pg';

const INT8_OID = 20;

/** Log positions, and row ids that are made from them. Every other 64-bit integer is points, a revision or a count. */
const BIGINT_COLUMN = /^(id|batch_id|position|.*_position)$/;

/**
 * A pg connection as Kysely wants it, with two differences.
 *
 * 64-bit integers: `id`, `batch_id`, `position` and `*_position` become bigint, all others numbers; a number that is
 * not a safe integer is an error. pg's own type parsers know only the type, not the column, and are not touched.
 *
 * Release: after a query that ended without the server's answer (timeout, cut) the connection is in an unknown state,
 * perhaps in the middle of a transaction. `release` is then told that it is broken and must not be used again.
 */
export function wrapConnection(
  client: pg.ClientBase,
  release: (broken: boolean) => void,
): PostgresPoolClient {
  let broken = false;
  const query = async (text: string, values: readonly unknown[]) => {
    try {
      const result = await client.query<Record<string, unknown>>(text, [...values]);
      parseInt8(result);
      return result;
    } catch (error) {
      broken ||= !(error instanceof pg.DatabaseError);
      throw error;
    }
  };
  // Kysely's interface is generic in the row type and has a cursor form that is used with a cursor class only.
  return { query, release: () => release(broken) } as unknown as PostgresPoolClient;
}

function parseInt8(result: pg.QueryResult<Record<string, unknown>>): void {
  // A text of several statements without parameters has several results, none of which anybody reads.
  if (Array.isArray(result)) return;
  for (const { name, dataTypeID } of result.fields) {
    if (dataTypeID !== INT8_OID) continue;
    const parse = BIGINT_COLUMN.test(name) ? BigInt : safeInteger;
    for (const row of result.rows) {
      const value = row[name];
      if (typeof value === 'string') row[name] = parse(value);
    }
  }
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is not a safe integer`);
  return value;
}
