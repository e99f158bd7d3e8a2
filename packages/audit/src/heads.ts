import { canonicalJson } from '@points/event-store/canonical-json';
import { leafHash, merkleRoot } from './merkle.ts';

/** The last event of a stream. Its hash covers the whole stream, since every event hashes the hash before it. */
export interface StreamHead {
  readonly stream: string;
  /** From 0; a stream with n events has its head at n − 1. */
  readonly revision: number;
  /** 64 lower-case hex digits. */
  readonly hash: string;
}

/**
 * The Merkle root (RFC 9162, hex) over the heads, one for each stream: a leaf is the canonical JSON (RFC 8785) of the
 * head, in the order of the streams' names by UTF-16 code units. No heads give the root of the empty tree.
 */
export function rootOf(heads: Iterable<StreamHead>): string {
  return Buffer.from(merkleRoot(leavesOf(inOrder(heads)))).toString('hex');
}

/** The heads as they stand in the tree. */
export function inOrder(heads: Iterable<StreamHead>): StreamHead[] {
  return [...heads].sort((one, other) =>
    one.stream < other.stream ? -1 : Number(one.stream > other.stream),
  );
}

/** Hashes of the tree's leaves, for heads that are in order. */
export function leavesOf(heads: readonly StreamHead[]): Uint8Array[] {
  return heads.map(headLeaf);
}

export function headLeaf({ stream, revision, hash }: StreamHead): Uint8Array {
  return leafHash(canonicalJson({ stream, revision, hash }));
}
