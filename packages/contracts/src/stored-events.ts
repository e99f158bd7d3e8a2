import type { AccountEvent, EventContext } from '@points/domain/account/events';
import type { ModelEvent } from '@points/domain/catalog/events';
import type { PriceKind, PriceListEvent } from '@points/domain/price-list/events';
import type { ConfigLoadedEvent } from '@points/domain/pricing/config';
import { z } from 'zod';
import { firstProblem } from './first-problem.ts';
import { ACCOUNT_EVENT_DATA, CONFIG_EVENT_DATA, MODEL_EVENT_DATA } from './stored-data.ts';
import { PRICE_LIST_EVENT_DATA } from './stored-price-lists.ts';
import { type LedgerStream, parseStream } from './streams.ts';
import { presentVersion, upcast, upcastsOf } from './upcasts.ts';

export type LedgerEvent =
  | {
      readonly category: 'account';
      readonly accountId: string;
      readonly event: AccountEvent;
      readonly context: EventContext;
    }
  | {
      readonly category: 'aiModel';
      readonly modelId: string;
      readonly event: ModelEvent;
      readonly context: EventContext;
    }
  | {
      readonly category: 'priceList';
      readonly kind: PriceKind;
      readonly event: PriceListEvent;
      readonly context: EventContext;
    }
  | {
      readonly category: 'pricingConfig';
      readonly event: ConfigLoadedEvent;
      readonly context: EventContext;
    };

export type LedgerEventType = LedgerEvent['event']['type'];

/** Of all streams that are ours; `stored-anchors.ts` reads the anchors. */
export type StoredEventType = LedgerEventType | 'LedgerAnchored';

/** What of an event in the log this package needs; `StoredEvent` of the event store fits. */
export interface EncodedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly data: unknown;
  readonly metadata: Readonly<Record<string, string>>;
}

/** An event that this version cannot read. Whoever meets one must stop: skipping it would falsify every sum after it. */
export class UnreadableEventError extends Error {
  override readonly name = 'UnreadableEventError';
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  constructor(stored: EncodedEvent, problem: string) {
    super(`cannot read event ${stored.revision} of ${stored.stream} (${stored.type}): ${problem}`);
    this.stream = stored.stream;
    this.revision = stored.revision;
    this.type = stored.type;
  }
}

/**
 * Reads one event of the log: checks its type, schema version, data and context; brings older shapes up to the
 * present one. Throws `UnreadableEventError`. On the hot path of the projector: no work twice.
 */
export function decodeStoredEvent(stored: EncodedEvent): LedgerEvent {
  const stream = parseStream(stored.stream);
  if (stream === null) throw new UnreadableEventError(stored, 'not a stream of the ledger');
  const context = decodeContext(stored);
  const data = decodeData(stored, stream.category);
  // The schema of this type has just passed on the data, so the pair is what the type says.
  switch (stream.category) {
    case 'account':
      return {
        category: 'account',
        accountId: stream.accountId,
        event: { type: stored.type, data } as AccountEvent,
        context,
      };
    case 'aiModel':
      return {
        category: 'aiModel',
        modelId: stream.modelId,
        event: { type: stored.type, data } as ModelEvent,
        context,
      };
    case 'priceList':
      return {
        category: 'priceList',
        kind: stream.kind,
        event: { type: stored.type, data } as PriceListEvent,
        context,
      };
    case 'pricingConfig':
      return {
        category: 'pricingConfig',
        event: { type: stored.type, data } as ConfigLoadedEvent,
        context,
      };
    default:
      return stream satisfies never;
  }
}

export type ActorType = 'client' | 'user' | 'system';

export interface EventOrigin {
  readonly eventType: StoredEventType;
  readonly context: EventContext;
  /** The verb that caused it, such as `hold`; `expire_due` for the sweeper. */
  readonly commandName: string;
  readonly actorType: ActorType;
  readonly actorId: string;
  readonly correlationId: string;
  readonly causationId: string;
}

