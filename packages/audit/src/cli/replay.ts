import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { Command } from 'commander';
import { MOVEMENT_KINDS } from '../movement.ts';
import { accountEventsUpTo, eventsUpTo } from '../pinned-log.ts';
import { reasonOf } from '../reason-of.ts';
import { type ReplayReport, replay } from '../replay.ts';
import { textTable } from '../text-table.ts';
import { reportTime } from './arguments.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { pinAt, toPositionOption } from './pin.ts';
import { showProgress, withProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly toPosition?: bigint;
  readonly asOf?: string;
  readonly out?: string;
  readonly json?: true;
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('Folds the whole log anew, judges every event, and tells where the ledger stands.')
    .addOption(toPositionOption())
    .option(
      '--as-of <time>',
      'with its zone, or a day in Shanghai up to its end (default: up to the last event)',
      reportTime('end'),
    )
    .option('--out <file>', "every account's end state, one line of JSON each, in order of id")
    .option('--json', 'the report as JSON')
    .addHelpText(
      'after',
      `
The state hash is the SHA-256 of what --out writes: two replays up to the same position are equal
when their hashes are.

Examples:
  npm run audit -- replay
  npm run audit -- replay --as-of 2026-01-31 --out january.ndjson
  npm run audit -- replay --to-position 123456 --json`,
    )
    .action(run);
}

async function run({ toPosition, asOf, out, json }: Options): Promise<void> {
  const states = out === undefined ? null : openStates(out);
  let report: ReplayReport;
  try {
    report = await replayLog({ toPosition, asOf, onState: (line) => states?.add(line) });
    states?.keep();
  } finally {
    states?.drop();
  }
  process.stdout.write(json === true ? `${JSON.stringify(report, null, 2)}\n` : text(report));
  process.exitCode = report.holds ? EXIT.holds : EXIT.doesNotHold;
}

function replayLog(options: {
  readonly toPosition: bigint | undefined;
  readonly asOf: string | undefined;
  readonly onState: (line: string) => void;
}): Promise<ReplayReport> {
  const { toPosition, asOf, onState } = options;
  return withEventLog(async (log) => {
    const pin = await pinAt(log, toPosition);
    const progress = showProgress('replay', 'events');
    try {
      return await replay({
        events: withProgress(eventsUpTo(log, { pin }), pin, progress),
        account: (accountId) => accountEventsUpTo(log, accountId, { pin }),
        position: pin,
        asOf: asOf ?? null,
        onState,
      });
    } finally {
      progress.stop();
    }
  });
}

const CHUNK_CHARACTERS = 65_536;

/** The file is there when all of it is: until `keep` it has another name. */
function openStates(path: string) {
  const part = `${path}.part`;
  const attempt = <Result>(work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw new CannotRunError(
        `${path} cannot be written (${reasonOf(error)}). Give --out a file in a folder that is there and may be written.`,
      );
    }
  };
  let file: number | null = attempt(() => openSync(part, 'w'));
  let chunk = '';
  const flush = (): void => {
    const text = chunk;
    chunk = '';
    attempt(() => writeAll(file ?? -1, Buffer.from(text)));
  };
  return {
    add(line: string): void {
      chunk += `${line}\n`;
      if (chunk.length >= CHUNK_CHARACTERS) flush();
    },
    keep(): void {
      flush();
      attempt(() => {
        closeSync(file ?? -1);
        file = null;
        renameSync(part, path);
      });
    },
    /** After `keep` there is nothing to drop. */
    drop(): void {
      if (file === null) return;
      closeSync(file);
      rmSync(part, { force: true });
    },
  };
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
}

function text(report: ReplayReport): string {
  const { accounts, broken_accounts, events, findings, finding_count } = report;
  const rows = [
    // What is held now is among the sums below.
    ...MOVEMENT_KINDS.filter((kind) => kind !== 'held').map((kind) => [kind, report.totals[kind]]),
    ['balance', report.balance],
    ['held', report.held],
    ['debt', report.debt],
  ];
  const upTo = report.as_of === null ? '' : `, up to ${report.as_of}`;
  return `${[
    `position ${report.position ?? 'none, the log is empty'}${upTo}: ${events} events, ${accounts} accounts`,
    ...textTable([['', 'points'], ...rows]),
    `state hash ${report.state_hash}`,
    ...findings.map(({ message }) => message),
    report.holds
      ? 'Every event can be right after those before it.'
      : `${finding_count} findings, ${broken_accounts} accounts left out of all sums.`,
  ].join('\n')}\n`;
}
