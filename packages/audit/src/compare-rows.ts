import { shapeOf } from './compare-row.ts';
import type { ComparedTable, TextRow } from './compare-row.ts';

/** One way in which a read table is not what the log says. Values as text, in the form of the report. */
export interface Difference {
  readonly table: ComparedTable;
  /** The columns that name the row. */
  readonly key: TextRow;
  /** `missing`: the row should be there. `surplus`: it should not. `different`: one of its columns. */
  readonly kind: 'missing' | 'surplus' | 'different';
  /** Null for whole rows. */
  readonly column: string | null;
  readonly expected: string | null;
  readonly actual: string | null;
}

/** What one table's comparison came to. */
export interface TableResult {
  /** Rows that the log says there should be. */
  rows: number;
  missing: number;
  surplus: number;
  /** Rows with at least one wrong column. */
  different: number;
}

/** Collects the outcome of many comparisons: everything is counted, the first differences are kept. */
export interface Differences {
  readonly tables: ReadonlyMap<ComparedTable, TableResult>;
  readonly first: readonly Difference[];
  /** All of them, kept or not: one for each missing or surplus row and for each wrong column. */
  readonly count: number;
  /** Sets the rows of a table that belong together against each other. */
  compare(table: ComparedTable, expected: readonly TextRow[], actual: readonly TextRow[]): void;
}

/** `keep`: how many differences are kept. */
export function collectDifferences(keep: number): Differences {
  const tables = new Map<ComparedTable, TableResult>();
  const first: Difference[] = [];
  let count = 0;
  const add = (difference: Difference): void => {
    count += 1;
    if (first.length < keep) first.push(difference);
  };
  return {
    tables,
    first,
    get count() {
      return count;
    },
    compare(table, expected, actual) {
      const result = tables.get(table) ?? { rows: 0, missing: 0, surplus: 0, different: 0 };
      tables.set(table, result);
      result.rows += expected.length;
      const should = byKey(table, expected);
      const is = byKey(table, actual);
      const keys = [...new Set([...should.keys(), ...is.keys()])].sort();
      for (const name of keys) {
        const right = should.get(name);
        const told = is.get(name);
        const row = { table, key: keyOf(table, right ?? told ?? {}) };
        if (told === undefined) {
          result.missing += 1;
          add({ ...row, kind: 'missing', column: null, expected: null, actual: null });
        } else if (right === undefined) {
          result.surplus += 1;
          add({ ...row, kind: 'surplus', column: null, expected: null, actual: null });
        } else {
          const wrong = Object.keys(right).filter((column) => right[column] !== told[column]);
          if (wrong.length > 0) result.different += 1;
          for (const column of wrong) {
            const values = { expected: right[column] ?? null, actual: told[column] ?? null };
            add({ ...row, kind: 'different', column, ...values });
          }
        }
      }
    },
  };
}

function byKey(table: ComparedTable, rows: readonly TextRow[]): ReadonlyMap<string, TextRow> {
  return new Map(rows.map((row) => [JSON.stringify(Object.values(keyOf(table, row))), row]));
}

function keyOf(table: ComparedTable, row: TextRow): TextRow {
  return Object.fromEntries(shapeOf(table).key.map((column) => [column, row[column] ?? null]));
}
