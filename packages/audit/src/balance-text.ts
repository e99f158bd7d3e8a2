import type { BalanceAsOf, BatchAsOf } from './balance-as-of.ts';
import { shanghaiTimeOf } from './report-time.ts';

/** What an account had at a time, for a person at a terminal. */
export function balanceText(result: BalanceAsOf): string {
  const lines = [
    `Account ${result.account_id}${result.at === null ? '' : `, ${shanghaiTimeOf(result.at)}`}`,
    result.revision === -1
      ? `no events up to position ${result.position ?? 'none (the log is empty)'}`
      : `revision ${result.revision} at position ${result.last_position}; the log was read up to ${result.position}`,
    '',
    row('balance', result.balance),
    row('held', result.held),
    ...dueRow(result),
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
  for (const batch of result.batches)
    lines.push(
      `  ${batch.batch_id}  ${batch.kind}  ${batch.remaining} of ${batch.points} left, ${batch.held} held, ${expiry(batch)}`,
    );
  if (result.open_holds.length > 0) lines.push('', 'Open holds:');
  for (const hold of result.open_holds)
    lines.push(
      `  ${hold.hold_id}  ${hold.task_no}  ${hold.amount} points until ${shanghaiTimeOf(hold.expires_at)}`,
    );
  return `${lines.join('\n')}\n`;
}

/** Why available is less than balance less held. */
function dueRow({ batches }: BalanceAsOf): string[] {
  const points = batches
    .filter((batch) => batch.due)
    .reduce((sum, { remaining, held }) => sum + remaining - held, 0);
  if (points === 0) return [];
  return [row('due', `${points}, not available: to expire, and not recorded as expired yet`)];
}

function expiry({ expires_at, due }: BatchAsOf): string {
  if (expires_at === null) return 'expires never';
  const time = shanghaiTimeOf(expires_at);
  return due ? `due since ${time}, no event has expired it yet` : `expires ${time}`;
}

function row(name: string, value: number | string): string {
  return `  ${name.padEnd(11)}${value}`;
}
