import type { CsvCell } from './csv.ts';

/** Columns as wide as their widest cell, numbers to the right; columns without any points are left out. */
export function textTable(rows: readonly (readonly CsvCell[])[]): string[] {
  const texts = rows.map((row) => row.map(cellText));
  const columns = (texts[0] ?? []).map((_, column) => texts.map((row) => row[column] ?? ''));
  const shown = columns.filter((column) => column.slice(1).some((text) => text !== ''));
  const isNumbers = shown.map((column) => column.slice(1).every((text) => /^[-\d,]*$/.test(text)));
  const widths = shown.map((column) => Math.max(...column.map((text) => text.length)));
  return texts.map((_, place) =>
    shown
      .map((column, index) => {
        const text = column[place] ?? '';
        const width = widths[index] ?? 0;
        return index > 0 && isNumbers[index] === true ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

function cellText(cell: CsvCell): string {
  if (typeof cell === 'number') return filled(cell);
  if (cell === null) return '';
  return typeof cell === 'string' ? cell : cell.text;
}

/** Nothing for 0. */
export function filled(points: number): string {
  return points === 0 ? '' : grouped(points);
}

export function grouped(count: number): string {
  return count.toLocaleString('en');
}

/** `1 event`, `2,000 events`. */
export function counted(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;
}
