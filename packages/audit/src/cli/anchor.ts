import { setTimeout as sleep } from 'node:timers/promises';
import { AUDIT_ANCHOR_STREAM } from '@points/contracts/streams';
import {
  NotAppendedError,
  OutcomeUnknownError,
  StoreUnavailableError,
} from '@points/event-store/event-log';
import { systemClock } from '@points/runtime/clock';
import { Command, InvalidArgumentError } from 'commander';
import { AnchorFileError } from '../anchor-file.ts';
import { type AnchorJobOptions, type AnchorRound, createAnchorJob } from '../anchor-job.ts';
import { anchorsToGoOnFrom, privateKeyFrom } from './anchor-inputs.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { showProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly key: string;
  readonly file: string;
  readonly every?: number;
  readonly stream: boolean;
  readonly json?: true;
}

export function anchorCommand(): Command {
  return new Command('anchor')
    .description('Signs what the ledger is now, so that nobody can rewrite it unseen.')
    .requiredOption('--key <file>', 'private key (PEM, Ed25519; see new-key)')
    .requiredOption('--file <file>', 'NDJSON that gets a line for each anchor; keep it elsewhere')
    .option('--every <duration>', 'stay, and anchor again so often: 30s, 15m, 1h, 1d', everyMs)
    .option('--no-stream', 'into the file only, not into the stream auditAnchor-ledger')
    .option('--json', 'one line of JSON for each anchor')
    .addHelpText(
      'after',
      `
Reads the log from its start and signs only a log that holds: every hash, every chain, and every
anchor that this key has signed before. A file has the anchors of one key; another key begins
another file. Nothing new since the last anchor: nothing is written.

Examples:
  npm run audit -- anchor --key anchor-key.pem --file anchors.ndjson
  npm run audit -- anchor --key anchor-key.pem --file anchors.ndjson --every 1h`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { file, stream, every } = options;
  const privateKey = privateKeyFrom(options.key);
  const anchors = await anchorsToGoOnFrom(file, privateKey);
  await withEventLog(async (log) => {
    const job = { log, privateKey, file, anchors, stream, clock: systemClock };
    if (every !== undefined) return stay(job, every, options);
    const signal = AbortSignal.any([]);
    const progress = showProgress('anchor', 'events');
    try {
      const round = await createAnchorJob({
        ...job,
        signal,
        onProgress: progress.update,
      }).next();
      progress.stop();
      report(round, options);
      warnOfStream(round, options);
      if (round.result.outcome === 'empty') {
        throw new CannotRunError('the ledger is empty: there is nothing to anchor yet');
      }
    } catch (error) {
      throw asCannotRun(error);
    } finally {
      progress.stop();
    }
  });
}

/** What was signed and is not where it belongs yet is found by the next run. */
function asCannotRun(error: unknown): unknown {
  if (error instanceof AnchorFileError) return new CannotRunError(error.message);
  if (error instanceof NotAppendedError || error instanceof OutcomeUnknownError) {
    return new CannotRunError(
      `the anchor could not be appended to the stream (${error.message}). Run again: what was written is found and kept.`,
    );
  }
  return error;
}

type Job = Omit<AnchorJobOptions, 'signal'>;

/** Until a signal comes, the log does not hold, or the file cannot be written. */
async function stay(options: Job, pauseMs: number, output: Options): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGTERM', end).once('SIGINT', end);
  const stopped = new Promise<null>((resolve) => {
    stop.signal.addEventListener('abort', () => resolve(null));
  });
  const job = createAnchorJob({ ...options, signal: stop.signal });
  let warned = false;
  try {
    for (let failures = 0; !stop.signal.aborted;) {
      try {
        const round = await Promise.race([job.next(), stopped]);
        if (round === null) return;
        failures = 0;
        report(round, output);
        if (!warned) warnOfStream(round, output);
        warned = true;
        if (round.result.outcome === 'does_not_hold') return;
        await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
      } catch (error) {
        if (stop.signal.aborted) return;
        if (!isOfStore(error)) throw asCannotRun(error);
        const retryMs = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failures);
        failures += 1;
        process.stderr.write(`audit: ${error.message}; trying again in ${retryMs / 1_000} s\n`);
        await sleep(retryMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
  } finally {
    process.off('SIGTERM', end).off('SIGINT', end);
  }
}

const RETRY_MS = 1_000;
const RETRY_MAX_MS = 32_000;

function isOfStore(error: unknown): error is Error {
  return (
    error instanceof StoreUnavailableError ||
    error instanceof OutcomeUnknownError ||
    (error instanceof NotAppendedError && error.retryable)
  );
}

function warnOfStream({ notInStream }: AnchorRound, { file }: Options): void {
  if (notInStream === null) return;
  const { anchors, first_position, last_position } = notInStream;
  process.stderr.write(
    `audit: warning: the stream ${AUDIT_ANCHOR_STREAM} lacks ${anchors} of the anchors of ${file}, from position ${first_position} to ${last_position}: unless they were made with --no-stream, its end was cut off\n`,
  );
}

function report(
  { result, recovered, notInStream }: AnchorRound,
  { json, file, every }: Options,
): void {
  if (result.outcome === 'does_not_hold') process.exitCode = EXIT.doesNotHold;
  const pinned_to = result.pin === null ? null : String(result.pin);
  if (json === true) {
    const { pin: _, ...rest } = result;
    const position = 'position' in rest ? { position: String(rest.position) } : {};
    const line = {
      report: 'anchor',
      pinned_to,
      ...rest,
      ...position,
      recovered,
      not_in_stream: notInStream,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  for (const { position } of recovered) {
    print(`position ${position}: was signed and in the stream already; ${file} has it now too`);
  }
  switch (result.outcome) {
    case 'anchored': {
      const { position, events, streams, root } = result.anchor;
      print(`position ${position}: ${events} events in ${streams} streams, root ${root}`);
      break;
    }
    case 'nothing_new':
      print(`position ${result.position}: anchored already, nothing new up to ${pinned_to}`);
      break;
    case 'empty':
      if (every !== undefined) print('the ledger is empty: nothing to anchor yet');
      break;
    case 'does_not_hold':
      print(`nothing was signed: the log, read up to ${pinned_to}, does not hold`);
      for (const { kind, message } of result.findings) print(`${kind}: ${message}`);
      break;
    default:
      result satisfies never;
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const EVERY_MIN_MS = UNIT_MS.s;
const EVERY_MAX_MS = 7 * UNIT_MS.d;

function everyMs(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const ms = match === null ? 0 : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  if (ms >= EVERY_MIN_MS && ms <= EVERY_MAX_MS) return ms;
  throw new InvalidArgumentError('Give a time from 1s to 7d, such as 1500ms, 30s, 15m, 1h or 1d.');
}
