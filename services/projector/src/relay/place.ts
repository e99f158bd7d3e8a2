import { factOf } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import type { EventLog } from '@points/event-store/event-log';
import { holdsEvent, OtherLogError } from '../checkpoint.ts';
import type { AppliedEvent } from '../checkpoint.ts';
import type { StreamEnd } from './fact-stream.ts';

/** How many of the accounts' events come before a position of the log, and which one is the last of them. */
export interface Mark {
  /** That event is the fact of this number. */
  readonly sequence: number;
  readonly event: AppliedEvent;
}

/** Where publishing goes on. */
export interface Place {
  /** Number of the fact before. */
  readonly sequence: number;
  /** Position of its event; null = at the start of the log. */
  readonly position: bigint | null;
}

/** Events that are looked at in one read. */
const COUNT_PAGE_EVENTS = 2_048;

/**
 * Finds the place in the log after the last fact of the stream. That fact says it itself; when the stream is empty
 * because all facts were dropped for their age, the accounts' events are counted, from `mark` if that is not beyond.
 *
 * Throws OtherLogError when the log is not the one that the facts were made from. Throws StoreUnavailableError.
 */
export async function findPlace(
  eventLog: EventLog,
  end: StreamEnd,
  mark: Mark | null,
  signal: AbortSignal,
): Promise<Place> {
  const { sequence, fact } = end;
  if (fact !== null) {
    const event = eventOf(fact);
    await checkHolds(eventLog, event, 'the last fact', signal);
    return { sequence, position: event.position };
  }
  if (sequence === 0) return { sequence, position: null };
  if (mark === null || mark.sequence > sequence) return count(eventLog, START, sequence, signal);
  await checkHolds(eventLog, mark.event, 'an old fact', signal);
  const from = { sequence: mark.sequence, position: mark.event.position };
  return count(eventLog, from, sequence, signal);
}

export function eventOf({ stream, revision, id, position }: Fact): AppliedEvent {
  return { stream, revision, id, position: BigInt(position) };
}

const START: Place = { sequence: 0, position: null };

/** The place of the fact with number `sequence`, by counting on. */
async function count(
  eventLog: EventLog,
  from: Place,
  sequence: number,
  signal: AbortSignal,
): Promise<Place> {
  let { sequence: counted, position: afterPosition } = from;
  while (counted < sequence) {
    const page = await eventLog.readAll({
      afterPosition,
      streamPrefixes: LEDGER_STREAM_PREFIXES,
      maxCount: COUNT_PAGE_EVENTS,
      signal,
    });
    for (const event of page.events) {
      if (factOf(event) === null) continue;
      counted += 1;
      if (counted === sequence) return { sequence, position: event.position };
    }
    if (page.end) {
      throw new OtherLogError(
        `different or restored event store: it holds ${counted} events of accounts, but ${sequence} facts were ` +
          'published. Connect the right store; for one that was restored on purpose see docs/operations.md.',
      );
    }
    afterPosition = page.position;
  }
  return { sequence: counted, position: afterPosition };
}

async function checkHolds(
  eventLog: EventLog,
  event: AppliedEvent,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  if (await holdsEvent(eventLog, event, signal)) return;
  throw new OtherLogError(
    `different or restored event store: it does not hold event ${event.revision} of ${event.stream} at position ` +
      `${event.position}, which ${what} was made from. Connect the right store; for one that was restored on purpose ` +
      'see docs/operations.md.',
  );
}
