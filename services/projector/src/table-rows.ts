import type { ReadTables } from '@points/read-model/tables';
import { CompiledQuery, sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';
import type { TableSpec } from './rows.ts';

/** Reads the rows whose `by` columns are these, in one statement. Keys that are not there are left out. */
export async function readRows<Row>(
  db: Kysely<ReadTables>,
  spec: TableSpec<Row>,
  keys: readonly (readonly string[])[],
  by: readonly (keyof Row & string)[] = spec.key,
): Promise<Row[]> {
  if (keys.length === 0) return [];
  const columns = columnsOf(spec).map(([name, type]) =>
    type === 'position' ? `t.${name}::text as ${name}` : `t.${name}`,
  );
  const key = by.join();
  const text = `
    select ${columns.join()}
    from unnest(${by.map((_, place) => `$${place + 1}::text[]`).join()}) as k(${key})
    join ${spec.table} t using (${key})`;
  const values = by.map((_, place) => keys.map((parts) => parts[place]));
  const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(text, values));
  return rows;
}

/**
 * For the session: look rows up by their keys always. For some thousand keys the planner would rather read the whole
 * table and hash it, which takes as long as the table is large.
 */
export async function lookUpByKey(db: Kysely<ReadTables>): Promise<void> {
  await sql`set enable_hashjoin to off; set enable_mergejoin to off`.execute(db);
}

/** Writes all rows in one statement; what happens to rows that are there already the table's spec says. */
export async function writeRows<Row>(
  db: Transaction<ReadTables>,
  spec: TableSpec<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = columnsOf(spec).map(([name]) => name);
  const computed = Object.entries(spec.computed ?? {});
  const written = [...names, ...computed.map(([name]) => name)];
  const types = columnsOf(spec).map(
    ([name, type]) => `${name} ${type === 'position' ? 'bigint' : type}`,
  );
  const text = `
    insert into ${spec.table} (${written.join()})
    select ${[...names.map((name) => `r.${name}`), ...computed.map(([, value]) => value)].join()}
    from json_to_recordset($1) as r(${types.join()})
    ${onConflict(spec, written)}`;
  await db.executeQuery(CompiledQuery.raw(text, [JSON.stringify(rows)]));
}

function columnsOf<Row>(spec: TableSpec<Row>): [string, string][] {
  return Object.entries<string>(spec.columns);
}

function onConflict<Row>(spec: TableSpec<Row>, written: readonly string[]): string {
  switch (spec.existing) {
    case 'refuse':
      return '';
    case 'keep':
      return `on conflict (${spec.key.join()}) do nothing`;
    case 'update': {
      const key: readonly string[] = spec.key;
      const others = written.filter((name) => !key.includes(name));
      return `on conflict (${spec.key.join()}) do update
              set ${others.map((name) => `${name} = excluded.${name}`).join()}`;
    }
    default:
      return spec.existing satisfies never;
  }
}
