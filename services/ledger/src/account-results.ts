import type { Result } from '@points/contracts/ledger-replies';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import type { Account } from '@points/domain/account/account';
import type { AccountEvent, AccountEventType } from '@points/domain/account/events';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { mapGet } from '@points/domain/persistent-map';
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

export type AccountVerb = 'hold' | 'confirm' | 'cancel' | 'consume' | 'recharge';

export function isAccountVerb(name: string): name is AccountVerb {
  return ['hold', 'confirm', 'cancel', 'consume', 'recharge'].includes(name);
}

/**
 * The result of a command, from its events alone: the first answer and a repeated one are made by the same code from
 * the same events. `holdId` picks the hold where the events may name several. `account` only tells the record id,
 * which settlements do not carry.
 */
export function resultOf(
  verb: AccountVerb,
  events: readonly AnswerEvent[],
  account: Account,
  holdId?: string,
): Result {
  switch (verb) {
    case 'hold':
      return holdResult(find(events, 'PointsHeld', holdId));
    case 'confirm':
      return confirmResult(find(events, 'HoldConfirmed', holdId), account);
    case 'cancel': {
      const { hold_id, released } = find(events, 'HoldCanceled', holdId).data;
      return { hold_id, status: 'canceled', released };
    }
    case 'consume': {
      const held = find(events, 'PointsHeld', holdId).data;
      const confirmed = find(events, 'HoldConfirmed', holdId);
      return {
        record_id: held.record_id,
        task_no: held.task_no,
        amount: confirmed.data.actual_amount,
        charge_mode: held.charge_mode,
        ...transaction(confirmed),
      };
    }
    case 'recharge': {
      const { batches, debt_repaid } = find(events, 'PointsRecharged').data;
      return {
        batches: [...batches],
        debt_repaid: debt_repaid.reduce((sum, part) => sum + part.points, 0),
      };
    }
    default:
      return verb satisfies never;
  }
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

function holdResult({ data }: Found<'PointsHeld'>): Result {
  return {
    hold_id: data.hold_id,
    record_id: data.record_id,
    task_no: data.task_no,
    status: 'held',
    amount: data.amount,
    charge_mode: data.charge_mode,
    price: data.price,
    expires_at: data.expires_at,
  };
}

function confirmResult(found: Found<'HoldConfirmed'>, account: Account): Result {
  const { data } = found;
  const hold =
    mapGet(account.settledHolds, data.hold_id) ?? mapGet(account.openHolds, data.hold_id);
  if (hold?.recordId == null) throw new Error(`no record id of hold ${data.hold_id}`);
  return {
    hold_id: data.hold_id,
    record_id: hold.recordId,
    status: 'confirmed',
    held_amount: data.held_amount,
    amount: data.actual_amount,
    released: data.released,
    overage: data.overage,
    waived: data.waived,
    late: false,
    ...transaction(found),
  };
}

/** A transaction is an event that moved the balance. */
export function transaction(found: {
  id: string;
  data: { balance_before: number; balance_after: number };
}): { transaction_id?: string } {
  return found.data.balance_before === found.data.balance_after ? {} : { transaction_id: found.id };
}

type DataOf<Type extends AccountEventType> = Extract<AccountEvent, { type: Type }>['data'];

interface Found<Type extends AccountEventType> {
  readonly id: string;
  readonly data: DataOf<Type>;
}

/** The last event of that type, of that hold when one is given. Not finding it is a bug. */
export function find<Type extends AccountEventType>(
  events: readonly AnswerEvent[],
  type: Type,
  holdId?: string,
): Found<Type> {
  const found = events.findLast(
    ({ event }) =>
      event.type === type &&
      (holdId === undefined || ('hold_id' in event.data && event.data.hold_id === holdId)),
  );
  if (found === undefined) throw new Error(`no ${type} among the command's events`);
  // `find` has just compared the type.
  return { id: found.id, data: found.event.data as DataOf<Type> };
}
