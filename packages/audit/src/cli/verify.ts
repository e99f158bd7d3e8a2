import { statSync } from 'node:fs';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { Command, InvalidArgumentError } from 'commander';
import { checkAnchorSignature } from '../anchor.ts';
import { readLines } from '../export-file.ts';
import { type Finding, findingOutside } from '../finding.ts';
import { counted, grouped } from '../text-table.ts';
import { logLines } from '../verify/log-lines.ts';
import {
  CannotVerifyError,
  type VerifyReport,
  type VerifyRequest,
  usualThreads,
  verify,
} from '../verify/verify.ts';
import { anchorsFrom, publicKeyFrom } from './anchor-inputs.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { pinAt, toPositionOption } from './pin.ts';
import { showProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly live?: true;
  readonly toPosition?: bigint;
  readonly partial?: true;
  readonly anchor?: string;
  readonly key?: string;
  readonly threads?: number;
  readonly json?: true;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description('Judges every event by those before it: an export, or the log itself.')
    .argument('[file]', 'an export, plain or gzip')
    .option('--live', 'the log itself, up to where it ends now')
    .addOption(toPositionOption())
    .option('--partial', 'the file is a part of the ledger (export --account, --from, --to)')
    .option('--anchor <file>', 'anchors that the log has to agree with')
    .option('--key <file>', 'the public key (PEM) that they were signed with')
    .option(
      '--threads <n>',
      'threads that judge besides the main one (default: one less than the machine has cores)',
      count(0, 64),
    )
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
An export needs no database, no service and no configuration. Without an anchor nobody can tell
whether a stream or the end of one is missing, or everything was written anew. An export can only
be compared with anchors that were made before it.

Examples:
  npm run audit -- verify ledger.ndjson
  npm run audit -- verify ledger.ndjson.gz --anchor anchors.ndjson --key anchor-key.pub.pem
  npm run audit -- verify --live`,
    )
    .action(run);
}

/** An export that is judged before threads have started. */
const SMALL_FILE_BYTES = 8 * 1024 * 1024;

async function run(file: string | undefined, options: Options): Promise<void> {
  if ((file === undefined) === (options.live === undefined))
    throw new CannotRunError(
      `give ${file === undefined ? 'an export or --live' : 'an export or --live, not both'}: verify FILE, or verify --live`,
    );
  if (file !== undefined && options.toPosition !== undefined)
    throw new CannotRunError('--to-position is for --live: an export ends where it ends');
  const signed = await readAnchors(options);
  const base = { anchors: signed.anchors, isPartial: options.partial === true };
  const usual = file === undefined || sizeOf(file) < SMALL_FILE_BYTES ? 0 : usualThreads();
  const report =
    file === undefined
      ? await withEventLog(async (log) => {
          const pin = await pinAt(log, options.toPosition);
          return verified({
            ...base,
            isFile: false,
            pin,
            lines: () => logLines(log, pin),
            threads: options.threads ?? 1,
          });
        })
      : await verified({
          ...base,
          isFile: true,
          lines: () => readLines(file),
          threads: options.threads ?? usual,
        });
  const all = withSignatures(report, signed.findings);
  process.stdout.write(options.json === true ? `${JSON.stringify(all)}\n` : told(all));
  process.exitCode = all.holds ? EXIT.holds : EXIT.doesNotHold;
}

async function verified(request: VerifyRequest): Promise<VerifyReport> {
  const progress = showProgress('verify', 'events');
  try {
    return await verify({ ...request, onProgress: progress.update });
  } catch (error) {
    if (error instanceof CannotVerifyError) throw new CannotRunError(error.message);
    throw error;
  } finally {
    progress.stop();
  }
}

function sizeOf(file: string): number {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) throw new CannotRunError(`${file} does not exist`);
  if (!stats.isFile()) throw new CannotRunError(`${file} is not a file`);
  return stats.size;
}

interface SignedAnchors {
  readonly anchors: readonly LedgerAnchor[];
  readonly findings: readonly Finding[];
}

async function readAnchors({ anchor: file, key, partial }: Options): Promise<SignedAnchors> {
  if (file === undefined && key === undefined) return { anchors: [], findings: [] };
  if (file === undefined || key === undefined)
    throw new CannotRunError(
      'an anchor proves something only with the public key that you were given: --anchor FILE --key KEY.pub.pem',
    );
  if (partial === true)
    throw new CannotRunError(
      'anchors are about the whole ledger: for one account take check-proof',
    );
  const publicKey = publicKeyFrom(key);
  const signed = await anchorsFrom(file);
  if (signed === null) throw new CannotRunError(`${file} does not exist`);
  if (signed.length === 0) throw new CannotRunError(`${file} holds no anchors`);
  const anchors: LedgerAnchor[] = [];
  const findings: Finding[] = [];
  for (const anchor of signed) {
    const problem = checkAnchorSignature(anchor, publicKey);
    if (problem === null) anchors.push(anchor);
    else
      findings.push(
        findingOutside(
          problem.kind,
          `the anchor at position ${anchor.position} ${problem.message}`,
          { position: anchor.position },
        ),
      );
  }
  return { anchors, findings };
}

function withSignatures(report: VerifyReport, findings: readonly Finding[]): VerifyReport {
  if (findings.length === 0) return report;
  return {
    ...report,
    holds: false,
    findings: [...report.findings, ...findings],
    finding_count: report.finding_count + findings.length,
  };
}

const SHOWN_FINDINGS = 50;

function told(report: VerifyReport): string {
  const lines = [
    report.holds ? 'HOLDS' : 'DOES NOT HOLD',
    `  ${counted(report.events, 'event')}, ${counted(report.streams, 'stream')}, ${counted(report.accounts, 'account')}${report.partial ? ', a part of the ledger' : ''}`,
    `  positions ${report.first_position ?? '-'} to ${report.last_position ?? '-'}${report.position === null ? '' : `; the log was read up to ${report.position}`}`,
    `  root  ${report.root}`,
    `  order ${report.order}`,
  ];
  if (report.accounts_not_judged > 0)
    lines.push(
      `  not judged to their end, and in none of the sums: ${counted(report.accounts_not_judged, 'account')}`,
    );
  lines.push(
    `  balance ${grouped(report.balance)}, held ${grouped(report.held)}, debt ${grouped(report.debt)}`,
    report.anchors === 0
      ? '  no anchors compared: nothing is said about missing streams, ends of streams that are missing, or a log written anew'
      : `  ${counted(report.anchors, 'anchor')} compared; the newest covers positions up to ${report.anchored_to ?? '-'}`,
  );
  if (report.finding_count > 0) lines.push(`  ${counted(report.finding_count, 'finding')}:`);
  for (const { stream, line, position, kind, message } of report.findings.slice(
    0,
    SHOWN_FINDINGS,
  )) {
    const where = [
      // Without a stream the line is all there is to tell, and told.
      line === null || stream === null ? null : `line ${line}`,
      position === null ? null : `position ${position}`,
    ]
      .filter((each) => each !== null)
      .join(', ');
    lines.push(`    ${kind}: ${message}${where === '' ? '' : ` (${where})`}`);
  }
  if (report.finding_count > SHOWN_FINDINGS)
    lines.push(
      `    and ${grouped(report.finding_count - SHOWN_FINDINGS)} more: --json lists up to 1,000`,
    );
  return `${lines.join('\n')}\n`;
}

function count(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`);
    return value;
  };
}
