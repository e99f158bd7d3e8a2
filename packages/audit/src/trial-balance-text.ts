import { CSV_BOM, type CsvCell, csvRows } from './csv.ts';
import type { Standing } from './account-history.ts';
import { MOVEMENT_KINDS, type Movement, balanceOf, debtOf } from './movement.ts';
import type { TrialBalanceEntry } from './trial-balance-entries.ts';
import type { TrialBalance, TrialBalancePeriod } from './trial-balance.ts';
import { shanghaiTimeOf } from './report-time.ts';
import { movementName } from './statement-words.ts';
import { filled, grouped, textTable } from './text-table.ts';

/** The trial balance for a person at a terminal, in plain English: pure ASCII columns, a verdict at the end. */
export function trialBalanceTable(result: TrialBalance): string {
  const { period } = result;
  const inPeriod = period === undefined ? '' : `, ${grouped(period.events)} of them in the period`;
  const lines = [
    `Trial balance ${times(result)}read up to position ${result.position ?? 'none (the log is empty)'}`,
    `${grouped(result.events)} events of ${grouped(result.accounts)} accounts${inPeriod}; all numbers are points`,
    '',
    ...section(result, 'points', 'Points: where they came from, where they went, what users have'),
    '',
    ...section(result, 'debts', 'Debts: what users came to owe, and what became of it'),
    '',
    `balance of all users ${grouped(result.balance)}; of it held ${grouped(result.held)}; debt ${grouped(result.debt)}; waived ${period === undefined ? 'so far' : 'in the period'} ${grouped(result.totals.waived)}`,
  ];
  if (period !== undefined) lines.push('', ...periodLines(period, result.totals));
  if (result.days.length > 0) lines.push('', ...textTable(readable(dayTable(result))));
  if (result.sources.length > 0) lines.push('', ...textTable(readable(sourceTable(result))));
  lines.push('', ...verdict(result));
  return `${lines.join('\n')}\n`;
}

/** The entries, or, when the result is by day or source, those rows; with BOM and header, by the names of the JSON. */
export function trialBalanceCsv(result: TrialBalance): string {
  if (result.by === 'day') return CSV_BOM + csvRows(dayTable(result));
  if (result.by === 'source') return CSV_BOM + csvRows(sourceTable(result));
  const rows = result.entries.map(({ section: part, name, debit, credit }) => [
    part,
    name,
    debit,
    credit,
  ]);
  return CSV_BOM + csvRows([['section', 'name', 'debit', 'credit'], ...rows]);
}

function times({ from, as_of }: TrialBalance): string {
  const begin = from === undefined ? '' : `from ${shanghaiTimeOf(from)}, `;
  return as_of === null ? begin : `${begin}as of ${shanghaiTimeOf(as_of)}, `;
}

/** Opening, what moved, closing; and whether the first two come to the third. */
function periodLines({ opening, closing, adds_up }: TrialBalancePeriod, moved: Movement): string[] {
  const rows: [string, Standing][] = [
    ['opening', opening],
    ['moved', { balance: balanceOf(moved), debt: debtOf(moved), held: moved.held }],
    ['closing', closing],
  ];
  return [
    ...textTable([
      ['period', 'balance', 'debt', 'held'],
      ...rows.map(([name, { balance, debt, held }]) => [
        name,
        ...[balance, debt, held].map(grouped),
      ]),
    ]),
    adds_up ? 'Opening + movements = closing.' : 'OPENING + MOVEMENTS IS NOT CLOSING.',
  ];
}

function dayTable({ days }: TrialBalance): CsvCell[][] {
  return [
    ['day', ...MOVEMENT_KINDS, 'balance', 'debt', 'held_after'],
    ...days.map((row) => [
      row.day,
      ...MOVEMENT_KINDS.map((kind) => row[kind]),
      row.balance,
      row.debt,
      row.held_after,
    ]),
  ];
}

function sourceTable({ sources }: TrialBalance): CsvCell[][] {
  return [
    ['group', 'source', 'model', ...MOVEMENT_KINDS],
    ...sources.map((row) => [
      row.group,
      { text: row.source },
      { text: row.model },
      ...MOVEMENT_KINDS.map((kind) => row[kind]),
    ]),
  ];
}

/** The same rows under a header of words. */
function readable([header = [], ...rows]: CsvCell[][]): CsvCell[][] {
  return [header.map((name) => (typeof name === 'string' ? nameOf(name) : name)), ...rows];
}

/** What a person calls an entry or a column. */
function nameOf(name: string): string {
  const kind = MOVEMENT_KINDS.find((each) => each === name);
  return kind === undefined ? name.replaceAll('_', ' ') : movementName(kind, 'en');
}

const NAME_WIDTH = 24;
const NUMBER_WIDTH = 24;

function section(
  { entries }: TrialBalance,
  part: TrialBalanceEntry['section'],
  title: string,
): string[] {
  const rows = entries.filter((entry) => entry.section === part);
  const line = (name: string, debit: string, credit: string) =>
    `  ${name.padEnd(NAME_WIDTH)}${debit.padStart(NUMBER_WIDTH)}${credit.padStart(NUMBER_WIDTH)}`.trimEnd();
  const sum = (side: 'debit' | 'credit') => grouped(rows.reduce((all, row) => all + row[side], 0));
  return [
    title,
    line('', 'debit', 'credit'),
    ...rows.map(({ name, debit, credit }) => line(nameOf(name), filled(debit), filled(credit))),
    line('', '-'.repeat(NUMBER_WIDTH - 2), '-'.repeat(NUMBER_WIDTH - 2)),
    line('sum', sum('debit'), sum('credit')),
  ];
}

function verdict({ sums_to_zero, findings, finding_count }: TrialBalance): string[] {
  if (sums_to_zero) return ['It sums to zero.'];
  const lines = findings.map(({ message }) => `  ${message}`);
  if (finding_count > findings.length)
    lines.push(`  and ${grouped(finding_count - findings.length)} more`);
  return ['IT DOES NOT HOLD.', ...lines];
}
