import { stringify } from 'csv-stringify/sync';

/** U+FEFF: without it spreadsheets take UTF-8 for something else. */
export const CSV_BOM = '\u{FEFF}';

/** Text of people, which a spreadsheet must not take for a formula; every other cell is a number, an id or a time. */
export type CsvCell = string | number | null | { readonly text: string };

/** Rows by RFC 4180, with CRLF. Null is an empty cell. */
export function csvRows(rows: readonly (readonly CsvCell[])[]): string {
  return stringify(
    rows.map((row) => row.map(plain)),
    { record_delimiter: 'windows' },
  );
}

/** What spreadsheets take for the beginning of a formula, also after the blanks that they skip. */
const FORMULA = /^[\s\0]*[=+\-@＝＋－＠\t\r\n]/;

function plain(cell: CsvCell): string | number | null {
  if (typeof cell !== 'object' || cell === null) return cell;
  return FORMULA.test(cell.text) ? `'${cell.text}` : cell.text;
}
