import { Command } from 'commander';
import { type BalanceAsOf, balanceAsOf } from '../balance-as-of.ts';
import { shanghaiTimeOf } from '../report-time.ts';
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
      process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : textOf(result));
    });
}

function textOf(result: BalanceAsOf): string {
  const lines = [
    `Account ${result.account_id}${result.at === null ? '' : `, ${shanghaiTimeOf(result.at)}`}`,
    result.revision === -1
      ? `no events up to position ${result.position ?? 'none (the log is empty)'}`
      : `revision ${result.revision} at position ${result.last_position}; the log was read up to ${result.position}`,
    '',
    row('balance', result.balance),
    row('held', result.held),
    row('available', result.available),
    row('debt', result.debt),
    ...result.debts.map(({ debt_ref, points }) => `             ${points} for ${debt_ref}`),
    row('frozen', result.frozen ? `since ${shanghaiTimeOf(result.frozen_since ?? '')}` : 'no'),
  ];
  if (result.membership !== null) {
    const { membership_type, ends_at } = result.membership;
    lines.push(row('membership', `${membership_type} until ${shanghaiTimeOf(ends_at)}`));
  }
  if (result.batches.length > 0) lines.push('', 'Batches with points left:');
  for (const batch of result.batches) {
    const expiry = batch.expires_at === null ? 'never' : shanghaiTimeOf(batch.expires_at);
    lines.push(
      `  ${batch.batch_id}  ${batch.kind}  ${batch.remaining} of ${batch.points} left, ${batch.held} held, expires ${expiry}`,
    );
  }
  if (result.open_holds.length > 0) lines.push('', 'Open holds:');
  for (const hold of result.open_holds)
    lines.push(
      `  ${hold.hold_id}  ${hold.task_no}  ${hold.amount} points until ${shanghaiTimeOf(hold.expires_at)}`,
    );
  return `${lines.join('\n')}\n`;
}

function row(name: string, value: number | string): string {
  return `  ${name.padEnd(11)}${value}`;
}
