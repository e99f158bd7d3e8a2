import { eventMessage } from './event-message.ts';
import type { EventFilter } from './event-filter.ts';
import { TOMBSTONE_TYPE } from './events.ts';
import type { RecordedEvent } from './events.ts';
import type { LogStore } from './log-store.ts';
import { checkpointMessage } from './messages.ts';
import { absenceOf, isAfter, PAGE_EVENTS } from './stream-reads.ts';
import type { Position } from './stream-reads.ts';

/** Where a subscription's messages come from: first the past in pages, then what is published. */
export interface SubscriptionSource {
  /** False while there is a past to read. */
  readonly startsLive: boolean;
  /** The next piece of the past; `end` = nothing is left of it. */
  nextPage(): {
    readonly messages: readonly Uint8Array[];
    readonly end: boolean;
    readonly deleted: boolean;
  };
  /** Some of what has been published since; none = all has been taken. */
  nextLive(): { readonly messages: readonly Uint8Array[]; readonly deleted: boolean };
  /** How many messages wait to be taken live. */
  backlog(): number;
  /** What to send when a live subscriber has fallen behind and goes back to reading pages. */
  fallBehind(): readonly Uint8Array[];
}

export type SendEvent = (event: RecordedEvent) => readonly Uint8Array[];

/** The event, once, or as often as a test wants it. */
export function createSendEvent(isSentTwice: (stream: string) => boolean): SendEvent {
  return (event) => {
    const message = eventMessage(event);
    return isSentTwice(event.stream) ? [message, message] : [message];
  };
}

export interface AllSourceOptions {
  /** Exclusive; null = from the start. */
  readonly after: Position | 'end' | null;
  readonly filter: EventFilter;
  /** Null = unfiltered: there are no checkpoints then. */
  readonly checkpoints: { readonly searchWindow: number; readonly interval: number } | null;
  readonly send: SendEvent;
}

/**
 * `$all`. Checkpoints come when the real server sends them: after the page in which `interval` more events have been
 * looked at, when the past ends, and live after every `interval` events of any kind since the subscription began.
 */
export function createAllSource(log: LogStore, options: AllSourceOptions): SubscriptionSource {
  const { filter, checkpoints, send } = options;
  const liveFrom = log.length;
  const lastPosition = log.eventAt(liveFrom - 1)?.position ?? BEFORE_EVERYTHING.commit;
  let sent: Position =
    options.after === 'end' ? at(lastPosition) : (options.after ?? BEFORE_EVERYTHING);
  let index = log.firstIndexWhere((position) => isAfter(position, sent));
  let lookedAt = 0;
  let checkpointed: Position = BEFORE_EVERYTHING;
  let counted = 0;
  let countedTo = index;

  const checkpoint = (place: Position): readonly Uint8Array[] => {
    if (checkpoints === null || place === BEFORE_EVERYTHING || compare(place, checkpointed) <= 0)
      return [];
    checkpointed = place;
    return [checkpointMessage(place)];
  };
  /** Moves on by one event; null at the end of what is published. */
  const advance = (): { event: RecordedEvent; matches: boolean } | null => {
    const event = log.eventAt(index);
    if (event === null) return null;
    const matches = filter(event);
    if (matches && index < countedTo) counted -= 1;
    index += 1;
    return { event, matches };
  };
  const nextPage: SubscriptionSource['nextPage'] = () => {
    const messages: Uint8Array[] = [];
    const window = checkpoints?.searchWindow ?? Number.POSITIVE_INFINITY;
    const pageStart = startOf(log, index);
    let looked = 0;
    let matched = 0;
    let end = false;
    while (matched < PAGE_EVENTS && looked < window) {
      const next = advance();
      if (next === null) {
        end = true;
        break;
      }
      looked += 1;
      if (!next.matches) continue;
      matched += 1;
      messages.push(...send(next.event));
      sent = at(next.event.position);
    }
    // The page's start, not its end: that is what the real server says when nothing in the page matched.
    if (looked > 0 && compare(sent, pageStart) < 0) sent = pageStart;
    lookedAt += looked;
    if (checkpoints !== null && (end || lookedAt >= checkpoints.interval)) {
      lookedAt %= checkpoints.interval;
      messages.push(...checkpoint(sent));
    }
    return { messages, end, deleted: false };
  };

  return {
    startsLive: compare(sent, at(lastPosition)) >= 0,
    nextPage,
    nextLive: () => {
      const messages: Uint8Array[] = [];
      while (messages.length < PAGE_EVENTS) {
        const next = advance();
        if (next === null) break;
        const place = at(next.event.position);
        // A subscription may begin behind the end of the log; what lies before that is not for it.
        if (compare(place, sent) < 0) continue;
        if (next.matches && compare(place, sent) > 0) {
          messages.push(...send(next.event));
          sent = place;
        }
        if (
          checkpoints !== null &&
          index > liveFrom &&
          (index - liveFrom) % checkpoints.interval === 0
        ) {
          sent = place;
          messages.push(...checkpoint(place));
        }
      }
      return { messages, deleted: false };
    },
    backlog: () => {
      countedTo = Math.max(countedTo, index);
      for (let event = log.eventAt(countedTo); event !== null; event = log.eventAt(countedTo)) {
        if (filter(event)) counted += 1;
        countedTo += 1;
      }
      return counted;
    },
    fallBehind: () => checkpoint(sent),
  };
}

