import { readFileSync, statSync } from 'node:fs';
import { Command } from 'commander';
import { whyNotUpToHead } from '../check-account-lines.ts';
import { readLines } from '../export-file.ts';
import { type HeadProof, checkProof, readProof } from '../prove.ts';
import { publicKeyFrom } from './anchor-inputs.ts';
import { CannotRunError, EXIT } from './outcome.ts';
import { reasonOf } from '../reason-of.ts';

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
  let problem = checkProof(proof, publicKey)?.message ?? null;
  if (problem === null && events !== undefined) {
    const wrong = await whyNotUpToHead(readLines(events), head).catch((error: unknown) => {
      throw new CannotRunError(`${events} cannot be read: ${reasonOf(error)}`);
    });
    if (wrong !== null) problem = `${events}: ${wrong}`;
  }
  if (problem !== null) process.exitCode = EXIT.doesNotHold;
  if (json === true) {
    const { position, signed_at, key_id } = anchor;
    const said = { holds: problem === null, problem, head, pinned_to: position, signed_at, key_id };
    process.stdout.write(`${JSON.stringify({ report: 'check-proof', ...said })}\n`);
  } else if (problem !== null) {
    process.stdout.write(`does not hold: ${problem}\n`);
  } else {
    process.stdout.write(
      `holds: at ${anchor.signed_at}, log position ${anchor.position}, ${head.stream} ended in revision ${head.revision} with hash ${head.hash}\n` +
        (events === undefined ? '' : `holds: ${events} has exactly these events\n`),
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
