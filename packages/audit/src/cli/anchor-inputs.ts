import type { KeyObject } from 'node:crypto';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { AnchorFileError, mendAnchorFile, readAnchorFile } from '../anchor-file.ts';
import { KeyFileError, readPrivateKey, readPublicKey } from '../anchor-keys.ts';
import { CannotRunError } from './outcome.ts';

/** Throws CannotRunError; a key that others can read is used, with a warning on stderr. */
export function privateKeyFrom(file: string): KeyObject {
  const { key, warning } = orCannotRun(() => readPrivateKey(file));
  if (warning !== null) process.stderr.write(`audit: ${warning}\n`);
  return key;
}

/** Throws CannotRunError. */
export function publicKeyFrom(file: string): KeyObject {
  return orCannotRun(() => readPublicKey(file));
}

/** The anchors of a file, their positions rising; null when there is no such file. Throws CannotRunError. */
export async function anchorsFrom(file: string): Promise<readonly LedgerAnchor[] | null> {
  const read = await readAnchorFile(file).catch(rethrown);
  if (read.outcome === 'missing') return null;
  if (read.outcome === 'read') return read.anchors;
  throw new CannotRunError(`${file}: line ${read.line} ${read.problem}`);
}

/** As `anchorsFrom`, for the job that goes on writing the file; says on stderr what it had to mend. */
export async function anchorsToGoOnFrom(file: string): Promise<readonly LedgerAnchor[]> {
  const mended = await mendAnchorFile(file).catch(rethrown);
  if (mended !== 'whole') {
    const how = mended === 'finished' ? 'it is whole, and got its end' : 'it was taken away';
    process.stderr.write(`audit: ${file}: writing its last line was interrupted; ${how}\n`);
  }
  return (await anchorsFrom(file)) ?? [];
}

function orCannotRun<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    return rethrown(error);
  }
}

function rethrown(error: unknown): never {
  if (error instanceof KeyFileError || error instanceof AnchorFileError) {
    throw new CannotRunError(error.message);
  }
  throw error;
}