export interface StreamSourceOptions {
  readonly stream: string;
  /** Exclusive; −1 = from the start. */
  readonly after: number | 'end';
  readonly send: SendEvent;
}

/** One stream. A tombstone is delivered, and ends it. */
export function createStreamSource(
  log: LogStore,
  { stream, after, send }: StreamSourceOptions,
): SubscriptionSource {
  const streams = log.published;
  const lastAtStart = streams.lastRevision(stream);
  let revision = after === 'end' ? lastAtStart : after;
  /** Where to look for the tombstone, which has no revision of its own. */
  let index = log.length;
  const take = (limit: number, first: number): Uint8Array[] => {
    const messages: Uint8Array[] = [];
    revision = Math.max(revision, first - 1);
    for (let taken = 0; taken < limit; taken += 1) {
      const event = streams.event(stream, revision + 1);
      if (event === null) break;
      revision += 1;
      messages.push(...send(event));
    }
    return messages;
  };
  return {
    startsLive: revision >= lastAtStart,
    nextPage: () => {
      const absence = absenceOf(log, stream);
      if (absence !== null) return { messages: [], end: true, deleted: absence === 'deleted' };
      const messages = take(PAGE_EVENTS, streams.firstVisibleRevision(stream));
      return { messages, end: messages.length < PAGE_EVENTS, deleted: false };
    },
    nextLive: () => {
      const messages = take(PAGE_EVENTS, 0);
      if (messages.length > 0 || !streams.isTombstoned(stream)) return { messages, deleted: false };
      for (let event = log.eventAt(index); event !== null; event = log.eventAt(++index)) {
        if (event.stream === stream && event.type === TOMBSTONE_TYPE) messages.push(...send(event));
      }
      return { messages, deleted: true };
    },
    backlog: () => streams.lastRevision(stream) - revision,
    fallBehind: () => [],
  };
}

/** Less than any place in the log. */
const BEFORE_EVERYTHING: Position = { commit: -1, prepare: -1 };

function at(position: number): Position {
  return { commit: position, prepare: position };
}

/** Where a page that begins with this event begins: behind the event before, with nothing prepared yet. */
function startOf(log: LogStore, index: number): Position {
  return index === 0
    ? { commit: 0, prepare: 0 }
    : { commit: log.eventAt(index)?.position ?? log.endPosition, prepare: 0 };
}

function compare(a: Position, b: Position): number {
  return a.commit - b.commit || a.prepare - b.prepare;
}
