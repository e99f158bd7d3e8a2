import type { KeyObject } from 'node:crypto';
import { firstProblem } from '@points/contracts/first-problem';
import { type LedgerAnchor, anchorAlone } from '@points/contracts/stored-anchors';
import { z } from 'zod';
import { checkAnchorSignature } from './anchor.ts';
import type { FindingKind } from './finding.ts';
import { type StreamHead, headLeaf, inOrder, leavesOf } from './heads.ts';
import { inclusionPath, rootByPath } from './merkle.ts';

/** That a stream was part of what an anchor has signed; whoever checks it needs the public key and nothing else. */
export interface HeadProof {
  readonly anchor: LedgerAnchor;
  readonly head: StreamHead;
  /** Of the head's leaf, from 0, among `size` leaves: one for each stream, in the order of the names. */
  readonly index: number;
  readonly size: number;
  /** The inclusion path of RFC 9162 §2.1.3: hashes (hex) from the bottom up. */
  readonly path: readonly string[];
}

/** `heads` are those of the anchor, in any order. Null when the stream is not among them. */
export function proveHead(
  heads: readonly StreamHead[],
  stream: string,
  anchor: LedgerAnchor,
): HeadProof | null {
  const ordered = inOrder(heads);
  const index = ordered.findIndex((head) => head.stream === stream);
  const head = ordered[index];
  if (head === undefined) return null;
  const path = inclusionPath(leavesOf(ordered), index).map(hex);
  return { anchor, head, index, size: ordered.length, path };
}

export interface ProofProblem {
  readonly kind: Extract<FindingKind, 'wrong_signature' | 'anchor_differs'>;
  readonly message: string;
}

/** Null when the holder of the key has signed a ledger in which the stream ends in just this head. */
export function checkProof(proof: HeadProof, publicKey: KeyObject): ProofProblem | null {
  const { anchor, head, index, size, path } = proof;
  const forged = checkAnchorSignature(anchor, publicKey);
  if (forged !== null) {
    return {
      kind: 'wrong_signature',
      message: `the anchor at position ${anchor.position} ${forged.message}`,
    };
  }
  if (size !== anchor.streams) {
    return differs(`the proof speaks of ${size} streams, the anchor of ${anchor.streams}`);
  }
  const hashes = path.map((hash) => Buffer.from(hash, 'hex'));
  const root = rootByPath(headLeaf(head), index, size, hashes);
  if (root === null)
    return differs(`the path has not the length of one to leaf ${index} of ${size}`);
  if (hex(root) === anchor.root) return null;
  return differs(
    `the path leads from revision ${head.revision} of ${head.stream} to the root ${hex(root)}, the anchor has ${anchor.root}`,
  );
}

/** Reads the text of a proof; what is wrong with it, if it is none. */
export function readProof(text: string): HeadProof | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'is not JSON' };
  }
  const parsed = headProof.safeParse(value);
  if (parsed.success) return parsed.data;
  const { field, message } = firstProblem(parsed.error, 'it');
  return { problem: `is no proof: ${field} ${message}` };
}

/** Levels of a tree with a leaf for every safe integer. */
const PATH_MAX = 53;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hex digits' });

const headProof = z.strictObject({
  anchor: anchorAlone,
  head: z.strictObject({
    stream: z.string().min(1).max(256),
    revision: z.int().min(0),
    hash: sha256,
  }),
  index: z.int().min(0),
  size: z.int().min(1),
  path: z.array(sha256).max(PATH_MAX),
}) satisfies z.ZodType<HeadProof>;

function differs(message: string): ProofProblem {
  return { kind: 'anchor_differs', message };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
