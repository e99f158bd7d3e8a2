import { decodeStoredEvent } from '@points/contracts/stored-events';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import type { Book } from '@points/domain/testing/book';
import type { StoredEvent } from '@points/event-store/event-log';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { project } from '../projections.ts';
import type { PlacedEvent } from '../projections.ts';
import { createWorkingSet } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import { createLedgerWriter } from './ledger-writer.ts';
import type { LedgerWriter } from './ledger-writer.ts';

/** The events that this leaves in a log. */
export async function eventsOf(
  write: (writer: LedgerWriter) => void | Promise<void>,
): Promise<StoredEvent[]> {
  const eventLog = createInMemoryEventLog();
  const writer = createLedgerWriter(eventLog);
  await write(writer);
  await writer.flush();
  const page = await eventLog.readAll({
    afterPosition: null,
    streamPrefixes: LEDGER_STREAM_PREFIXES,
    maxCount: 10_000,
  });
  return [...page.events];
}

/** The rows that these events make. */
export function projected(events: readonly StoredEvent[]): WorkingSet {
  const set = createWorkingSet();
  for (const stored of events) project(set, placeOf(stored));
  return set;
}

export function placeOf(stored: StoredEvent): PlacedEvent {
  const { id: eventId, position, revision } = stored;
  return { ledgerEvent: decodeStoredEvent(stored), eventId, position, revision };
}

/** The rows after what is done in the book of account `a`. */
export async function rowsOf(act: (book: Book) => void): Promise<WorkingSet> {
  return projected(await eventsOf((writer) => act(writer.book('a'))));
}

/** Some of the events, in this order. */
export function pick(events: readonly StoredEvent[], order: readonly number[]): StoredEvent[] {
  return order.flatMap((place) => events[place] ?? []);
}
