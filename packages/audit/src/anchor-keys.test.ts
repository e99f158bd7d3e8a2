import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { KeyFileError, keyIdOf, readPrivateKey, readPublicKey } from './anchor-keys.ts';
import { TEST_KEY, TEST_PUBLIC_KEY } from './testing/anchor-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'anchor-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PRIVATE = TEST_KEY.export({ type: 'pkcs8', format: 'pem' }).toString();
const PUBLIC = TEST_PUBLIC_KEY.export({ type: 'spki', format: 'pem' }).toString();
const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pkcs8 = { type: 'pkcs8', format: 'pem' } as const;
const spki = { type: 'spki', format: 'pem' } as const;

function fileWith(text: string | Buffer, mode = 0o600): string {
  const file = join(folder, 'key.pem');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

describe('keys of anchors', () => {
  it('come from PEM files, and have one name, whichever part is at hand', () => {
    const { key, warning } = readPrivateKey(fileWith(PRIVATE));
    expect(warning).toBeNull();
    expect(keyIdOf(key)).toBe(keyIdOf(readPublicKey(fileWith(PUBLIC))));
  });

  it.each([0o644, 0o640, 0o604])('a private key with mode %o is used, with a warning', (mode) => {
    expect(readPrivateKey(fileWith(PRIVATE, mode)).warning).toMatch(/can be read by others/);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ['a public key', PUBLIC, /holds a public key; anchors are signed with the private one/],
    ['a key of another kind', elliptic.privateKey.export(pkcs8), /of kind ec; .* Ed25519/],
    [
      'an encrypted key',
      TEST_KEY.export({ ...pkcs8, cipher: 'aes-128-cbc', passphrase: 'secret' }),
      /is encrypted/,
    ],
    [
      'a key in another form',
      elliptic.privateKey.export({ type: 'sec1', format: 'pem' }),
      /EC PRIVATE KEY; a PEM/,
    ],
    ['two keys', `${PRIVATE}${PUBLIC}`, /holds 2 things/],
    ['a cut key', `${PRIVATE.slice(0, 60)}\n-----END PRIVATE KEY-----\n`, /is damaged/],
    ['no PEM', 'nothing', /is not a PEM file/],
    ['a large file', Buffer.alloc(20_000), /is no key: it has 20000 bytes/],
  ])('%s is no private key', (_, text, message) => {
    expect(() => readPrivateKey(fileWith(text))).toThrow(KeyFileError);
    expect(() => readPrivateKey(fileWith(text))).toThrow(message);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ['a private key', PRIVATE, /holds a private key, which is the signer's alone/],
    ['a key of another kind', elliptic.publicKey.export(spki), /of kind ec/],
    ['a certificate', '-----BEGIN CERTIFICATE-----\n', /holds a CERTIFICATE/],
    ['a cut key', `${PUBLIC.slice(0, 50)}\n-----END PUBLIC KEY-----\n`, /is damaged/],
  ])('%s is no public key', (_, text, message) => {
    expect(() => readPublicKey(fileWith(text))).toThrow(KeyFileError);
    expect(() => readPublicKey(fileWith(text))).toThrow(message);
  });

  it('a file that is not there is named', () => {
    expect(() => readPublicKey('/nowhere/key.pem')).toThrow(
      /^the key \/nowhere\/key.pem cannot be/,
    );
    expect(() => readPrivateKey(folder)).toThrow(KeyFileError);
  });

  it('a private object gives the public name', () => {
    expect(keyIdOf(TEST_KEY)).toBe(keyIdOf(createPublicKey(TEST_KEY)));
  });
});
