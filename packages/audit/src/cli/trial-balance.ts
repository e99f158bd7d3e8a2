import { Command, Option } from 'commander';
import { eventsUpTo } from '../pinned-log.ts';
import { type TrialBalance, type TrialBalanceBy, trialBalance } from '../trial-balance.ts';
import { trialBalanceCsv, trialBalanceTable } from '../trial-balance-text.ts';
import { reportTime } from './arguments.ts';
import { EXIT } from './outcome.ts';
import { pinAt, toPositionOption } from './pin.ts';
import { showProgress, withProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
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
Examples:
  npm run audit -- trial-balance
  npm run audit -- trial-balance --as-of 2026-01-31 --by day
  npm run audit -- trial-balance --by source --format csv > sources.csv`,
    )
    .action(run);
}

async function run({ asOf, toPosition, by, format, json }: Options): Promise<void> {
  const result = await withEventLog(async (log) => {
    const pin = await pinAt(log, toPosition);
    const progress = showProgress('trial balance', 'events');
    const read = () => withProgress(eventsUpTo(log, { pin }), pin, progress);
    try {
      return await trialBalance(read, { asOf: asOf ?? null, position: pin, by });
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
