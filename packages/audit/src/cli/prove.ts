import { existsSync, writeFileSync } from 'node:fs';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { accountStream } from '@points/contracts/streams';
import type { EventLog } from '@points/event-store/event-log';
import { Command } from 'commander';
import { createAnchorWatch } from '../anchor-watch.ts';
import type { Finding } from '../finding.ts';
import { createLedgerFold } from '../ledger-fold.ts';
import { eventsUpTo, pinPosition } from '../pinned-log.ts';
import { type HeadProof, proveHead } from '../prove.ts';
import { reasonOf } from '../reason-of.ts';
import { anchorsFrom } from './anchor-inputs.ts';
import { accountId } from './arguments.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { showProgress, withProgress } from './progress.ts';
import { withEventLog } from './sources.ts';

interface Options {
  readonly anchor: string;
  readonly at?: string;
  readonly out: string;
  readonly force?: true;
  readonly json?: true;
}

export function proveCommand(): Command {
  return new Command('prove')
    .description(
      'Proves that an account was part of what an anchor has signed, without the others.',
    )
    .argument('<account>', 'account id', accountId)
    .requiredOption('--anchor <file>', 'NDJSON that "anchor" has written')
    .option('--at <position>', 'the anchor at this position (default: the newest)')
    .requiredOption('--out <file>', 'the proof to make (JSON); it must not exist')
    .option('--force', 'write over a proof that is there')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
Reads the live log up to the anchor. Whoever gets the proof checks it with check-proof and the
public key, or by RFC 9162 §2.1.3.2 with a program of their own. What stands where the proof is to
go is written over only with --force, and only by a proof.

Example:
  npm run audit -- prove user-1 --anchor anchors.ndjson --out proof.json`,
    )
    .action(run);
}

async function run(account: string, options: Options): Promise<void> {
  const { anchor: file, at, out, force = false, json } = options;
  const anchor = await anchorOfFile(file, at);
  // Said before the log is read, which may take long.
  if (!force && existsSync(out)) throw existing(out);
  const stream = accountStream(account);
  const result = await withEventLog((log) => proofFrom(log, anchor, stream));
  const { findings, proof } = result;
  if (proof !== null) write(out, proof, force);
  else process.exitCode = EXIT.doesNotHold;
  const pinned_to = anchor.position;
  if (json === true) {
    const report = { report: 'prove', account_id: account, pinned_to, holds: proof !== null };
    const head = proof === null ? null : proof.head;
    process.stdout.write(`${JSON.stringify({ ...report, head, findings })}\n`);
  } else if (proof === null) {
    process.stdout.write(
      findings.length > 0
        ? `nothing is proved:\n${findings.map(({ kind, message }) => `${kind}: ${message}\n`).join('')}`
        : `${account} has no events up to position ${pinned_to}: there is nothing to prove\n`,
    );
  } else {
    process.stdout.write(
      `${out}: ${stream} ends in revision ${proof.head.revision} at the anchor of ${anchor.signed_at}, position ${pinned_to}\n`,
    );
  }
}

async function anchorOfFile(file: string, at: string | undefined): Promise<LedgerAnchor> {
  const anchors = await anchorsFrom(file);
  if (anchors === null) throw new CannotRunError(`${file} is not there; "anchor" writes it`);
  const anchor =
    at === undefined ? anchors.at(-1) : anchors.find(({ position }) => position === at);
  if (anchor !== undefined) return anchor;
  if (at === undefined) throw new CannotRunError(`${file} has no anchors yet; "anchor" adds one`);
  throw new CannotRunError(
    `${file} has no anchor at position ${at}; its newest is at ${anchors.at(-1)?.position ?? 'none'}`,
  );
}

/** With findings there is no proof; without either, the stream has no events up to there. */
async function proofFrom(
  log: EventLog,
  anchor: LedgerAnchor,
  stream: string,
): Promise<{ readonly proof: HeadProof | null; readonly findings: readonly Finding[] }> {
  const fold = createLedgerFold(createAnchorWatch([anchor]));
  const anchored = BigInt(anchor.position);
  const end = await pinPosition(log);
  const pin = end === null || end < anchored ? end : anchored;
  const progress = showProgress('prove', 'events');
  try {
    for await (const event of withProgress(eventsUpTo(log, { pin }), pin, progress)) {
      const findings = fold.take(event);
      if (findings.length > 0) return { proof: null, findings };
    }
  } finally {
    progress.stop();
  }
  const findings = fold.end();
  if (findings.length > 0) return { proof: null, findings };
  const heads = fold.extent()?.heads ?? [];
  return { proof: proveHead(heads, stream, anchor), findings };
}

function write(file: string, proof: HeadProof, force: boolean): void {
  try {
    // "wx": what came into being since the look above stays as it is.
    writeFileSync(file, `${JSON.stringify(proof, null, 2)}\n`, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw existing(file);
    throw new CannotRunError(`${file} cannot be written: ${reasonOf(error)}`);
  }
}

function existing(file: string): CannotRunError {
  return new CannotRunError(
    `${file} exists: take another name for --out, or --force to write over it`,
  );
}
