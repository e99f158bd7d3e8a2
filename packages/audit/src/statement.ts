import {
  type AccountEvents,
  type HistoryStep,
  type Standing,
  accountHistory,
  standingOf,
  until,
} from './account-history.ts';
import { type Movement, addMovement, balanceOf, debtOf, noMovement } from './movement.ts';
import { type StatementLine, createLineMaker } from './statement-line.ts';

export interface StatementRequest {
  /** ISO-8601 UTC with milliseconds, inclusive; null = from the first event. */
  readonly from: string | null;
  /** Inclusive; null = to the last event. */
  readonly to: string | null;
  /** Where the log was pinned. */
  readonly position: bigint | null;
}

/** How the account stood before the first event of the time asked for. */
export interface StatementOpening extends Standing {
  readonly part: 'opening';
  readonly account_id: string;
  readonly position: string | null;
  readonly from: string | null;
  readonly to: string | null;
}

export interface StatementClosing extends Standing {
  readonly part: 'closing';
  readonly lines: number;
  /** Σ delta of the lines. */
  readonly delta: number;
  /** What all lines moved, by kind. */
  readonly sums: Movement;
  /** Opening + lines = closing, for balance, held and debt, and by the sums as well (N1, N2). */
  readonly adds_up: boolean;
  /** Last event before the end of that time; −1 = none. */
  readonly revision: number;
}

export type StatementPart = StatementOpening | StatementLine | StatementClosing;

/** Σ of what lines moved. */
interface Sums extends Standing {
  readonly movement: Movement;
  readonly lines: number;
}

/**
 * The statement of one account: the opening, a line for each event of that time that moved points or holds, the closing.
 * Lines come while the events are read; nothing is kept of them. The same events and request give the same parts.
 *
 * `events` are all of the account's from its first, up to the pin (`accountEventsUpTo`): what it had before is folded,
 * not believed. Throws BrokenHistoryError, also after lines were given, when they cannot be right; RangeError when
 * `accountId` is not an id.
 */
export async function* statement(
  accountId: string,
  events: AccountEvents,
  request: StatementRequest,
): AsyncGenerator<StatementPart, void> {
  const { from, to } = request;
  const lines = createLineMaker();
  const sums = { balance: 0, held: 0, debt: 0, lines: 0, movement: noMovement() };
  let opening: Standing | null = null;
  let last: HistoryStep | null = null;
  for await (const step of accountHistory(accountId, until(events, to))) {
    last = step;
    const line = lines.next(step);
    if (from !== null && step.context.occurred_at < from) continue;
    if (opening === null) {
      opening = step.before;
      yield openingPart(accountId, request, opening);
    }
    addMovement(sums.movement, step.event);
    if (line === null) continue;
    sums.balance += line.delta;
    sums.held += line.held_after - line.held_before;
    sums.debt += line.debt_after - line.debt_before;
    sums.lines += 1;
    yield line;
  }
  const end = last === null ? NOTHING : standingOf(last.books);
  if (opening === null) yield openingPart(accountId, request, (opening = end));
  yield {
    part: 'closing',
    ...end,
    lines: sums.lines,
    delta: sums.balance,
    sums: sums.movement,
    adds_up: addsUp(opening, sums, end),
    revision: last?.stored.revision ?? -1,
  };
}

const NOTHING: Standing = { balance: 0, held: 0, debt: 0 };

function openingPart(
  accountId: string,
  { from, to, position }: StatementRequest,
  opening: Standing,
): StatementOpening {
  return {
    part: 'opening',
    account_id: accountId,
    position: position === null ? null : String(position),
    from,
    to,
    ...opening,
  };
}

function addsUp(opening: Standing, sums: Sums, end: Standing): boolean {
  const { movement } = sums;
  return (
    opening.balance + sums.balance === end.balance &&
    opening.held + sums.held === end.held &&
    opening.debt + sums.debt === end.debt &&
    balanceOf(movement) === sums.balance &&
    debtOf(movement) === sums.debt &&
    movement.held === sums.held
  );
}
