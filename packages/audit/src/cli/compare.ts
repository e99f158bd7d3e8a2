import { Command } from 'commander';
import { TablesReplacedError } from '../compare-accounts.ts';
import { type CompareReport, compare } from '../compare.ts';
import { textTable } from '../text-table.ts';
import { accountId } from './arguments.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { showProgress } from './progress.ts';
import { databaseUrl, withEventLog } from './sources.ts';

/** Differences and findings that are printed; all are counted, and `--json` has more of them. */
const MAX_PRINTED = 100;
/** What a column of the table shows of a value. */
const MAX_VALUE_CHARACTERS = 60;

export function compareCommand(): Command {
  return new Command('compare')
    .description(
      'sets the read tables against the log, row by row and column by column, as of one moment',
    )
    .option(
      '--account <id...>',
      'only these accounts; without it all of them, and the catalog',
      (text, before: string[] | undefined) => [...(before ?? []), accountId(text)],
    )
    .option('--json', 'the report as JSON')
    .addHelpText(
      'after',
      `
The tables are read in one snapshot, so the ledger and the projector may go on meanwhile. It
should not be left running for hours: PostgreSQL keeps what the snapshot may still need.
When rows are wrong: npm run rebuild makes all read tables anew from the log.

Examples:
  npm run audit -- compare
  npm run audit -- compare --account u1 u2 --json`,
    )
    .action(async (options: { account?: string[]; json?: boolean }) => {
      const report = await run(options.account);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : text(report));
      process.exitCode = report.holds ? EXIT.holds : EXIT.doesNotHold;
    });
}

async function run(accounts: readonly string[] | undefined): Promise<CompareReport> {
  const url = databaseUrl();
  return withEventLog(async (log) => {
    const progress = showProgress('compare', 'accounts');
    try {
      return await compare({
        log,
        databaseUrl: url,
        onProgress: (done, total) => progress.update(done / total, done),
        ...(accounts === undefined ? {} : { accounts: [...new Set(accounts)] }),
      });
    } catch (error) {
      if (error instanceof TablesReplacedError) throw new CannotRunError(error.message);
      if (isDatabaseTrouble(error))
        throw new CannotRunError(
          `the read tables cannot be read (${error.message}): look at DATABASE_URL, and whether PostgreSQL runs`,
        );
      throw error;
    } finally {
      progress.stop();
    }
  });
}

/** pg's and the system's errors have a code; bugs have none. */
function isDatabaseTrouble(error: unknown): error is Error {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
}

function text(report: CompareReport): string {
  const { differences, findings, accounts } = report;
  const lines = [
    `position ${report.position ?? 'none: nothing was ever applied to the tables'}, ${accounts.length} accounts, ${report.events} events`,
  ];
  if (accounts.length <= MAX_PRINTED)
    for (const { account_id, revision } of accounts)
      lines.push(`account ${account_id} at revision ${revision < 0 ? 'none' : revision}`);
  for (const { message } of findings.slice(0, MAX_PRINTED)) lines.push(`in the log: ${message}`);
  if (differences.length > 0) {
    const cells = differences
      .slice(0, MAX_PRINTED)
      .map((difference) => [
        difference.table,
        Object.values(difference.key).join(' '),
        difference.column ?? '(row)',
        difference.kind === 'different'
          ? short(difference.expected)
          : difference.kind === 'missing'
            ? 'there is one'
            : 'there is none',
        difference.kind === 'different'
          ? short(difference.actual)
          : difference.kind === 'missing'
            ? 'there is none'
            : 'there is one',
      ]);
    lines.push(...textTable([['table', 'key', 'column', 'log says', 'table says'], ...cells]));
  }
  for (const { table, rows, missing, surplus, different } of report.tables)
    lines.push(
      `${table}: ${rows} rows, ${missing} missing, ${surplus} too many, ${different} different`,
    );
  const { difference_count, finding_count } = report;
  lines.push(
    report.holds
      ? 'The tables are what the log says.'
      : `${difference_count} differences, ${finding_count} findings in the log${
          difference_count + finding_count > MAX_PRINTED ? `, of which the first are shown` : ''
        }.`,
  );
  return `${lines.join('\n')}\n`;
}

function short(value: string | null): string {
  if (value === null) return 'null';
  return value.length <= MAX_VALUE_CHARACTERS
    ? value
    : `${value.slice(0, MAX_VALUE_CHARACTERS - 1)}…`;
}
