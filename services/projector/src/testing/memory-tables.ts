import { ALL_TABLES } from '../rows.ts';
import type { TableSpec } from '../rows.ts';
import type { ReadRows, WriteRows } from '../touched-rows.ts';

/** The read tables without a database: rows go in and come out as JSON, so nothing is shared with who wrote them. */
export interface MemoryTables {
  readonly read: ReadRows;
  readonly write: WriteRows;
  /** Every row of every table, in a fixed order. */
  dump(): Record<string, string[]>;
}

export function createMemoryTables(): MemoryTables {
  const tables = new Map(ALL_TABLES.map(({ table }) => [table, new Map<string, string>()]));
  const rowsOf = (table: string) => tables.get(table) ?? new Map<string, string>();
  const keyOf = <Row>(row: Row, columns: readonly (keyof Row)[]) =>
    JSON.stringify(columns.map((name) => row[name]));
  return {
    async read<Row>(
      spec: TableSpec<Row>,
      keys: readonly (readonly string[])[],
      by: readonly (keyof Row & string)[] = spec.key,
    ) {
      const rows = rowsOf(spec.table);
      const wanted = keys.map((key) => JSON.stringify(key));
      const found =
        by === spec.key
          ? wanted.flatMap((key) => rows.get(key) ?? [])
          : [...rows.values()].filter((json) => wanted.includes(keyOf<Row>(JSON.parse(json), by)));
      return found.map((json): Row => JSON.parse(json));
    },
    async write(spec, rows) {
      for (const row of rows) {
        const key = keyOf(row, spec.key);
        const known = rowsOf(spec.table).has(key);
        if (known && spec.existing === 'refuse') throw new Error(`${spec.table} has ${key}`);
        if (!known || spec.existing === 'update') rowsOf(spec.table).set(key, JSON.stringify(row));
      }
    },
    dump: () =>
      Object.fromEntries([...tables].map(([table, rows]) => [table, [...rows.values()].sort()])),
  };
}
