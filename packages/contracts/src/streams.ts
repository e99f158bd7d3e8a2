import { PRICE_KINDS, type PriceKind } from '@points/domain/price-list/events';
import { isId } from './text.ts';

/** Names of the streams of the event log. The category is everything before the first `-`. */
const ACCOUNT_PREFIX = 'account-';
const AI_MODEL_PREFIX = 'aiModel-';
const PRICE_LIST_PREFIX = 'priceList-';
export const PRICING_CONFIG_STREAM = 'pricingConfig-ledger';

/** Streams of snapshots are caches and no part of the ledger: none of its prefixes matches them. */
export const PRICE_SNAPSHOT_STREAM = 'priceSnapshot-ledger';
const ACCOUNT_SNAPSHOT_PREFIX = 'accountSnapshot-';

/** Signed statements about the ledger, and so no part of it: none of its prefixes matches this stream either. */
export const AUDIT_ANCHOR_STREAM = 'auditAnchor-ledger';

/** Prefixes of all streams that hold events of the ledger. */
export const LEDGER_STREAM_PREFIXES = [
  ACCOUNT_PREFIX,
  AI_MODEL_PREFIX,
  PRICE_LIST_PREFIX,
  'pricingConfig-',
] as const;

export type LedgerStream =
  | { readonly category: 'account'; readonly accountId: string }
  | { readonly category: 'aiModel'; readonly modelId: string }
  | { readonly category: 'priceList'; readonly kind: PriceKind }
  | { readonly category: 'pricingConfig' };

/** Throws RangeError when `accountId` is not an id: nothing that was not checked may name a stream. */
export function accountStream(accountId: string): string {
  return ACCOUNT_PREFIX + checked(accountId);
}

/** The cache beside an account's stream, by that stream's name. No reader of events looks at it. */
export function accountSnapshotStream(stream: string): string {
  return ACCOUNT_SNAPSHOT_PREFIX + stream.slice(ACCOUNT_PREFIX.length);
}

/** Throws RangeError when `modelId` is not an id. */
export function aiModelStream(modelId: string): string {
  return AI_MODEL_PREFIX + checked(modelId);
}

export function priceListStream(kind: PriceKind): string {
  return PRICE_LIST_PREFIX + kind;
}

/** What a stream's name says, or null when it is not a stream of the ledger. */
export function parseStream(stream: string): LedgerStream | null {
  if (stream === PRICING_CONFIG_STREAM) return { category: 'pricingConfig' };
  if (stream.startsWith(ACCOUNT_PREFIX)) {
    const accountId = stream.slice(ACCOUNT_PREFIX.length);
    return isId(accountId) ? { category: 'account', accountId } : null;
  }
  if (stream.startsWith(AI_MODEL_PREFIX)) {
    const modelId = stream.slice(AI_MODEL_PREFIX.length);
    return isId(modelId) ? { category: 'aiModel', modelId } : null;
  }
  const kind = PRICE_KINDS.find((each) => stream === priceListStream(each));
  if (kind !== undefined) return { category: 'priceList', kind };
  return null;
}

function checked(id: string): string {
  if (!isId(id)) throw new RangeError(`not an id that can name a stream: ${JSON.stringify(id)}`);
  return id;
}
