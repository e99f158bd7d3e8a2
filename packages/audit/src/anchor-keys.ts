import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { reasonOf } from './reason-of.ts';

/** A key cannot be used; `message` names its file and says what would be right. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/** Name of a key: SHA-256 (hex) over its public part (SPKI, DER), whichever part is given. */
export function keyIdOf(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}

/** The private key (PKCS #8 PEM, Ed25519) that anchors are signed with. Throws KeyFileError. */
export function readPrivateKey(file: string): PrivateKeyFile {
  const pem = readPem(file);
  if (pem.label === 'PUBLIC KEY') {
    throw new KeyFileError(
      `${file} holds a public key; anchors are signed with the private one that was written beside it`,
    );
  }
  if (pem.label === 'ENCRYPTED PRIVATE KEY') {
    throw new KeyFileError(
      `${file} is encrypted; take the passphrase off: openssl pkey -in ${file}`,
    );
  }
  if (pem.label !== 'PRIVATE KEY') throw wrongLabel(file, pem.label, 'PRIVATE KEY');
  const key = ed25519(file, () => createPrivateKey(pem.text));
  // The bits mean nothing on Windows.
  const mode = process.platform === 'win32' ? 0 : statSync(file).mode & OTHERS_MAY_READ;
  const warning =
    mode === 0 ? null : `${file} can be read by others than its owner: chmod 600 ${file}`;
  return { key, warning };
}

export interface PrivateKeyFile {
  readonly key: KeyObject;
  /** A sentence for whoever runs this, when the file is open to others. */
  readonly warning: string | null;
}

/** The public key (SPKI PEM, Ed25519) that says whose anchors they are. Throws KeyFileError. */
export function readPublicKey(file: string): KeyObject {
  const pem = readPem(file);
  if (pem.label.endsWith('PRIVATE KEY')) {
    throw new KeyFileError(
      `${file} holds a private key, which is the signer's alone; give the .pub.pem that was written beside it`,
    );
  }
  if (pem.label !== 'PUBLIC KEY') throw wrongLabel(file, pem.label, 'PUBLIC KEY');
  return ed25519(file, () => createPublicKey(pem.text));
}

const OTHERS_MAY_READ = 0o044;
/** An Ed25519 key has some hundred bytes. */
const PEM_BYTES_MAX = 16_384;

function readPem(file: string): { readonly label: string; readonly text: string } {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > PEM_BYTES_MAX) throw new KeyFileError(`${file} is no key: it has ${size} bytes`);
    text = readFileSync(file, 'latin1');
  } catch (error) {
    if (error instanceof KeyFileError) throw error;
    throw new KeyFileError(`the key ${file} cannot be read: ${reasonOf(error)}`);
  }
  const labels = Array.from(text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g), ([, label]) => label);
  const [label] = labels;
  if (label === undefined) throw new KeyFileError(`${file} is not a PEM file`);
  if (labels.length > 1)
    throw new KeyFileError(`${file} holds ${labels.length} things; give one key`);
  return { label, text };
}

function ed25519(file: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw new KeyFileError(`${file} is damaged: ${reasonOf(error)}`);
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new KeyFileError(
    `${file} holds a key of kind ${key.asymmetricKeyType}; anchors are signed with Ed25519 (make a key with: new-key)`,
  );
}

function wrongLabel(file: string, label: string, wanted: string): KeyFileError {
  return new KeyFileError(`${file} holds a ${label}; a PEM file with a ${wanted} is needed`);
}
