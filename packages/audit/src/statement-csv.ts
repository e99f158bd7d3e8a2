import { CSV_BOM, type CsvCell, csvRows } from './csv.ts';
import { shanghaiTimeOf } from './report-time.ts';
import type { StatementClosing, StatementOpening, StatementPart } from './statement.ts';
import type { StatementLine } from './statement-line.ts';
import {
  type ReportLanguage,
  batchSentence,
  kindName,
  lineSentences,
  movementNames,
  word,
} from './statement-words.ts';

const COLUMNS = [
  'time',
  'type',
  'name',
  'task_no',
  'record_id',
  'hold_id',
  'source_ref',
  'order_no',
  'description',
  'delta',
  'balance_before',
  'balance_after',
  'held_after',
  'available_after',
  'debt_after',
  'debt_repaid',
  'waived',
  'price_mode',
  'unit_price',
  'quantity',
  'duration_seconds',
  'rounding',
  'price_points',
  'price_source',
  'config_version',
  'batches',
  'explanation',
  'transaction_id',
  'revision',
  'position',
] as const;

type Row = Partial<Record<(typeof COLUMNS)[number], CsvCell>>;

/**
 * A statement as CSV (RFC 4180, UTF-8 with BOM), in pieces: header, a row of type `opening`, one for each line,
 * one of type `closing`, which says whether it adds up. Times are ISO-8601 with +08:00. The sum of the column `delta` is
 * closing less opening. Free text is never taken for a formula.
 */
export async function* statementCsv(
  parts: AsyncIterable<StatementPart>,
  lang: ReportLanguage,
): AsyncGenerator<string, void> {
  yield CSV_BOM + csvRows([COLUMNS]);
  let rows: CsvCell[][] = [];
  for await (const part of parts) {
    const row = rowOf(part, lang);
    rows.push(COLUMNS.map((column) => row[column] ?? null));
    if (rows.length < ROWS_A_PIECE && part.part !== 'closing') continue;
    yield csvRows(rows);
    rows = [];
  }
}

/** Some 30 KB. */
const ROWS_A_PIECE = 64;

function rowOf(part: StatementPart, lang: ReportLanguage): Row {
  if (part.part === 'line') return lineRow(part, lang);
  return part.part === 'opening' ? openingRow(part, lang) : closingRow(part, lang);
}

function openingRow(part: StatementOpening, lang: ReportLanguage): Row {
  const { balance, held, debt, from, to, position } = part;
  return {
    time: from === null ? null : shanghaiTimeOf(from),
    type: 'opening',
    name: word(['期初', 'Opening'], lang),
    description: word(
      [
        `账户 ${part.account_id}，至 ${to === null ? '最后一笔' : shanghaiTimeOf(to)}`,
        `account ${part.account_id}, to ${to === null ? 'the last event' : shanghaiTimeOf(to)}`,
      ],
      lang,
    ),
    balance_after: balance,
    held_after: held,
    debt_after: debt,
    explanation: word(
      [`日志读至位置 ${position ?? '无'}`, `the log was read up to position ${position ?? 'none'}`],
      lang,
    ),
  };
}

function closingRow(part: StatementClosing, lang: ReportLanguage): Row {
  const sums = movementNames(part.sums, lang).map(([name, points]) => `${name} ${points}`);
  const verdict = part.adds_up
    ? word(['期初 + 各行 = 期末', 'opening + lines = closing'], lang)
    : word(['不平：期初 + 各行 ≠ 期末', 'DOES NOT ADD UP: opening + lines ≠ closing'], lang);
  return {
    type: 'closing',
    name: word(['期末', 'Closing'], lang),
    balance_after: part.balance,
    held_after: part.held,
    debt_after: part.debt,
    explanation: { text: [verdict, ...sums].join('; ') },
    revision: part.revision,
  };
}

function lineRow(line: StatementLine, lang: ReportLanguage): Row {
  const { price } = line;
  return {
    time: shanghaiTimeOf(line.time),
    type: line.kind,
    name: kindName(line.kind, lang),
    task_no: line.task_no,
    record_id: line.record_id,
    hold_id: text(line.hold_id),
    source_ref: text(line.source_ref),
    order_no: text(line.order_no),
    description: text(line.description),
    delta: line.delta,
    balance_before: line.balance_before,
    balance_after: line.balance_after,
    held_after: line.held_after,
    available_after: line.available_after,
    debt_after: line.debt_after,
    debt_repaid: line.debt_repaid,
    waived: line.waived,
    price_mode: price?.mode ?? null,
    unit_price: price?.unit_price ?? null,
    quantity: price?.quantity ?? null,
    duration_seconds: price?.duration_ms == null ? null : price.duration_ms / 1_000,
    rounding: price?.rounding ?? null,
    price_points: price?.points ?? null,
    price_source: text(price?.source ?? null),
    config_version: text(price?.config_version ?? null),
    batches: { text: line.batches.map((each) => batchSentence(each, lang)).join('; ') },
    explanation: { text: lineSentences(line, lang).join('; ') },
    transaction_id: line.transaction_id,
    revision: line.revision,
    position: line.position,
  };
}

function text(value: string | null): CsvCell {
  return value === null ? null : { text: value };
}
