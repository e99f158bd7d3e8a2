import { PricingConfigError, readPricingConfig } from '@points/runtime/pricing-config-file';
import { Command } from 'commander';
import { accountEventsUpTo, eventsUpTo } from '../pinned-log.ts';
import { type WhatIfReport, whatIf } from '../what-if.ts';
import { whatIfCsv, whatIfTable } from '../what-if-text.ts';
import { accountId, reportTime } from './arguments.ts';
import { CannotRunError } from './outcome.ts';
import { pinAt, toPositionOption } from './pin.ts';
import { showProgress, withProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly config: string;
  readonly from?: string;
  readonly to?: string;
  readonly account?: string;
  readonly toPosition?: bigint;
  readonly json?: true;
  readonly csv?: true;
}

export function whatIfCommand(): Command {
  return new Command('what-if')
    .description('The same use under another price list: what would have been charged.')
    .requiredOption('--config <file>', 'the other list, written as config/points-config.yaml')
    .option(
      '--from <time>',
      'uses confirmed from then on: with its zone, or a day in Shanghai (default: since ever)',
      reportTime('start'),
    )
    .option('--to <time>', 'and up to then, inclusive (default: the last event)', reportTime('end'))
    .option('--account <id>', 'of one account alone', accountId)
    .addOption(toPositionOption())
    .option('--json', 'the result as JSON')
    .option('--csv', 'the rows of operations and accounts as CSV')
    .addHelpText(
      'after',
      `
Uses are priced by the ledger's own rules, with the quantity or duration that the log holds.
Models keep the prices that they had: the file has none. Uses that a service priced itself
(mode amount) stay as they are. What the other list has no price for is counted and told.

It does not play the log again: nobody runs out of points earlier or later, no cap, debt floor or
fair-use limit is applied, and refunds stay as they were. With the list that was in force every
difference is 0.

Examples:
  npm run audit -- what-if --config other.yaml
  npm run audit -- what-if --config other.yaml --from 2026-01-01 --to 2026-01-31 --csv > january.csv
  npm run audit -- what-if --config other.yaml --account u1 --json`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.json === true && options.csv === true)
    throw new CannotRunError('--json and --csv are two formats of one output: give one of them');
  const report = await reportOf(options);
  process.stdout.write(written(report, options));
}

async function reportOf(options: Options): Promise<WhatIfReport> {
  const { config: file, from, to, account, toPosition } = options;
  const config = await otherList(file);
  return withEventLog(async (log) => {
    const pin = await pinAt(log, toPosition);
    const progress = showProgress('what if', 'events');
    const events =
      account === undefined ? eventsUpTo(log, { pin }) : accountEventsUpTo(log, account, { pin });
    try {
      return await whatIf(withProgress(events, pin, progress), {
        config,
        from: from ?? null,
        to: to ?? null,
        accountId: account ?? null,
        position: pin,
      });
    } finally {
      progress.stop();
    }
  });
}

async function otherList(file: string) {
  try {
    return await readPricingConfig(file);
  } catch (error) {
    if (error instanceof PricingConfigError) throw new CannotRunError(error.message);
    throw error;
  }
}

function written(report: WhatIfReport, { json, csv }: Options): string {
  if (json === true) return `${JSON.stringify(report, null, 2)}\n`;
  return csv === true ? whatIfCsv(report) : whatIfTable(report);
}
