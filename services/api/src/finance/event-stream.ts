import type { Readable } from 'node:stream';
import type { AuditEvent } from '@points/audit/audit-event';
import { formatLine } from '@points/audit/export-line';
import type { AuditLog } from '@points/audit/open-log';
import { accountEventsUpTo, eventsUpTo } from '@points/audit/pinned-log';
import { csvHead, csvLine } from './event-csv.ts';
import { toLogAnswer } from './event-log.ts';
import { type PacedTextBounds, pacedText } from './paced-text.ts';
import { inTurns } from './report-run.ts';

/** Each of the streams keeps two pages in memory: some 2 MB each of events as they usually are. */
const PAGE_EVENTS = 512;

export type EventFormat = 'ndjson' | 'csv';

export interface EventQuery {
  readonly userId: string | undefined;
  readonly type: string | undefined;
  /** Times of events, ISO-8601 UTC, both included; null = no bound. */
  readonly from: string | null;
  readonly to: string | null;
  /** Excluded. */
  readonly fromPosition: bigint | undefined;
  /** Included; null = the log is empty. */
  readonly pin: bigint | null;
  readonly format: EventFormat;
}

export interface EventStreamBounds extends PacedTextBounds {
  /** Between tries of a read that the store has failed; the client goes on by itself when they were in vain. */
  readonly retryPausesMs: readonly number[];
}

/**
 * The matching events as text, in the order of the log: lines of an export, or CSV. Reads the log as fast as the text is
 * taken. Fails when the store does, so that whoever has the beginning sees that there is no end.
 */
export function eventStream(
  log: AuditLog,
  query: EventQuery,
  { signal, stallTimeoutMs, retryPausesMs }: EventStreamBounds,
): Readable {
  return pacedText(
    (stop) => textOf(matching(log, query, { signal: stop, retryPausesMs }), query.format),
    { signal, stallTimeoutMs },
  );
}

async function* matching(
  log: AuditLog,
  query: EventQuery,
  bounds: Pick<EventStreamBounds, 'signal' | 'retryPausesMs'>,
): AsyncGenerator<AuditEvent, void> {
  const { userId, type, from, to, fromPosition, pin } = query;
  const afterPosition = fromPosition ?? null;
  const events =
    userId === undefined
      ? eventsUpTo(log, { pin, afterPosition, pageEvents: PAGE_EVENTS, ...bounds })
      : accountEventsUpTo(log, userId, { pin, signal: bounds.signal });
  try {
    for await (const event of inTurns(events, bounds.signal)) {
      if (afterPosition !== null && event.position <= afterPosition) continue;
      if (type !== undefined && event.type !== type) continue;
      if (isOutside(event, from, to)) continue;
      yield event;
    }
  } catch (error) {
    throw toLogAnswer(error);
  }
}

/** An event without a time is not outside of any: what is odd must not be hidden. */
function isOutside({ metadata }: AuditEvent, from: string | null, to: string | null): boolean {
  if (from === null && to === null) return false;
  const timeMs = Date.parse(metadata['occurred_at'] ?? '');
  return (from !== null && timeMs < Date.parse(from)) || (to !== null && timeMs > Date.parse(to));
}

async function* textOf(
  events: AsyncIterable<AuditEvent>,
  format: EventFormat,
): AsyncGenerator<string, void> {
  if (format === 'csv') yield csvHead();
  for await (const event of events)
    yield format === 'csv' ? csvLine(event) : `${formatLine(event)}\n`;
}
