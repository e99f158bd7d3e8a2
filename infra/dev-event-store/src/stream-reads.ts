import type { EventFilter } from './event-filter.ts';
import type { RecordedEvent } from './events.ts';
import type { LogStore } from './log-store.ts';

/**
 * Reads that end. They go page by page, like the real server's: every page sees the log as it is when it is asked for.
 */
export type ReadPage =
  | { readonly kind: 'events'; readonly events: readonly RecordedEvent[] }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'deleted' };

export interface StreamRead {
  readonly stream: string;
  /** Inclusive, in both directions; `end` only backwards. */
  readonly from: number | 'end';
  readonly backwards: boolean;
  readonly maxCount: number;
}

export const PAGE_EVENTS = 32;

export function* readStream(log: LogStore, read: StreamRead): Generator<ReadPage> {
  const { stream, backwards } = read;
  const streams = log.published;
  let revision = read.from === 'end' ? Number.MAX_SAFE_INTEGER : read.from;
  let left = read.maxCount;
  while (left > 0) {
    const absence = absenceOf(log, stream);
    if (absence !== null) {
      yield { kind: absence };
      return;
    }
    const first = streams.firstVisibleRevision(stream);
    const last = streams.lastRevision(stream);
    revision = backwards ? Math.min(revision, last) : Math.max(revision, first);
    const count = Math.min(
      PAGE_EVENTS,
      left,
      backwards ? revision - first + 1 : last - revision + 1,
    );
    if (count <= 0) return;
    const { maxAgeMs } = streams.metadata(stream);
    const oldestMs = maxAgeMs === null ? Number.NEGATIVE_INFINITY : Date.now() - maxAgeMs;
    const events: RecordedEvent[] = [];
    for (let taken = 0; taken < count; taken += 1, revision += backwards ? -1 : 1) {
      const event = streams.event(stream, revision);
      if (event !== null && event.createdMs >= oldestMs) events.push(event);
    }
    left -= events.length;
    yield { kind: 'events', events };
  }
}

/** Why there is nothing to read; null when the stream exists, though all its events may be hidden. */
export function absenceOf(log: LogStore, stream: string): 'deleted' | 'not_found' | null {
  const streams = log.published;
  if (streams.isTombstoned(stream)) return 'deleted';
  return streams.lastRevision(stream) < 0 || streams.metadata(stream).softDeleted
    ? 'not_found'
    : null;
}

/** A place in the log; events lie at equal commit and prepare positions, checkpoints may lie between events. */
export interface Position {
  readonly commit: number;
  readonly prepare: number;
}

/** Does something at `position` lie at or after `place`? */
export function isAtOrAfter(position: number, place: Position): boolean {
  return position > place.commit || (position === place.commit && position >= place.prepare);
}

export function isAfter(position: number, place: Position): boolean {
  return position > place.commit || (position === place.commit && position > place.prepare);
}

/**
 * The real server cannot read from the middle of a record; a position from another database mostly is one. 0 and
 * whatever lies behind the end are fine.
 */
export function isReadable(log: LogStore, place: Position): boolean {
  if (place.commit === 0 || place.commit >= log.endPosition) return true;
  const index = log.firstIndexWhere((position) => position >= place.commit);
  return log.eventAt(index)?.position === place.commit;
}

export interface AllRead {
  /** Inclusive forwards; backwards only what ends before it. `end` only backwards. */
  readonly from: Position | 'end';
  readonly backwards: boolean;
  readonly maxCount: number;
  readonly filter: EventFilter;
}

/** Events that match, in pages that may be empty. */
export function* readAll(log: LogStore, read: AllRead): Generator<ReadPage> {
  const { from, backwards, filter } = read;
  let index = from === 'end' ? log.length - 1 : startIndex(log, from, backwards);
  let left = read.maxCount;
  while (left > 0) {
    const events: RecordedEvent[] = [];
    let looked = 0;
    for (; looked < PAGE_EVENTS && events.length < left; looked += 1) {
      const event = index < 0 ? null : log.eventAt(index);
      if (event === null) break;
      if (filter(event)) events.push(event);
      index += backwards ? -1 : 1;
    }
    if (looked === 0) return;
    left -= events.length;
    yield { kind: 'events', events };
  }
}

function startIndex(log: LogStore, from: Position, backwards: boolean): number {
  const index = log.firstIndexWhere((position) => isAtOrAfter(position, from));
  return backwards ? index - 1 : index;
}
