import { decodeStoredEvent } from '@points/contracts/stored-events';
import type { AccountEvent } from '@points/domain/account/events';
import type { PlacedAccountEvent } from '@points/domain/account/recall-hold';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import type { AccountNumbers } from './reply.ts';

/** An event of a command, with the id that it has in the log. */
export interface AnswerEvent {
  readonly id: string;
  readonly event: AccountEvent;
}

/** The events of one command as they stand in the log, and when they were decided. */
export interface CommandInLog {
  readonly commandName: string;
  readonly events: readonly AnswerEvent[];
  readonly lastRevision: number;
  readonly position: bigint | null;
  readonly atMs: number;
}

/** Commands append at most so many events (expiries, overdue holds and their own). */
const COMMAND_EVENTS_MAX = 256;

/** Reads the command whose first event is at `revision`. Throws `StoreUnavailableError`. */
export async function readCommand(
  log: EventLog,
  stream: string,
  revision: number,
): Promise<CommandInLog> {
  const stored = await storedEventsOf(log, stream, revision);
  const last = stored.at(-1);
  if (last === undefined) throw new Error(`${stream} has no event at revision ${revision}`);
  return {
    commandName: last.metadata['command'] ?? '',
    events: stored.map((each) => ({ id: each.id, event: decodeAccountEvent(each).event })),
    lastRevision: last.revision,
    position: last.position,
    atMs: Date.parse(last.metadata['occurred_at'] ?? ''),
  };
}

/** The same events, each with its place. Throws `StoreUnavailableError`. */
export async function readCommandEvents(
  log: EventLog,
  stream: string,
  revision: number,
): Promise<PlacedAccountEvent[]> {
  return (await storedEventsOf(log, stream, revision)).map(decodeAccountEvent);
}

/** Revisions no further apart than this are read in one go. */
const READ_GAP_MAX = 64;

/** The events at these rising revisions, as far as the log has them. Throws `StoreUnavailableError`. */
export async function readRevisions(
  log: EventLog,
  stream: string,
  revisions: readonly number[],
): Promise<PlacedAccountEvent[]> {
  const wanted = new Set(revisions);
  const events: PlacedAccountEvent[] = [];
  for (const { first, last } of ranges(revisions)) {
    const range = { fromRevision: first, maxCount: last - first + 1 };
    for await (const stored of log.readStream(stream, range))
      if (wanted.has(stored.revision)) events.push(decodeAccountEvent(stored));
  }
  return events;
}

function ranges(revisions: readonly number[]): { first: number; last: number }[] {
  const found: { first: number; last: number }[] = [];
  for (const revision of revisions) {
    const range = found.at(-1);
    if (range !== undefined && revision - range.last <= READ_GAP_MAX) range.last = revision;
    else found.push({ first: revision, last: revision });
  }
  return found;
}

async function storedEventsOf(
  log: EventLog,
  stream: string,
  revision: number,
): Promise<StoredEvent[]> {
  const stored: StoredEvent[] = [];
  for await (const event of log.readStream(stream, {
    fromRevision: revision,
    maxCount: COMMAND_EVENTS_MAX,
  })) {
    const first = stored[0];
    if (first !== undefined && event.metadata['command_id'] !== first.metadata['command_id']) break;
    stored.push(event);
  }
  return stored;
}

function decodeAccountEvent(stored: StoredEvent): PlacedAccountEvent {
  const decoded = decodeStoredEvent(stored);
  if (decoded.category !== 'account') throw new Error(`${stored.stream} is not an account`);
  const { event, context } = decoded;
  return { event, context, revision: stored.revision };
}

/** The account's numbers right after the command; `held` is what then was not available. */
export function appliedBy(command: Pick<CommandInLog, 'events' | 'lastRevision' | 'position'>) {
  const last = command.events.at(-1)?.event.data;
  if (last === undefined) throw new Error('a command without events was applied');
  const { balance_after: balance, available_after: available } = last;
  const account: AccountNumbers = {
    balance,
    available,
    held: balance - available,
    revision: command.lastRevision,
  };
  return { account, position: command.position };
}
