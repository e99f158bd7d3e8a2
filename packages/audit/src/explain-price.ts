import { PRICING_CONFIG_STREAM, aiModelStream } from '@points/contracts/streams';
import { UnreadableEventError } from '@points/contracts/stored-events';
import { isId } from '@points/contracts/text';
import type { HoldPrice } from '@points/domain/account/events';
import type { AuditEvent } from './audit-event.ts';
import { decodeEvent } from './books/decode.ts';
import { BrokenHistoryError } from './decode-account.ts';
import { findingAt } from './finding.ts';

/** The event of the log that a price came from: the configuration in force, or the last word on a model's price. */
export interface PriceOrigin {
  readonly what: 'ConfigLoaded' | 'ModelRegistered' | 'ModelPriced';
  readonly stream: string;
  readonly revision: number;
  readonly position: string;
  readonly at: string;
  /** Of a model: points per unit. */
  readonly points_cost: number | null;
  readonly config_version: string | null;
}

/** Reads a stream of the ledger from its first event. */
export type ReadStream = (stream: string) => AsyncIterable<AuditEvent> | Iterable<AuditEvent>;

const MODEL = 'model:';

/**
 * The events that a hold's price came from, of those before the hold: for a model its price and the configuration, for
 * an operation the configuration, for an amount that the caller gave nothing. Those that are not in the log are missing.
 */
export async function priceOrigins(
  price: HoldPrice,
  before: bigint,
  readStream: ReadStream,
): Promise<PriceOrigin[]> {
  const origins: PriceOrigin[] = [];
  const modelId = price.source.startsWith(MODEL) ? price.source.slice(MODEL.length) : '';
  if (isId(modelId)) {
    const found = await last(
      readStream(aiModelStream(modelId)),
      before,
      (origin) => origin.points_cost !== null,
    );
    if (found !== null) origins.push(found);
  }
  if (price.config_version !== '') {
    const isInForce = (origin: PriceOrigin) => origin.config_version === price.config_version;
    const found = await last(readStream(PRICING_CONFIG_STREAM), before, isInForce);
    if (found !== null) origins.push(found);
  }
  return origins;
}

async function last(
  events: AsyncIterable<AuditEvent> | Iterable<AuditEvent>,
  before: bigint,
  is: (origin: PriceOrigin) => boolean,
): Promise<PriceOrigin | null> {
  let found: PriceOrigin | null = null;
  for await (const stored of events) {
    if (stored.position >= before) break;
    const origin = originOf(stored);
    if (origin !== null && is(origin)) found = origin;
  }
  return found;
}

function originOf(stored: AuditEvent): PriceOrigin | null {
  const { event, context } = decoded(stored);
  if (
    event.type !== 'ConfigLoaded' &&
    event.type !== 'ModelRegistered' &&
    event.type !== 'ModelPriced'
  )
    return null;
  return {
    what: event.type,
    stream: stored.stream,
    revision: stored.revision,
    position: String(stored.position),
    at: context.occurred_at,
    points_cost: event.type === 'ConfigLoaded' ? null : event.data.points_cost,
    config_version: event.type === 'ConfigLoaded' ? event.data.version : null,
  };
}

function decoded(stored: AuditEvent) {
  try {
    return decodeEvent(stored);
  } catch (error) {
    if (!(error instanceof UnreadableEventError)) throw error;
    throw new BrokenHistoryError(
      findingAt(stored, 'unreadable_event', `cannot be read: ${error.message}`),
    );
  }
}
