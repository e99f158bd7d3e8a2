import { CSV_BOM, type CsvCell, csvRows } from './csv.ts';
import { shanghaiTimeOf } from './report-time.ts';
import { grouped, textTable } from './text-table.ts';
import type { Outcome, UseSums, WhatIfReport } from './what-if.ts';

/** For a person at a terminal: operations, accounts, and what to make of the sums. */
export function whatIfTable(report: WhatIfReport): string {
  const { totals, failed, refunded } = report;
  const { all } = totals;
  const priced = comparable(totals);
  const signed = `${all.difference > 0 ? '+' : ''}${grouped(all.difference)}`;
  const lines = [
    `The same use under price list ${report.config_version.slice(0, SHOWN_DIGITS)}, read up to position ${report.position ?? 'none (the log is empty)'}`,
    `Uses confirmed ${span(report)}${report.account_id === null ? '' : ` of account ${report.account_id}`}; all numbers are points`,
    '',
    ...textTable(operationRows(report)),
    '',
    ...textTable(accountRows(report)),
    '',
    `${grouped(all.uses)} uses were charged ${grouped(all.charged)}, and ${grouped(all.waived)} was waived.`,
    `By the other list ${grouped(priced.uses)} of them (charged ${grouped(priced.charged)}, waived ${grouped(priced.waived)}) would have cost ${grouped(all.would_be_charged)}, a difference of ${signed}.`,
    ...UNPRICED.flatMap(({ outcome, why }) => sentence(totals[outcome], why)),
    ...sentence(
      totals.named_by_caller,
      'were priced by the calling service; they are counted as they were.',
    ),
  ];
  if (failed.uses > 0)
    lines.push(
      `${grouped(failed.uses)} more failed and were charged and given back at once (${grouped(failed.charged)}): not counted.`,
    );
  if (refunded > 0)
    lines.push(`${grouped(refunded)} were refunded in that time; refunds are not priced again.`);
  return `${lines.join('\n')}\n`;
}

/** Both tables in one, with BOM: rows of operations have no account, rows of accounts no operation. */
export function whatIfCsv({ operations, accounts }: WhatIfReport): string {
  const rows: CsvCell[][] = [
    [...OPERATION_HEADER, 'account_id', ...SUMS, 'uses_without_price', 'refunded'],
    ...operations.map((row) => [
      { text: row.source_type },
      { text: row.model },
      row.outcome,
      null,
      ...SUMS.map((name) => row[name]),
      null,
      null,
    ]),
    ...accounts.map((row) => [
      null,
      null,
      null,
      // An account id may begin with "-", as a formula does.
      { text: row.account_id },
      ...SUMS.map((name) => row[name]),
      row.uses_without_price,
      row.refunded,
    ]),
  ];
  return CSV_BOM + csvRows(rows);
}

const SUMS = ['uses', 'charged', 'waived', 'would_be_charged', 'difference'] as const;
const OPERATION_HEADER = ['source_type', 'model', 'outcome'] as const;
const SHOWN_DIGITS = 12;

const UNPRICED: readonly { readonly outcome: Outcome; readonly why: string }[] = [
  { outcome: 'price_not_found', why: 'have no price in the other list: in no sum of it.' },
  {
    outcome: 'not_measured',
    why: 'would be priced by the second, and nobody said how long they took: in no sum of it.',
  },
  { outcome: 'too_large', why: 'would cost more than one charge may be: in no sum of it.' },
];

/** Without those that have no price in the other list. */
function comparable(totals: WhatIfReport['totals']): Pick<UseSums, 'uses' | 'charged' | 'waived'> {
  let { uses, charged, waived } = totals.all;
  for (const { outcome } of UNPRICED) {
    uses -= totals[outcome].uses;
    charged -= totals[outcome].charged;
    waived -= totals[outcome].waived;
  }
  return { uses, charged, waived };
}

function sentence({ uses, charged }: UseSums, what: string): string[] {
  return uses === 0 ? [] : [`Of them ${grouped(uses)} (charged ${grouped(charged)}) ${what}`];
}

function span({ from, to }: WhatIfReport): string {
  if (from === null && to === null) return 'at any time';
  const start = from === null ? '' : `from ${shanghaiTimeOf(from)}`;
  const end = to === null ? '' : `up to ${shanghaiTimeOf(to)}`;
  return `${start} ${end}`.trim();
}

function operationRows({ operations }: WhatIfReport): CsvCell[][] {
  return [
    [...OPERATION_HEADER, ...SUMS],
    ...operations.map((row) => [
      row.source_type === '' ? '(none)' : row.source_type,
      row.model,
      row.outcome,
      ...SUMS.map((name) => row[name]),
    ]),
  ];
}

function accountRows({ accounts }: WhatIfReport): CsvCell[][] {
  return [
    ['account_id', ...SUMS, 'uses_without_price', 'refunded'],
    ...accounts.map((row) => [
      row.account_id,
      ...SUMS.map((name) => row[name]),
      row.uses_without_price,
      row.refunded,
    ]),
  ];
}
