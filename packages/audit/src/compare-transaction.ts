import type { Allocation, PointsHeld, RechargeSource } from '@points/domain/account/events';
import { WrongBooksError } from './books/wrong-books.ts';
import { expectedText } from './compare-row.ts';
import type { TextRow } from './compare-row.ts';
import type { AccountLedgerEvent } from './decode-account.ts';

/** The event has no words of its own; this is what users see. */
const EXPIRED_TEXT = '积分过期';

/** An account's event and its place. */
export interface PlacedAccountEvent extends Pick<AccountLedgerEvent, 'event' | 'context'> {
  readonly id: string;
  readonly position: bigint;
  readonly revision: number;
}

/** What of the account a transaction's row tells beside the event, all of it after the event. */
export interface TransactionState {
  readonly accountId: string;
  /** Row ids by batch_id. */
  readonly batchIds: ReadonlyMap<string, bigint>;
  readonly holds: ReadonlyMap<string, { readonly placed: PointsHeld }>;
  readonly sources: ReadonlyMap<
    string,
    { readonly source: RechargeSource; readonly order_no: string | null }
  >;
}

/** The row of `point_transactions` for an event that moved the balance; `state` is as after it. */
export function transactionRow(
  state: TransactionState,
  placed: PlacedAccountEvent,
  balance: { readonly before: number; readonly delta: number },
): TextRow {
  const { parts, ...words } = wordsOf(state, placed);
  const [first] = parts;
  return expectedText('point_transactions', {
    user_id: state.accountId,
    id: placed.position,
    delta: balance.delta,
    balance_before: balance.before,
    balance_after: balance.before + balance.delta,
    task_no: null,
    source_type: null,
    source_id: null,
    biz_type: null,
    batch_id: first === undefined ? null : found(state.batchIds, first.batch_id),
    batch_allocations: parts.map(({ batch_id, points }) => ({ batch_id, points })),
    duration: null,
    quantity: null,
    order_no: null,
    hold_id: null,
    operator: null,
    event_id: placed.id,
    occurred_at: placed.context.occurred_at,
    ...words,
  });
}

interface Words {
  readonly type: string;
  readonly description: string;
  /** The batches that it touched, in the order used. */
  readonly parts: readonly Allocation[];
  readonly task_no?: string;
  readonly source_type?: string | null;
  readonly source_id?: string | null;
  readonly biz_type?: string | null;
  readonly duration?: number | null;
  readonly quantity?: number | null;
  readonly order_no?: string | null;
  readonly hold_id?: string;
  readonly operator?: string | null;
}

function wordsOf(state: TransactionState, { event }: PlacedAccountEvent): Words {
  switch (event.type) {
    case 'PointsRecharged': {
      const { source, source_ref, order_no = null, batches, description } = event.data;
      const type = source === 'reward' ? 'reward' : 'recharge';
      const origin = { source_id: order_no ?? source_ref, order_no };
      return { type, ...origin, description, parts: batches };
    }
    case 'RechargeReversed': {
      const { source_ref, reason, operator, allocations } = event.data;
      const { source, order_no } = found(state.sources, source_ref);
      const type = source === 'reward' ? 'reward' : 'recharge';
      const origin = { source_id: order_no ?? source_ref, order_no };
      return { type, ...origin, description: reason, operator, parts: allocations };
    }
    case 'HoldConfirmed': {
      const { hold_id, requested_amount, quantity, duration_ms, description, allocations } =
        event.data;
      const { placed } = found(state.holds, hold_id);
      // Charged as it was announced, then what was announced is what was used.
      const announced = requested_amount === placed.amount ? placed : null;
      return {
        type: 'consume',
        ...workOf(state, hold_id),
        quantity: quantity ?? announced?.quantity ?? null,
        duration: seconds(duration_ms ?? announced?.estimated_duration_ms),
        description,
        parts: allocations,
      };
    }
    case 'BatchExpired':
      return { type: 'expire', description: EXPIRED_TEXT, parts: [event.data] };
    case 'PointsRefunded': {
      const { hold_id, returns, description, operator = null } = event.data;
      const parts = returns
        .filter(({ to }) => to !== 'debt')
        .map(({ to, points }) => ({ batch_id: to, points }));
      return { type: 'refund', ...workOf(state, hold_id), description, operator, parts };
    }
    case 'PointsAdjusted': {
      const { batch, allocations, reason, operator } = event.data;
      const parts = batch === null ? allocations : [batch];
      return { type: 'admin_adjust', description: reason, operator, parts };
    }
    case 'PointsHeld':
    case 'HoldCanceled':
    case 'HoldExtended':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
    case 'MembershipGranted':
    case 'MembershipRevoked':
      throw new Error(`${event.type} moves no balance`);
    default:
      return event satisfies never;
  }
}

/** What a charge and its refunds say of the work. */
function workOf(state: TransactionState, holdId: string) {
  const { placed } = found(state.holds, holdId);
  return {
    task_no: placed.task_no,
    source_type: placed.source_type ?? null,
    source_id: placed.biz_id ?? null,
    biz_type: placed.biz_type ?? null,
    hold_id: holdId,
  };
}

export function found<Row>(rows: ReadonlyMap<string, Row>, key: string): Row {
  const row = rows.get(key);
  if (row === undefined) throw new WrongBooksError(`there is no ${key} before this event`);
  return row;
}

export function seconds(durationMs: number | undefined): number | null {
  return durationMs === undefined ? null : durationMs / 1000;
}
