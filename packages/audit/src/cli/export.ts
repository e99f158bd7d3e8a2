import { Command } from 'commander';
import { type ExportResult, ExportError, exportLog } from '../export-log.ts';
import { counted } from '../text-table.ts';
import { accountId, reportTime } from './arguments.ts';
import { CannotRunError } from './outcome.ts';
import { showProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly out: string;
  readonly account?: string;
  readonly from?: string;
  readonly to?: string;
  readonly json?: true;
}

export function exportCommand(): Command {
  return new Command('export')
    .description("Writes the ledger's events to a file, one line of canonical JSON each.")
    .requiredOption('--out <file>', 'the file to make; it must not exist')
    .option('--account <id>', 'only this account', accountId)
    .option(
      '--from <time>',
      'only events from then on: a day in Asia/Shanghai, or ISO-8601',
      reportTime('start'),
    )
    .option('--to <time>', 'only events up to then (a day: to its end)', reportTime('end'))
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Goes up to the position at which the log ends when it begins, and says which. Stopped, it goes on
by the same command. Anchors and snapshots are not part of the ledger and so not of an export.

Examples:
  npm run audit -- export --out ledger.ndjson
  npm run audit -- export --account u1 --from 2026-11-01 --to 2026-11-30 --out u1.ndjson`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { out, account = null, from = null, to = null } = options;
  if (from !== null && to !== null && from > to)
    throw new CannotRunError('--from is after --to: nothing lies between them');
  const progress = showProgress('export', 'events');
  const stop = new AbortController();
  const interrupt = () =>
    stop.abort(new CannotRunError(`stopped: the same command goes on from ${out}.part`));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const result = await withEventLog((log) =>
      exportLog(log, {
        file: out,
        account,
        from,
        to,
        signal: stop.signal,
        onProgress: progress.update,
      }),
    );
    progress.stop();
    process.stdout.write(
      options.json === true ? `${JSON.stringify({ report: 'export', ...result })}\n` : told(result),
    );
  } catch (error) {
    if (error instanceof ExportError) throw new CannotRunError(error.message);
    throw error;
  } finally {
    progress.stop();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function told({ file, events, bytes, position, resumed }: ExportResult): string {
  const upTo = position === null ? 'the log is empty' : `up to position ${position}`;
  const again = resumed ? ', gone on from an earlier run' : '';
  return `${file}: ${counted(events, 'event')}, ${counted(bytes, 'byte')}, ${upTo}${again}\n`;
}
