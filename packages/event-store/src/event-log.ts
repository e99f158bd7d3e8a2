/**
 * The event log as the ledger uses it: a few verbs, nothing of a vendor.
 *
 * Implementations: `eventstoredb.ts` (EventStoreDB / KurrentDB over gRPC) and `in-memory.ts`. Both pass
 * `contract/event-log.contract.ts`. Revisions are numbers (0 = first event of a stream); positions are bigint and
 * strictly rise along the whole log; they are different axes and never compared.
 */
export interface EventLog {
  /**
   * Appends all events atomically, or none.
   *
   * `expectedRevision` is the revision of the stream's last event, or `'no_stream'`. It is never optional. Event ids
   * are derived from content (see `hash-chain.ts`), so sending the identical batch again at the same revision answers
   * `appended` with the original position.
   *
   * Resolves to `conflict` when the stream is not at that revision: nothing of *this attempt* was written.
   * Throws `NotAppendedError` (surely not written) or `OutcomeUnknownError` (may or may not have been written).
   */
  append(
    stream: string,
    events: readonly EventToAppend[],
    expectedRevision: ExpectedRevision,
  ): Promise<AppendResult>;

  /**
   * From now on readers of this stream see its last event only, and the store may throw the others away. For caches:
   * never for a stream whose past anybody needs. `readAll` and `subscribeAll` may go on showing all events. Best called
   * before the first event; again changes nothing, and whoever has set something else for this stream is left alone.
   *
   * Throws as `append` does.
   */
  keepLastOnly(stream: string): Promise<void>;

  /** Events of one stream in order, from `fromRevision` (inclusive). A missing stream has no events. Throws `StoreUnavailableError`. */
  readStream(stream: string, options: ReadStreamOptions): AsyncIterable<StoredEvent>;

  /** The last event of a stream, or null. Throws `StoreUnavailableError`. */
  readLast(stream: string): Promise<StoredEvent | null>;

  /**
   * Pages through the log after `afterPosition` (exclusive; null = from the start), only streams with one of the
   * prefixes. `maxCount` bounds the events that are looked at, so a page may hold no match and yet not be the end.
   * `position` is how far the page has looked, matching or not: ask again from it. `end` is true when the log's end was
   * reached. Throws `StoreUnavailableError`.
   */
  readAll(options: ReadAllOptions): Promise<AllPage>;

  /**
   * Position of the log's last event, of whatever stream, the server's own too; null when the log is empty. Reading up to
   * it, whatever is appended meanwhile, gives the log as it was at one moment. Throws `StoreUnavailableError`.
   */
  readLastPosition(): Promise<bigint | null>;

  /**
   * Live events after `afterPosition` (exclusive), in order, until the subscription ends. It ends for many reasons
   * (cut connection, slow consumer, server restart): the iterator then throws `SubscriptionEndedError`; the caller
   * goes on from the last position it has seen. Stop early by aborting `signal`, which ends the iteration quietly.
   */
  subscribeAll(options: SubscribeAllOptions): AsyncIterable<LiveEvent>;

  close(): Promise<void>;
}

export type ExpectedRevision = number | 'no_stream';

export interface EventToAppend {
  /** UUID. */
  readonly id: string;
  readonly type: string;
  readonly data: JsonObject;
  /** Flat map of strings. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface StoredEvent extends EventToAppend {
  readonly stream: string;
  readonly revision: number;
  readonly position: bigint;
  /** The store's own clock, ms since the epoch. */
  readonly createdMs: number;
}

export type AppendResult =
  | {
      readonly outcome: 'appended';
      /** Position of the append's last event; null when the store no longer knows it. */
      readonly position: bigint | null;
      readonly revision: number;
    }
  | { readonly outcome: 'conflict' };

export interface ReadStreamOptions {
  readonly fromRevision: number;
  readonly maxCount?: number;
  /** Stops the read, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ReadAllOptions {
  readonly afterPosition: bigint | null;
  readonly streamPrefixes: readonly string[];
  readonly maxCount: number;
  /** Stops the read, which then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface AllPage {
  readonly events: readonly StoredEvent[];
  /** Null only when the log is empty. */
  readonly position: bigint | null;
  readonly end: boolean;
}

export interface SubscribeAllOptions {
  readonly afterPosition: bigint | null;
  readonly streamPrefixes: readonly string[];
  readonly signal: AbortSignal;
}

export type LiveEvent =
  | { readonly kind: 'event'; readonly event: StoredEvent }
  /** Nothing that matches lies before this position. */
  | { readonly kind: 'checkpoint'; readonly position: bigint }
  /** All that was in the log when the subscription started has been delivered; may come again after a lag. */
  | { readonly kind: 'caught_up' };

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The append was surely not written; `retryable` says whether trying again later can help. */
export class NotAppendedError extends Error {
  override readonly name = 'NotAppendedError';
  readonly retryable: boolean;
  constructor(message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
  }
}

/** The append may or may not have been written: the only safe next step is the identical append at the same revision. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
}

/** A read could not be done. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}

/** A live subscription is over; go on from the last position seen. */
export class SubscriptionEndedError extends Error {
  override readonly name = 'SubscriptionEndedError';
}