/** The flat string map stored beside an event's data; the hash chain adds `prev_hash` and `hash`. */
export function encodeMetadata(origin: EventOrigin): Record<string, string> {
  return {
    schema: schemaName(origin.eventType),
    command_id: origin.context.command_id,
    command: origin.commandName,
    index: String(origin.context.index),
    request_hash: origin.context.request_hash,
    actor_type: origin.actorType,
    actor_id: origin.actorId,
    $correlationId: origin.correlationId,
    $causationId: origin.causationId,
    occurred_at: origin.context.occurred_at,
  };
}

export interface DecodedMetadata extends Omit<EventOrigin, 'eventType' | 'actorType'> {
  readonly schema: string;
  /** Any text: a newer writer may know actors that we do not. */
  readonly actorType: string;
}

/** The inverse of `encodeMetadata`. Throws `UnreadableEventError`. */
export function decodeMetadata(stored: EncodedEvent): DecodedMetadata {
  const text = (key: string): string => {
    const value = stored.metadata[key];
    if (value === undefined) throw new UnreadableEventError(stored, `metadata.${key} is missing`);
    return value;
  };
  return {
    schema: text('schema'),
    context: decodeContext(stored),
    commandName: text('command'),
    actorType: text('actor_type'),
    actorId: text('actor_id'),
    correlationId: text('$correlationId'),
    causationId: text('$causationId'),
  };
}

const MAX_INDEX = 100_000;
const context = z.object({
  command_id: z.string().min(1),
  request_hash: z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hex digits' }),
  index: z.string().regex(/^(0|[1-9]\d{0,5})$/, { error: 'must be a whole number' }),
  occurred_at: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, {
    error: 'must be a UTC time with milliseconds',
  }),
});

function decodeContext(stored: EncodedEvent): EventContext {
  const parsed = context.safeParse(stored.metadata);
  if (!parsed.success) {
    const problem = firstProblem(parsed.error, '');
    throw new UnreadableEventError(stored, `metadata.${problem.field}: ${problem.message}`);
  }
  const { command_id, request_hash, index, occurred_at } = parsed.data;
  const place = Number(index);
  if (place > MAX_INDEX) throw new UnreadableEventError(stored, 'metadata.index is out of bounds');
  return { command_id, request_hash, index: place, occurred_at };
}

const DATA_SCHEMAS: Readonly<
  Record<LedgerStream['category'], Readonly<Record<string, z.ZodType>>>
> = {
  account: ACCOUNT_EVENT_DATA,
  aiModel: MODEL_EVENT_DATA,
  priceList: PRICE_LIST_EVENT_DATA,
  pricingConfig: CONFIG_EVENT_DATA,
};

/** Whether this version knows events of that type in that stream; whether it can read this one is another matter. */
export function isKnownEvent({ stream, type }: Pick<EncodedEvent, 'stream' | 'type'>): boolean {
  const name = parseStream(stream);
  return name !== null && schemaOf(name.category, type) !== undefined;
}

function schemaOf(category: LedgerStream['category'], type: string): z.ZodType | undefined {
  const schemas = DATA_SCHEMAS[category];
  return Object.hasOwn(schemas, type) ? schemas[type] : undefined;
}

function decodeData(stored: EncodedEvent, category: LedgerStream['category']): unknown {
  const schema = schemaOf(category, stored.type);
  if (schema === undefined)
    throw new UnreadableEventError(stored, `no such event in ${category} streams`);
  const parsed = schema.safeParse(upToDate(stored));
  if (parsed.success) return parsed.data;
  const problem = firstProblem(parsed.error, 'data');
  throw new UnreadableEventError(stored, `${problem.field}: ${problem.message}`);
}

export function schemaName(type: StoredEventType): string {
  return `${type}.v${presentVersion(type)}`;
}

function upToDate(stored: EncodedEvent): unknown {
  const result = upcast(
    stored.type,
    stored.metadata['schema'] ?? '',
    stored.data,
    upcastsOf(stored.type),
  );
  if (!result.ok) throw new UnreadableEventError(stored, result.problem);
  return result.data;
}
