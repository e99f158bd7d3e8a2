import type { Allocation, BalanceFields } from '@points/domain/account/events';
import type { HoldRow, TransactionRow } from '../rows.ts';
import { batchKey, holdKey, ProjectionError, sourceKey } from '../working-set.ts';
import type { Rows, WorkingSet } from '../working-set.ts';
import { ignored } from './account-projection.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';
import { seconds } from './holds.ts';

/** `point_transactions`: one row for every event that moved the balance, and none for any other. */
export const transactions: AccountProjection = {
  PointsRecharged(set, data, place) {
    record(set, place, data, data.batches, {
      type: data.source === 'reward' ? 'reward' : 'recharge',
      source_id: data.order_no ?? data.source_ref,
      order_no: data.order_no ?? null,
      description: data.description,
    });
  },
  // In red, as a book-keeper would: a negative row of what it takes back.
  RechargeReversed(set, data, place) {
    const source = find(set.sources, sourceKey(place.accountId, data.source_ref));
    record(set, place, data, data.allocations, {
      type: source.source === 'reward' ? 'reward' : 'recharge',
      source_id: source.order_no ?? data.source_ref,
      order_no: source.order_no,
      description: data.reason,
      operator: data.operator,
    });
  },
  PointsHeld: ignored,
  HoldConfirmed(set, data, place) {
    const hold = find(set.holds, holdKey(place.accountId, data.hold_id));
    // Charged as it was announced, then what was announced is what was used.
    const asAnnounced = data.requested_amount === hold.amount;
    record(set, place, data, data.allocations, {
      ...particularsOf(hold),
      type: 'consume',
      quantity: data.quantity ?? (asAnnounced ? hold.quantity : null),
      duration: seconds(data.duration_ms) ?? (asAnnounced ? hold.estimated_duration : null),
      description: data.description,
    });
  },
  HoldCanceled: ignored,
  HoldExtended: ignored,
  BatchExpired(set, data, place) {
    record(set, place, data, [data], { type: 'expire', description: EXPIRED_TEXT });
  },
  PointsRefunded(set, data, place) {
    const hold = find(set.holds, holdKey(place.accountId, data.hold_id));
    const returned = data.returns
      .filter(({ to }) => to !== 'debt')
      .map(({ to, points }) => ({ batch_id: to, points }));
    record(set, place, data, returned, {
      ...particularsOf(hold),
      type: 'refund',
      description: data.description,
      operator: data.operator ?? null,
    });
  },
  PointsAdjusted(set, data, place) {
    record(set, place, data, data.batch === null ? data.allocations : [data.batch], {
      type: 'admin_adjust',
      description: data.reason,
      operator: data.operator,
    });
  },
  AccountFrozen: ignored,
  AccountUnfrozen: ignored,
  MembershipGranted: ignored,
  MembershipRevoked: ignored,
};

/** The event has no words of its own; this is what users see. */
const EXPIRED_TEXT = '积分过期';

/** What a charge and its refunds say of the work. */
function particularsOf(hold: HoldRow) {
  return {
    task_no: hold.task_no,
    source_type: hold.source_type,
    source_id: hold.biz_id,
    biz_type: hold.biz_type,
    hold_id: hold.hold_id,
  };
}

function find<Row>(rows: Rows<Row>, key: string): Row {
  const row = rows.find(key);
  if (row === undefined) throw new ProjectionError(`there is no row ${key}`);
  return row;
}

type Particulars = Pick<TransactionRow, 'type' | 'description'> & Partial<TransactionRow>;

function record(
  set: WorkingSet,
  { accountId, eventId, position, context }: AccountPlace,
  balances: BalanceFields,
  parts: readonly Allocation[],
  particulars: Particulars,
): void {
  const delta = balances.balance_after - balances.balance_before;
  if (delta === 0) return;
  const [first] = parts;
  set.transactions.push({
    id: String(position),
    user_id: accountId,
    delta,
    balance_before: balances.balance_before,
    balance_after: balances.balance_after,
    task_no: null,
    source_type: null,
    source_id: null,
    biz_type: null,
    batch_id: (first && set.batches.find(batchKey(accountId, first.batch_id))?.id) ?? null,
    batch_allocations: parts.map(({ batch_id, points }) => ({ batch_id, points })),
    duration: null,
    quantity: null,
    order_no: null,
    hold_id: null,
    operator: null,
    event_id: eventId,
    occurred_at: context.occurred_at,
    ...particulars,
  });
}
