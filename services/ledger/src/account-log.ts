import { decodeStoredEvent } from '@points/contracts/stored-events';
import type { AccountEvent } from '@points/domain/account/events';
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
  const stored: StoredEvent[] = [];
  for await (const event of log.readStream(stream, {
    fromRevision: revision,
    maxCount: COMMAND_EVENTS_MAX,
  })) {
    const first = stored[0];
    if (first !== undefined && event.metadata['command_id'] !== first.metadata['command_id']) break;
    stored.push(event);
  }
  const last = stored.at(-1);
  if (last === undefined) throw new Error(`${stream} has no event at revision ${revision}`);
  return {
    commandName: last.metadata['command'] ?? '',
    events: stored.map((each) => ({ id: each.id, event: accountEvent(each) })),
    lastRevision: last.revision,
    position: last.position,
    atMs: Date.parse(last.metadata['occurred_at'] ?? ''),
  };
}

function accountEvent(stored: StoredEvent): AccountEvent {
  const decoded = decodeStoredEvent(stored);
  if (decoded.category !== 'account') throw new Error(`${stored.stream} is not an account`);
  return decoded.event;
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
