import type { EventLog } from '@points/event-store/event-log';
import { Command, Option } from 'commander';
import { type Explanation, explain } from '../explain.ts';
import { type AmbiguousId, type FoundSubject, findSubject } from '../explain-subject.ts';
import { explanationText } from '../explain-text.ts';
import { accountEventsUpTo, eventsUpTo, pinPosition } from '../pinned-log.ts';
import type { ReportLanguage } from '../statement-words.ts';
import { accountId } from './arguments.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { showProgress, withProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly account?: string;
  readonly lang: ReportLanguage;
  readonly json?: true;
}

export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'The whole story of one charge or recharge: who asked, the price and its source, what paid, what came of it.',
    )
    .argument(
      '<id>',
      'hold_id, record_id, task_no, source_ref, transaction_id or numeric id (log position)',
    )
    .option('--account <id>', 'its account; without it the whole log is searched', accountId)
    .addOption(new Option('--lang <language>', 'of the story').choices(['zh', 'en']).default('zh'))
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
Ends with 1 when nothing in the log has that id, and with 2 when two accounts have it: then say --account.

Examples:
  npm run audit -- explain TASK202601010000000001 --account user-1
  npm run audit -- explain 019b76da-a800-7000-8000-000000000001 --lang en`,
    )
    .action(run);
}

async function run(id: string, { account, lang, json }: Options): Promise<void> {
  const told = await withEventLog((log) => explained(log, id, account ?? null));
  if (told === null) {
    const where = account === undefined ? 'the log' : `account ${account}`;
    process.stderr.write(
      `audit: nothing in ${where} has the id ${JSON.stringify(id)}; ids are hold_id, record_id, task_no, source_ref, transaction_id or log position\n`,
    );
    process.exitCode = EXIT.doesNotHold;
    return;
  }
  process.stdout.write(json ? `${JSON.stringify(told, null, 2)}\n` : explanationText(told, lang));
}

async function explained(
  log: EventLog,
  id: string,
  account: string | null,
): Promise<Explanation | null> {
  const pin = await pinPosition(log);
  const found = await find(log, id, account, pin);
  if (found === null) return null;
  if ('accountIds' in found) {
    const [one, other] = found.accountIds;
    throw new CannotRunError(
      `accounts ${one} and ${other} both have the id ${JSON.stringify(id)}; name the one you mean with --account`,
    );
  }
  const events = accountEventsUpTo(log, found.accountId, { pin });
  const readStream = (stream: string) => log.readStream(stream, { fromRevision: 0 });
  return explain(found.accountId, events, {
    id,
    position: pin,
    subject: found.subject,
    readStream,
  });
}

async function find(
  log: EventLog,
  id: string,
  account: string | null,
  pin: bigint | null,
): Promise<FoundSubject | AmbiguousId | null> {
  if (account !== null) return findSubject(accountEventsUpTo(log, account, { pin }), id);
  const progress = showProgress('search', 'events');
  try {
    return await findSubject(withProgress(eventsUpTo(log, { pin }), pin, progress), id);
  } finally {
    progress.stop();
  }
}
