import { readFileSync, statSync } from 'node:fs';
import { Command } from 'commander';
import { checkAccountLines } from '../check-account-lines.ts';
import { readLines } from '../export-file.ts';
import { type HeadProof, checkProof, readProof } from '../prove.ts';
import { reasonOf } from '../reason-of.ts';
import { grouped } from '../text-table.ts';
import { publicKeyFrom } from './anchor-inputs.ts';
import { CannotRunError, EXIT } from './outcome.ts';

interface Options {
  readonly key: string;
  readonly events?: string;
  readonly json?: true;
}

export function checkProofCommand(): Command {
  return new Command('check-proof')
    .description('Checks a proof with nothing but the public key; needs neither log nor network.')
    .argument('<proof>', 'JSON that "prove" has written')
    .requiredOption('--key <file>', 'public key (PEM, Ed25519), from somebody you trust')
    .option(
      '--events <file>',
      'an export of that account (plain or gzip): that these are its events',
    )
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
A proof is about the last event of the account, and through its hash about those before it. With
--events it is told how many of them were checked; in the JSON, null = no events were given.

Examples:
  npm run audit -- check-proof proof.json --key anchor-key.pub.pem
  npm run audit -- check-proof proof.json --key anchor-key.pub.pem --events user-1.ndjson`,
    )
    .action(run);
}

async function run(file: string, { key, events, json }: Options): Promise<void> {
  const publicKey = publicKeyFrom(key);
  const proof = proofFrom(file);
  const { anchor, head } = proof;
  let checked = 0;
  let problem = checkProof(proof, publicKey)?.message ?? null;
  if (problem === null && events !== undefined) {
    const lines = await checkAccountLines(readLines(events), head).catch((error: unknown) => {
      throw new CannotRunError(`${events} cannot be read: ${reasonOf(error)}`);
    });
    checked = lines.events;
    if (lines.problem !== null) problem = `${events}: ${lines.problem}`;
  }
  if (problem !== null) process.exitCode = EXIT.doesNotHold;
  if (json === true) {
    const { position, signed_at, key_id } = anchor;
    const said = { holds: problem === null, problem, head, pinned_to: position, signed_at, key_id };
    // Null: the proof says it of the head alone, and nobody asked about the events before it.
    const ofEvents =
      events === undefined
        ? { events_file: null, events_checked: null }
        : { events_file: events, events_checked: checked };
    process.stdout.write(`${JSON.stringify({ report: 'check-proof', ...said, ...ofEvents })}\n`);
  } else if (problem !== null) {
    process.stdout.write(`does not hold: ${problem}\n`);
  } else {
    process.stdout.write(
      `holds: at ${anchor.signed_at}, log position ${anchor.position}, ${head.stream} ended in revision ${head.revision} with hash ${head.hash}\n` +
        (events === undefined
          ? ''
          : `holds: ${events} has exactly these events (${grouped(checked)})\n`),
    );
  }
}

/** A proof of a ledger with 2^53 streams has some 5 KiB. */
const PROOF_BYTES_MAX = 65_536;

function proofFrom(file: string): HeadProof {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > PROOF_BYTES_MAX) throw new Error(`it has ${size} bytes, too many for a proof`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CannotRunError(`${file} cannot be read: ${reasonOf(error)}`);
  }
  const proof = readProof(text);
  if ('problem' in proof) throw new CannotRunError(`${file} ${proof.problem}`);
  return proof;
}
