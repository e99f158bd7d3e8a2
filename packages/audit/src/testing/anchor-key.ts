import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** The key of RFC 8032 §7.1, test 1: public knowledge, and what the golden anchor in contracts is signed with. */
export const TEST_KEY: KeyObject = keyOfSeed(
  '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
);
export const TEST_PUBLIC_KEY: KeyObject = createPublicKey(TEST_KEY);

/** Another one: test 2 of the same section. */
export const OTHER_KEY: KeyObject = keyOfSeed(
  '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
);

function keyOfSeed(seed: string): KeyObject {
  // PKCS #8 of an Ed25519 key (RFC 8410): a fixed head, then the seed.
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex');
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
