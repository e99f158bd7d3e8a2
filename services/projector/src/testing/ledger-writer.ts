import { createHash } from 'node:crypto';
import { encodeMetadata } from '@points/contracts/stored-events';
import {
  accountStream,
  aiModelStream,
  PRICING_CONFIG_STREAM,
  priceListStream,
} from '@points/contracts/streams';
import type { AccountEvent, EventContext } from '@points/domain/account/events';
import type { ModelEvent } from '@points/domain/catalog/events';
import type { PriceListEvent } from '@points/domain/price-list/events';
import type { ConfigLoadedEvent } from '@points/domain/pricing/config';
import { openBook, START_MS, uuidAt } from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import type { EventLog } from '@points/event-store/event-log';
import { chainEvents, GENESIS_HASH } from '@points/event-store/hash-chain';

/** Writes to a log what the ledger would: accounts decided by the domain, models and config as told. */
export interface LedgerWriter {
  /** The account's book; what is done in it is appended by `flush`. */
  book(accountId: string): Book;
  model(event: ModelEvent): Promise<void>;
  price(event: PriceListEvent): Promise<void>;
  config(event: ConfigLoadedEvent): Promise<void>;
  /** Appends what the books have not appended yet. */
  flush(): Promise<void>;
  /** Appends one event as it is, right or wrong. */
  raw(stream: string, type: string, data: object, metadata?: Record<string, string>): Promise<void>;
}

/** As the ledger's appends. */
const APPEND_EVENTS = 100;

type AnyEvent = AccountEvent | ModelEvent | PriceListEvent | ConfigLoadedEvent;

export function createLedgerWriter(eventLog: EventLog): LedgerWriter {
  const books = new Map<string, { book: Book; appended: number }>();
  const ends = new Map<string, { revision: number; hash: string }>();

  async function append(
    stream: string,
    drafts: readonly { type: string; data: object; metadata: Record<string, string> }[],
  ): Promise<void> {
    const end = ends.get(stream) ?? { revision: -1, hash: GENESIS_HASH };
    const events = chainEvents(
      stream,
      end.revision + 1,
      end.hash,
      drafts.map((draft) => ({ ...draft, data: JSON.parse(JSON.stringify(draft.data)) })),
    );
    const expected = end.revision === -1 ? 'no_stream' : end.revision;
    const result = await eventLog.append(stream, events, expected);
    if (result.outcome !== 'appended') throw new Error(`conflict on ${stream}`);
    const hash = events.at(-1)?.metadata['hash'] ?? end.hash;
    ends.set(stream, { revision: end.revision + events.length, hash });
  }

  async function appendNext(stream: string, event: AnyEvent): Promise<void> {
    const revision = (ends.get(stream)?.revision ?? -1) + 1;
    await append(stream, [encode(event, contextAt(START_MS + revision))]);
  }

  return {
    book(accountId) {
      const known = books.get(accountId);
      if (known !== undefined) return known.book;
      const book = openBook();
      books.set(accountId, { book, appended: 0 });
      return book;
    },
    model: (event) => appendNext(aiModelStream(event.data.model_id), event),
    price: (event) => appendNext(priceListStream(event.data.kind), event),
    config: (event) => appendNext(PRICING_CONFIG_STREAM, event),
    async flush() {
      for (const [accountId, entry] of books) {
        const news = entry.book.events.slice(entry.appended);
        entry.appended = entry.book.events.length;
        if (news.length === 0) continue;
        const drafts = news.map(({ event, context }) => encode(event, context));
        for (let done = 0; done < drafts.length; done += APPEND_EVENTS) {
          await append(accountStream(accountId), drafts.slice(done, done + APPEND_EVENTS));
        }
      }
    },
    raw: (stream, type, data, metadata = metadataOf('BatchExpired', contextAt(START_MS))) =>
      append(stream, [{ type, data, metadata }]),
  };
}

/** The books' own hashes are words; the contracts want digests. */
export function requestDigest(words: string): string {
  return createHash('sha256').update(words).digest('hex');
}

function encode(event: AnyEvent, context: EventContext) {
  const request_hash = requestDigest(context.request_hash);
  return { ...event, metadata: metadataOf(event.type, { ...context, request_hash }) };
}

function metadataOf(eventType: AnyEvent['type'], context: EventContext): Record<string, string> {
  return encodeMetadata({
    eventType,
    context,
    commandName: 'test',
    actorType: 'client',
    actorId: 'ai-demo',
    correlationId: context.command_id,
    causationId: context.command_id,
  });
}

function contextAt(timeMs: number): EventContext {
  return {
    command_id: uuidAt(timeMs),
    request_hash: 'hash of a command',
    index: 0,
    occurred_at: new Date(timeMs).toISOString(),
  };
}
