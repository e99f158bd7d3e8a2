import { type KeyObject, sign, verify } from 'node:crypto';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { canonicalJson } from '@points/event-store/canonical-json';
import { keyIdOf } from './anchor-keys.ts';
import { type StreamHead, rootOf } from './heads.ts';
import type { SealProblem } from './seal.ts';

export type UnsignedAnchor = Omit<LedgerAnchor, 'key_id' | 'signed_at' | 'signature'>;

/** The ledger's events from the start of the log up to a position. */
export interface LedgerExtent {
  /** Of the last event. */
  readonly position: bigint;
  /** How many. */
  readonly events: number;
  /** The last event of each stream, in any order. */
  readonly heads: readonly StreamHead[];
  /** What `createOrderDigest` gives. */
  readonly order: string;
}

/** What there is to sign. Throws RangeError when there are no events: of nothing, nothing can be said. */
export function anchorOf({ position, events, heads, order }: LedgerExtent): UnsignedAnchor {
  if (events < 1 || heads.length < 1) throw new RangeError('an empty ledger has no anchor');
  return {
    position: String(position),
    events,
    streams: heads.length,
    root: rootOf(heads),
    order,
  };
}

/**
 * Signs with Ed25519 (RFC 8032) the canonical JSON (RFC 8785) of all fields but the signature. `signedAt` is ISO-8601
 * UTC with milliseconds. The same anchor at the same time has the same signature.
 */
export function signAnchor(
  unsigned: UnsignedAnchor,
  privateKey: KeyObject,
  signedAt: string,
): LedgerAnchor {
  const signed = { ...unsigned, key_id: keyIdOf(privateKey), signed_at: signedAt };
  return { ...signed, signature: sign(null, signedText(signed), privateKey).toString('hex') };
}

/**
 * Null when the holder of the key has signed exactly this. Whether it is true of a ledger is for the anchor watch.
 * The message goes on after "the anchor at position 1042 ".
 */
export function checkAnchorSignature(
  anchor: LedgerAnchor,
  publicKey: KeyObject,
): SealProblem | null {
  const keyId = keyIdOf(publicKey);
  if (anchor.key_id !== keyId) {
    return wrong(`names ${anchor.key_id} as its key, the key that was given is ${keyId}`);
  }
  const { signature, ...signed } = anchor;
  if (verify(null, signedText(signed), publicKey, Buffer.from(signature, 'hex'))) return null;
  return wrong('was not signed with its key, or was changed afterwards');
}

function signedText(signed: Omit<LedgerAnchor, 'signature'>): Buffer {
  return Buffer.from(canonicalJson({ ...signed }), 'utf8');
}

function wrong(message: string): SealProblem {
  return { kind: 'wrong_signature', message };
}
