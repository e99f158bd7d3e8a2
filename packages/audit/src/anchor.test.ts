import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { describe, expect, it } from 'vitest';
import { anchorOf, checkAnchorSignature, signAnchor } from './anchor.ts';
import { keyIdOf } from './anchor-keys.ts';
import { createOrderDigest } from './order-digest.ts';
import { OTHER_KEY, TEST_KEY, TEST_PUBLIC_KEY } from './testing/anchor-key.ts';

const golden = JSON.parse(
  readFileSync(new URL('../../contracts/fixtures/LedgerAnchored.v1.json', import.meta.url), 'utf8'),
) as { data: LedgerAnchor };
const { key_id, signed_at, signature, ...unsigned } = golden.data;

describe('an anchor', () => {
  it('says what the log is up to its last event', () => {
    const order = createOrderDigest();
    order.add('1042', 0, 'account-a', 'PointsRecharged');
    const heads = [
      { stream: 'account-b', revision: 0, hash: 'ab'.repeat(32) },
      { stream: 'account-a', revision: 3, hash: 'cd'.repeat(32) },
    ];
    expect(anchorOf({ position: 1042n, events: 5, heads, order: order.digest() })).toEqual({
      position: '1042',
      events: 5,
      streams: 2,
      root: anchorOf({ position: 1n, events: 1, heads: heads.toReversed(), order: '' }).root,
      order: order.digest(),
    });
  });

  it('is not made of nothing', () => {
    expect(() => anchorOf({ position: 0n, events: 0, heads: [], order: '' })).toThrow(RangeError);
  });

  it('signed with a key of RFC 8032 is the golden one, byte for byte', () => {
    expect(signAnchor(unsigned, TEST_KEY, signed_at)).toEqual(golden.data);
    expect(keyIdOf(TEST_PUBLIC_KEY)).toBe(key_id);
    expect(checkAnchorSignature(golden.data, TEST_PUBLIC_KEY)).toBeNull();
  });

  it.each<[keyof LedgerAnchor, LedgerAnchor[keyof LedgerAnchor]]>([
    ['position', '1043'],
    ['events', 2],
    ['streams', 2],
    ['root', 'ab'.repeat(32)],
    ['order', 'ab'.repeat(32)],
    ['signed_at', '2026-11-20T06:00:00.001Z'],
    ['signature', signature.replace('d', 'e')],
  ])('with another %s is no longer signed', (field, value) => {
    expect(checkAnchorSignature({ ...golden.data, [field]: value }, TEST_PUBLIC_KEY)).toEqual({
      kind: 'wrong_signature',
      message: 'was not signed with its key, or was changed afterwards',
    });
  });

  it("of another key is refused, under that key's name and under the right one", () => {
    const foreign = signAnchor(unsigned, OTHER_KEY, signed_at);
    expect(checkAnchorSignature(foreign, createPublicKey(OTHER_KEY))).toBeNull();
    expect(checkAnchorSignature(foreign, TEST_PUBLIC_KEY)?.message).toBe(
      `names ${keyIdOf(OTHER_KEY)} as its key, the key that was given is ${key_id}`,
    );
    expect(checkAnchorSignature({ ...foreign, key_id }, TEST_PUBLIC_KEY)?.message).toMatch(
      /^was not signed/,
    );
  });
});
