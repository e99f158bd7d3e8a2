import { type KeyObject, createPublicKey } from 'node:crypto';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { AnchorFileError, mendAnchorFile, readAnchorFile } from '../anchor-file.ts';
import { KeyFileError, keyIdOf, readPrivateKey, readPublicKey } from '../anchor-keys.ts';
import { checkAnchorSignature } from '../anchor.ts';
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

/**
 * As `anchorsFrom`, for the job that goes on writing the file with this key; says on stderr what it had to mend. Throws
 * CannotRunError also when the file is one of another key. Whether its anchors are right is for the job to say.
 */
export async function anchorsToGoOnFrom(
  file: string,
  privateKey: KeyObject,
): Promise<readonly LedgerAnchor[]> {
  const mended = await mendAnchorFile(file).catch(rethrown);
  if (mended !== 'whole') {
    const how = mended === 'finished' ? 'it is whole, and got its end' : 'it was taken away';
    process.stderr.write(`audit: ${file}: writing its last line was interrupted; ${how}\n`);
  }
  const anchors = (await anchorsFrom(file)) ?? [];
  const publicKey = createPublicKey(privateKey);
  const [first] = anchors;
  if (first !== undefined && !anchors.some((anchor) => isOfKey(anchor, publicKey)))
    throw new CannotRunError(
      `${file} was begun with the key ${first.key_id}, the one that was given is ${keyIdOf(publicKey)}. A file has the anchors of one key: give that key by --key, or begin another file by --file`,
    );
  return anchors;
}

/** Also when it was signed with the key and names another: somebody has changed it. */
function isOfKey(anchor: LedgerAnchor, publicKey: KeyObject): boolean {
  const keyId = keyIdOf(publicKey);
  if (anchor.key_id === keyId) return true;
  return checkAnchorSignature({ ...anchor, key_id: keyId }, publicKey) === null;
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
