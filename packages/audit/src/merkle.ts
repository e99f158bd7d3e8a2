import { hash } from 'node:crypto';

/**
 * The Merkle tree of RFC 9162 §2.1 with SHA-256: a leaf hashes as SHA-256(0x00 ‖ leaf), a node as
 * SHA-256(0x01 ‖ left ‖ right), so that no leaf can pass for a node. Of n > 1 leaves the left part is the largest power
 * of two below n. Takes and gives hashes of 32 bytes; what is hashed is in `leafHash`.
 */
export function merkleRoot(leafHashes: readonly Uint8Array[]): Uint8Array {
  let level = leafHashes;
  while (level.length > 1) level = levelAbove(level);
  return level[0] ?? sha256(NOTHING);
}

export function leafHash(leaf: string): Uint8Array {
  return sha256(Buffer.from(`\0${leaf}`, 'utf8'));
}

/**
 * What, with the leaf itself, gives the root: the hashes beside its path, from the bottom (RFC 9162 §2.1.3.1). Throws
 * RangeError when there is no such leaf.
 */
export function inclusionPath(leafHashes: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isSafeInteger(index) || index < 0 || index >= leafHashes.length)
    throw new RangeError(`no leaf ${index} in a tree of ${leafHashes.length}`);
  const path: Uint8Array[] = [];
  let place = index;
  for (let level = leafHashes; level.length > 1; level = levelAbove(level)) {
    // The last of an odd number has nobody beside it and goes up as it is.
    const beside = level[place ^ 1];
    if (beside !== undefined) path.push(beside);
    place >>>= 1;
  }
  return path;
}

/**
 * The root of the tree of `size` leaves that has this leaf at `index`, or null when the path does not have the length
 * that such a leaf's path has (RFC 9162 §2.1.3.2). The leaf is included if that is the root one trusts.
 */
export function rootByPath(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array | null {
  if (!isCount(index) || !isCount(size) || index >= size) return null;
  let node = leaf;
  let place = index;
  let last = size - 1;
  for (const beside of path) {
    if (last === 0) return null;
    if (place % 2 === 1) {
      node = nodeHash(beside, node);
    } else if (place < last) {
      node = nodeHash(node, beside);
    } else {
      // Alone at the end of its levels: it went up as it was until it had somebody to its left.
      while (place % 2 === 0) {
        place /= 2;
        last = Math.floor(last / 2);
      }
      node = nodeHash(beside, node);
    }
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? node : null;
}

const NOTHING = new Uint8Array();

function levelAbove(level: readonly Uint8Array[]): readonly Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index];
    const right = level[index + 1];
    if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right));
  }
  return above;
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([NODE, left, right]));
}

const NODE = Uint8Array.of(1);

function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
