import { Command } from 'commander';
import { balanceAsOf } from '../balance-as-of.ts';
import { balanceText } from '../balance-text.ts';
import { withPinnedAccount } from './account-report.ts';
import { accountId, reportTime } from './arguments.ts';
import { toPositionOption } from './pin.ts';

interface BalanceOptions {
  readonly asOf?: string;
  readonly toPosition?: bigint;
  readonly json?: true;
}

export function balanceCommand(): Command {
  return new Command('balance')
    .description('What an account had at a time: balance, batches, open holds, debt, membership.')
    .argument('<account>', 'account id', accountId)
    .option(
      '--as-of <time>',
      'with its zone, or a day in Shanghai up to its end (default: up to the last event)',
      reportTime('end'),
    )
    .addOption(toPositionOption())
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  npm run audit -- balance user-1
  npm run audit -- balance user-1 --as-of 2026-01-31 --json`,
    )
    .action(async (account: string, { asOf, toPosition, json }: BalanceOptions) => {
      const result = await withPinnedAccount(account, toPosition, ({ events, position }) =>
        balanceAsOf(account, events(), { asOf: asOf ?? null, position }),
      );
      process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : balanceText(result));
    });
}
