import { StoreUnavailableError } from '@points/event-store/event-log';
import { ConfigError } from '@points/runtime/config';
import { Command, CommanderError } from 'commander';
import { BrokenHistoryError } from '../decode-account.ts';
import { LogEndsEarlyError } from '../pinned-log.ts';
import { anchorCommand } from './anchor.ts';
import { balanceCommand } from './balance.ts';
import { checkProofCommand } from './check-proof.ts';
import { compareCommand } from './compare.ts';
import { explainCommand } from './explain.ts';
import { exportCommand } from './export.ts';
import { newKeyCommand } from './new-key.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { proveCommand } from './prove.ts';
import { replayCommand } from './replay.ts';
import { statementCommand } from './statement.ts';
import { trialBalanceCommand } from './trial-balance.ts';
import { verifyCommand } from './verify.ts';
import { whatIfCommand } from './what-if.ts';

/** `npm run audit -- <verb>`. Every verb is a file of this folder. */
function program(): Command {
  const root = new Command('audit');
  root
    .usage('<verb> [options]')
    .description('Proves, replays and explains every point from the event log alone.')
    .helpCommand(false)
    .addHelpText(
      'after',
      `
Where the log is: EVENTSTORE_URL (and DATABASE_URL for what compares with the read tables), or
without them the stack that "npm start" runs in DATA_DIR (default .data). An export needs neither.

Ends with 0 = it holds, 1 = it does not, 2 = it could not be done.`,
    );
  root
    .addCommand(anchorCommand())
    .addCommand(balanceCommand())
    .addCommand(checkProofCommand())
    .addCommand(compareCommand())
    .addCommand(explainCommand())
    .addCommand(exportCommand())
    .addCommand(newKeyCommand())
    .addCommand(proveCommand())
    .addCommand(replayCommand())
    .addCommand(statementCommand())
    .addCommand(trialBalanceCommand())
    .addCommand(verifyCommand())
    .addCommand(whatIfCommand());
  return root;
}

async function main(): Promise<void> {
  const root = program();
  // Whoever reads has seen enough, as with `| head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.removeAllListeners('exit');
    process.exit();
  });
  for (const command of [root, ...root.commands]) command.exitOverride();
  // Whatever was waited for and never came: that is no verdict.
  const neverDone = (): void => {
    process.stderr.write('audit: ended before it was done\n');
    process.exitCode = EXIT.couldNotRun;
  };
  process.once('exit', neverDone);
  try {
    await root.parseAsync(process.argv.slice(2), { from: 'user' });
  } finally {
    process.off('exit', neverDone);
  }
}

main().catch((error: unknown) => {
  // commander has printed what there is to say: help ends well, wrong usage does not.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.holds : EXIT.couldNotRun;
    return;
  }
  process.stderr.write(`audit: ${sentenceOf(error)}\n`);
  process.exitCode = error instanceof BrokenHistoryError ? EXIT.doesNotHold : EXIT.couldNotRun;
});

function sentenceOf(error: unknown): string {
  if (error instanceof StoreUnavailableError)
    return `the event log cannot be read (${error.message}). Is the store at EVENTSTORE_URL up, or "npm start" running?`;
  if (error instanceof BrokenHistoryError)
    return `no report is made of a log that does not hold: ${error.message}`;
  const isPlain =
    error instanceof CannotRunError ||
    error instanceof ConfigError ||
    error instanceof LogEndsEarlyError ||
    // Of the operating system: a full disk, a file that may not be read or written.
    (error instanceof Error && 'syscall' in error);
  if (!(error instanceof Error)) return String(error);
  return isPlain ? error.message : (error.stack ?? error.message);
}
