import { generateKeyPairSync } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { keyIdOf } from '../anchor-keys.ts';
import { CannotRunError } from './outcome.ts';

export function newKeyCommand(): Command {
  return new Command('new-key')
    .description('Makes a key (Ed25519) to sign anchors with, and its public part.')
    .requiredOption('--out <file>', 'where the private key goes, such as anchor-key.pem')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
The public part goes beside it (anchor-key.pub.pem). The private one stays with the job that
anchors, on another machine than the ledger; the public one goes to everybody who is to check.

Example:
  npm run audit -- new-key --out anchor-key.pem`,
    )
    .action(run);
}

function run({ out, json }: { readonly out: string; readonly json?: true }): void {
  const publicFile = `${out.replace(/\.pem$/, '')}.pub.pem`;
  for (const file of [out, publicFile]) {
    if (existsSync(file)) throw new CannotRunError(`${file} exists; a key is never written over`);
  }
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  write(out, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600);
  write(publicFile, publicKey.export({ type: 'spki', format: 'pem' }).toString(), 0o644);
  const key_id = keyIdOf(publicKey);
  process.stdout.write(
    json === true
      ? `${JSON.stringify({ report: 'new-key', key_id, private_key: out, public_key: publicFile })}\n`
      : `key_id       ${key_id}\nprivate key  ${out}\npublic key   ${publicFile}\n`,
  );
}

function write(file: string, text: string, mode: number): void {
  try {
    // "x": what came into being since the look above stays as it is.
    writeFileSync(file, text, { flag: 'wx', mode, flush: true });
  } catch (error) {
    throw new CannotRunError(
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
