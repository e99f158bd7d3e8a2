import type { Account } from './account.ts';
import { evolve } from './evolve.ts';
import { freePoints, repayDebts, summarize } from './batches.ts';
import type { CommandContext } from './commands.ts';
import type {
  AccountEvent,
  BalanceFields,
  DebtRepayment,
  EventContext,
  RecordedAccountEvent,
} from './events.ts';
import { formatTime } from '../time.ts';

/** A decision in the making: the events so far and the state after them. */
export interface Draft {
  readonly context: CommandContext;
  /** max(command time, time of the account's last event): an account's time never runs backwards. */
  readonly nowMs: number;
  readonly events: RecordedAccountEvent[];
  account: Account;
  newBatchCount: number;
  expiredBatchCount: number;
}

export function beginDraft(account: Account, context: CommandContext): Draft {
  return {
    context,
    nowMs: Math.max(context.nowMs, account.lastEventMs),
    events: [],
    account,
    newBatchCount: 0,
    expiredBatchCount: 0,
  };
}

/** `<command_id>:<n>`, n counting the batches that one command makes. */
export function nextBatchId(draft: Draft): string {
  return `${draft.context.commandId}:${draft.newBatchCount++}`;
}

export type WithoutBalances<Event extends AccountEvent> = Event extends AccountEvent
  ? { readonly type: Event['type']; readonly data: Omit<Event['data'], keyof BalanceFields> }
  : never;

/** Adds an event to the draft: folds it, and fills in the balances before and after. */
export function emit(draft: Draft, event: WithoutBalances<AccountEvent>): void {
  const context = contextOf(draft);
  const account = evolve(draft.account, { event: complete(event, NO_BALANCES), context });
  const balances: BalanceFields = {
    balance_before: draft.account.balance,
    balance_after: account.balance,
    available_after: summarize(account, draft.nowMs).available,
    debt_after: account.debt,
  };
  draft.events.push({ event: complete(event, balances), context });
  draft.account = account;
}

/**
 * Emits an event that frees or adds points: whatever is free after it repays debts, oldest first, in spend order, and
 * stands in the event itself.
 */
export function emitRepaying(
  draft: Draft,
  eventWith: (debtRepaid: readonly DebtRepayment[]) => WithoutBalances<AccountEvent>,
): void {
  const without = complete(eventWith([]), NO_BALANCES);
  const after = evolve(draft.account, { event: without, context: contextOf(draft) });
  emit(draft, eventWith(repayDebts(after, freePoints(after.batches, draft.nowMs)).repaid));
}

const NO_BALANCES: BalanceFields = {
  balance_before: 0,
  balance_after: 0,
  available_after: 0,
  debt_after: 0,
};

function contextOf(draft: Draft): EventContext {
  return {
    command_id: draft.context.commandId,
    request_hash: draft.context.requestHash,
    index: draft.events.length,
    occurred_at: formatTime(draft.nowMs),
  };
}

function complete(event: WithoutBalances<AccountEvent>, balances: BalanceFields): AccountEvent {
  // The union of `type` with the right `data` is lost by the spread, nothing else.
  return { type: event.type, data: { ...event.data, ...balances } } as AccountEvent;
}
