import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inclusionPath, leafHash, merkleRoot, rootByPath } from './merkle.ts';

/** The definition of RFC 9162 §2.1.1 and §2.1.3.1, word by word: recursive, by slices. */
function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256(Buffer.alloc(0));
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return sha256(Buffer.from([0]), only);
  const split = powerBelow(leaves.length);
  return sha256(
    Buffer.from([1]),
    naiveRoot(leaves.slice(0, split)),
    naiveRoot(leaves.slice(split)),
  );
}

function naivePath(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return [];
  const split = powerBelow(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...naivePath(left, index), naiveRoot(right)]
    : [...naivePath(right, index - split), naiveRoot(left)];
}

function powerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hex(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('hex');
}

const MAX_SIZE = 300;
const TEXTS = Array.from({ length: MAX_SIZE }, (_, index) => `leaf ${index} é`);
const LEAVES = TEXTS.map(leafHash);
const RAW = TEXTS.map((text) => Buffer.from(text, 'utf8'));

describe('the Merkle tree of RFC 9162', () => {
  it('has the roots of the published test data of Certificate Transparency', () => {
    const published = ['', '\0', '\x10', ' !', '01', '@ABC', 'PQRSTUVW', '`abcdefghijklmno'];
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const leaves = published.map(leafHash);
    expect(roots.map((_, size) => hex(merkleRoot(leaves.slice(0, size))))).toEqual(roots);
  });

  it(`agrees with its definition for every size to ${MAX_SIZE}`, () => {
    for (let size = 0; size <= MAX_SIZE; size += 1)
      expect(hex(merkleRoot(LEAVES.slice(0, size)))).toBe(hex(naiveRoot(RAW.slice(0, size))));
  });

  it(`proves every leaf of sizes to 33 and some of every size to ${MAX_SIZE}`, () => {
    for (let size = 1; size <= MAX_SIZE; size += 1) {
      const leaves = LEAVES.slice(0, size);
      const root = hex(merkleRoot(leaves));
      const some = [0, size >> 1, size - 1];
      const indexes = size <= 33 ? leaves.keys() : new Set(some);
      for (const index of indexes) {
        const leaf = leafHash(TEXTS[index] ?? '');
        const path = inclusionPath(leaves, index);
        if (size <= 33)
          expect(path.map(hex)).toEqual(naivePath(RAW.slice(0, size), index).map(hex));
        expect(hex(rootByPath(leaf, index, size, path))).toBe(root);
      }
    }
  });

  it('proves nothing with another leaf, place, or path', () => {
    for (let size = 1; size <= 24; size += 1) {
      const leaves = LEAVES.slice(0, size);
      const root = hex(merkleRoot(leaves));
      for (const [index, leaf] of leaves.entries()) {
        const path = inclusionPath(leaves, index);
        expect(hex(rootByPath(leafHash('other'), index, size, path))).not.toBe(root);
        for (let other = 0; other < size; other += 1)
          if (other !== index) expect(hex(rootByPath(leaf, other, size, path))).not.toBe(root);
        for (const place of path.keys()) {
          const bent = path.map((step, at) => (at === place ? leafHash('bent') : step));
          expect(hex(rootByPath(leaf, index, size, bent))).not.toBe(root);
        }
        expect(rootByPath(leaf, index, size, [...path, leaf])).toBeNull();
        if (path.length > 0) expect(rootByPath(leaf, index, size, path.slice(1))).toBeNull();
      }
    }
  });

  it('knows no leaf outside the tree', () => {
    const [leaf = leafHash('')] = LEAVES;
    expect(() => inclusionPath(LEAVES, -1)).toThrow(RangeError);
    expect(() => inclusionPath(LEAVES, MAX_SIZE)).toThrow(RangeError);
    for (const [index, size] of [
      [1, 1],
      [-1, 1],
      [0, 0],
      [0.5, 1],
      [0, 1.5],
      [0, NaN],
    ] as const)
      expect(rootByPath(leaf, index, size, [])).toBeNull();
  });
});
