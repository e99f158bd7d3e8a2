import { z } from 'zod';
import { firstProblem } from './first-problem.ts';
import { storedTime } from './stored-data.ts';
import { type EncodedEvent, UnreadableEventError } from './stored-events.ts';
import { AUDIT_ANCHOR_STREAM } from './streams.ts';
import { upcast, upcastsOf } from './upcasts.ts';

/**
 * What somebody with a key that the ledger does not have has seen and signed. It says something about the ledger and is
 * no part of it: its stream has none of the ledger's prefixes, and nobody who folds the ledger reads it.
 */
export interface LedgerAnchor {
  readonly position: string;
  readonly events: number;
  readonly streams: number;
  readonly root: string;
  readonly order: string;
  readonly key_id: string;
  readonly signed_at: string;
  readonly signature: string;
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hex digits' });

const ledgerAnchored = {
  position: z
    .string()
    .regex(/^(0|[1-9]\d{0,19})$/, { error: 'must be a position in decimal' })
    .describe('Log position (decimal) of the last event that it covers'),
  events: z.int().min(1).describe("Events of the ledger's streams up to there"),
  streams: z.int().min(1).describe('Streams that they are in'),
  root: sha256.describe(
    'RFC 9162 Merkle root (SHA-256, hex) over the last event of every stream: a leaf is the RFC 8785 JSON of `{stream, revision, hash}`, in the order of the names',
  ),
  order: sha256.describe(
    'SHA-256 (hex) over the RFC 8785 JSON of `{position, revision, stream, type}` and a line feed for each event, in the order of the log',
  ),
  key_id: sha256.describe('SHA-256 (hex) of the public key (SPKI, DER)'),
  signed_at: storedTime.describe('When, by the clock of who signed it'),
  signature: z
    .string()
    .regex(/^[0-9a-f]{128}$/, { error: 'must be 128 hex digits' })
    .describe('Ed25519 (RFC 8032, hex) over the RFC 8785 JSON of all other fields'),
} satisfies { readonly [Key in keyof LedgerAnchor]-?: z.ZodType<LedgerAnchor[Key]> };

export const ANCHOR_EVENT_DATA = { LedgerAnchored: z.object(ledgerAnchored) };

/** An anchor outside the log, such as a line of a file: as in the log, and not a field more. */
export const anchorAlone = z.strictObject(ledgerAnchored);

/** Reads one event of the anchors' stream; whether the anchor is true is for others to say. Throws `UnreadableEventError`. */
export function decodeStoredAnchor(stored: EncodedEvent): LedgerAnchor {
  if (stored.stream !== AUDIT_ANCHOR_STREAM)
    throw new UnreadableEventError(stored, 'not the stream of anchors');
  if (stored.type !== 'LedgerAnchored')
    throw new UnreadableEventError(stored, 'no such event in auditAnchor streams');
  const schema = stored.metadata['schema'] ?? '';
  const present = upcast(stored.type, schema, stored.data, upcastsOf(stored.type));
  if (!present.ok) throw new UnreadableEventError(stored, present.problem);
  const parsed = ANCHOR_EVENT_DATA.LedgerAnchored.safeParse(present.data);
  if (parsed.success) return parsed.data;
  const problem = firstProblem(parsed.error, 'data');
  throw new UnreadableEventError(stored, `${problem.field}: ${problem.message}`);
}
