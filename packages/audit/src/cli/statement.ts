import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command, Option } from 'commander';
import { type StatementPart, statement } from '../statement.ts';
import { statementCsv } from '../statement-csv.ts';
import { statementHtml } from '../statement-html.ts';
import { statementJson } from '../statement-json.ts';
import type { ReportLanguage } from '../statement-words.ts';
import { withPinnedAccount } from './account-report.ts';
import { accountId, reportTime } from './arguments.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { toPositionOption } from './pin.ts';

interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly toPosition?: bigint;
  readonly format: 'csv' | 'json' | 'html';
  readonly json?: true;
  readonly out?: string;
  readonly lang: ReportLanguage;
}

export function statementCommand(): Command {
  return new Command('statement')
    .description(
      'Every movement of one account in a time, each with its price, batches and hold; ends with 1 unless opening + lines = closing.',
    )
    .argument('<account>', 'account id', accountId)
    .option(
      '--from <time>',
      'a day in Shanghai, or a time with its zone (default: the first event)',
      reportTime('start'),
    )
    .option(
      '--to <time>',
      'a day in Shanghai up to its end, or a time (default: the last event)',
      reportTime('end'),
    )
    .addOption(toPositionOption())
    .addOption(
      new Option('--format <format>', 'how to write it')
        .choices(['csv', 'json', 'html'])
        .default('csv'),
    )
    .option('--json', 'the same as --format json')
    .option('--out <file>', 'write it there instead of printing it; the file is replaced')
    .addOption(
      new Option('--lang <language>', 'of names and explanations')
        .choices(['zh', 'en'])
        .default('zh'),
    )
    .addHelpText(
      'after',
      `
Examples:
  npm run audit -- statement user-1 --from 2026-01-01 --to 2026-01-31 --out january.csv
  npm run audit -- statement user-1 --format html --lang en --out user-1.html
  npm run audit -- statement user-1 --from 2026-01-01 --to 2026-01-31 --json`,
    )
    .action(run);
}

async function run(account: string, options: Options): Promise<void> {
  const { from = null, to = null, lang, out } = options;
  if (from !== null && to !== null && from > to)
    throw new CannotRunError('--from is after --to: nothing lies between them');
  const format = options.json === true ? 'json' : options.format;
  let addsUp = false;
  await withPinnedAccount(account, options.toPosition, async ({ events, position }) => {
    const parts = watched(statement(account, events(), { from, to, position }), (part) => {
      if (part.part === 'closing') addsUp = part.adds_up;
    });
    await write(written(parts, format, lang), out);
  });
  process.exitCode = addsUp ? EXIT.holds : EXIT.doesNotHold;
}

function written(
  parts: AsyncIterable<StatementPart>,
  format: Options['format'],
  lang: ReportLanguage,
): AsyncIterable<string> {
  if (format === 'json') return statementJson(parts);
  return format === 'csv' ? statementCsv(parts, lang) : statementHtml(parts, lang);
}

async function* watched(
  parts: AsyncIterable<StatementPart>,
  see: (part: StatementPart) => void,
): AsyncGenerator<StatementPart, void> {
  for await (const part of parts) {
    see(part);
    yield part;
  }
}

/** A file has its name only when it is whole: what ends early must not be taken for a statement. */
async function write(pieces: AsyncIterable<string>, out: string | undefined): Promise<void> {
  if (out === undefined) return pipeline(Readable.from(pieces), process.stdout, { end: false });
  const part = `${out}.part`;
  try {
    await pipeline(Readable.from(pieces), createWriteStream(part));
    await rename(part, out);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    if (!isFileError(error)) throw error;
    throw new CannotRunError(`cannot write ${out}: ${error.message}`);
  }
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}
