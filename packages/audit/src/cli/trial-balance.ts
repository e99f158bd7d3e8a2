import { Command, Option } from 'commander';
import { eventsUpTo } from '../pinned-log.ts';
import { type TrialBalance, type TrialBalanceBy, trialBalance } from '../trial-balance.ts';
import { trialBalanceCsv, trialBalanceTable } from '../trial-balance-text.ts';
import { reportTime } from './arguments.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { pinAt, toPositionOption } from './pin.ts';
import { showProgress, withProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly from?: string;
  readonly asOf?: string;
  readonly toPosition?: bigint;
  readonly by: TrialBalanceBy;
  readonly format: 'table' | 'json' | 'csv';
  readonly json?: true;
}

export function trialBalanceCommand(): Command {
  return new Command('trial-balance')
    .description(
      'Every point of the whole ledger as double entry; ends with 1 unless it sums to zero.',
    )
    .option(
      '--from <time>',
      'a period that begins then: its opening, what it moved, its closing (default: all there is)',
      reportTime('start'),
    )
    .option(
      '--as-of <time>',
      'with its zone, or a day in Shanghai up to its end (default: up to the last event)',
      reportTime('end'),
    )
    .addOption(toPositionOption())
    .addOption(
      new Option('--by <what>', 'also what each day, or each source of points and each use, moved')
        .choices(['none', 'day', 'source'])
        .default('none'),
    )
    .addOption(
      new Option('--format <format>', 'how to print it')
        .choices(['table', 'json', 'csv'])
        .default('table'),
    )
    .option('--json', 'the same as --format json')
    .addHelpText(
      'after',
      `
A period is from --from to --as-of, both included, as in a statement. Its opening is of all events
before --from, and the rows of --by are of the period alone. A day is one in Asia/Shanghai, from its
first millisecond to its last: periods of whole days that follow each other count every event once.

Examples:
  npm run audit -- trial-balance
  npm run audit -- trial-balance --as-of 2026-01-31 --by day
  npm run audit -- trial-balance --from 2026-01-01 --as-of 2026-01-31
  npm run audit -- trial-balance --by source --format csv > sources.csv`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { from = null, asOf = null, toPosition, by, format, json } = options;
  if (from !== null && asOf !== null && from > asOf)
    throw new CannotRunError('--from is after --as-of: nothing lies between them');
  const result = await withEventLog(async (log) => {
    const pin = await pinAt(log, toPosition);
    const progress = showProgress('trial balance', 'events');
    const read = () => withProgress(eventsUpTo(log, { pin }), pin, progress);
    try {
      return await trialBalance(read, { from, asOf, position: pin, by });
    } finally {
      progress.stop();
    }
  });
  process.stdout.write(written(result, json === true ? 'json' : format));
  process.exitCode = result.sums_to_zero ? EXIT.holds : EXIT.doesNotHold;
}

function written(result: TrialBalance, format: Options['format']): string {
  if (format === 'json') return `${JSON.stringify(result, null, 2)}\n`;
  return format === 'csv' ? trialBalanceCsv(result) : trialBalanceTable(result);
}
