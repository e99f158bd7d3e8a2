import type { AccountEvent, PointsHeld, RechargeSource } from '@points/domain/account/events';
import { type AccountBooks, openAccountBooks } from './books/account-books.ts';
import { expectedText } from './compare-row.ts';
import type { ComparedTable, TextRow } from './compare-row.ts';
import { found, seconds, transactionRow } from './compare-transaction.ts';
import type { PlacedAccountEvent, TransactionState } from './compare-transaction.ts';
import { balanceOf } from './movement.ts';

/** The rows that the read tables must have of one account. */
export interface AccountRows {
  /** The account's next event. Throws WrongBooksError when it cannot be right; no rows are made of the account then. */
  apply(placed: PlacedAccountEvent): void;
  rows(): ReadonlyMap<ComparedTable, readonly TextRow[]>;
}

/** What the rows of one account are made of, beside its books. */
interface RowState extends TransactionState {
  readonly books: AccountBooks;
  /** Less what was taken back. */
  recharged: number;
  rewarded: number;
  firstPosition: bigint | null;
  last: PlacedAccountEvent | null;
  /** Row ids by batch_id: the position of the event that made it, plus its place in that event. */
  readonly batchIds: Map<string, bigint>;
  /** By batch_id: when points of it first expired. */
  readonly expiredAt: Map<string, string>;
  readonly holds: Map<string, HoldRow>;
  readonly sources: Map<string, SourceRow>;
  readonly memberships: Map<string, MembershipRow>;
  readonly tombstones: Map<string, Remembered>;
  readonly commands: Map<string, Remembered>;
  readonly transactions: TextRow[];
}

interface Remembered {
  readonly request_hash: string;
  readonly revision: number;
}

interface HoldRow {
  readonly placed: PointsHeld;
  readonly revision: number;
  readonly created_at: string;
  status: 'pending' | 'confirmed' | 'canceled';
  actual_amount: number | null;
  refunded: number;
  expires_at: string;
  reason: string | null;
  late_hold_id: string | null;
  settled_revision: number | null;
  settled_at: string | null;
  readonly revisions: number[];
}

interface SourceRow extends Remembered {
  readonly source: RechargeSource;
  readonly order_no: string | null;
  reversed_revision: number | null;
  readonly revisions: number[];
}

interface MembershipRow extends Remembered {
  readonly membership_type: string;
  readonly start_date: string;
  readonly end_date: string;
  revoked_at: string | null;
}

/**
 * What of an account is in the read tables, worked out from its events alone, by the audit's own books and by no code of
 * the projector.
 */
export function openAccountRows(accountId: string): AccountRows {
  const state: RowState = {
    accountId,
    books: openAccountBooks(),
    recharged: 0,
    rewarded: 0,
    firstPosition: null,
    last: null,
    batchIds: new Map(),
    expiredAt: new Map(),
    holds: new Map(),
    sources: new Map(),
    memberships: new Map(),
    tombstones: new Map(),
    commands: new Map(),
    transactions: [],
  };
  return {
    apply(placed) {
      const before = state.books.balance();
      state.books.apply(placed);
      const delta = state.books.balance() - before;
      state.firstPosition ??= placed.position;
      state.last = placed;
      const { command_id, request_hash, index } = placed.context;
      if (index === 0) state.commands.set(command_id, { request_hash, revision: placed.revision });
      madeBatches(placed.event).forEach(({ batch_id }, place) =>
        state.batchIds.set(batch_id, placed.position + BigInt(place)),
      );
      move(state, placed);
      if (delta !== 0) state.transactions.push(transactionRow(state, placed, { before, delta }));
    },
    rows: () => textRows(state),
  };
}

function madeBatches(event: AccountEvent): readonly { readonly batch_id: string }[] {
  if (event.type === 'PointsRecharged') return event.data.batches;
  if (event.type === 'PointsAdjusted') return event.data.batch === null ? [] : [event.data.batch];
  return 'grace' in event.data ? event.data.grace : [];
}

function move(state: RowState, placed: PlacedAccountEvent): void {
  const { event, context, revision } = placed;
  const commandRevision = revision - context.index;
  if ('debt_repaid' in event.data) {
    // Debts of reversals and adjustments are nobody's hold.
    const refs = new Set(event.data.debt_repaid.map(({ debt_ref }) => debt_ref));
    for (const ref of refs) state.holds.get(ref)?.revisions.push(revision);
  }
  switch (event.type) {
    case 'PointsRecharged': {
      const { source_ref, source, order_no = null, batches } = event.data;
      const points = batches.reduce((sum, batch) => sum + batch.points, 0);
      if (source === 'reward') state.rewarded += points;
      else state.recharged += points;
      state.sources.set(source_ref, {
        source,
        order_no,
        request_hash: context.request_hash,
        revision: commandRevision,
        reversed_revision: null,
        revisions: [revision],
      });
      return;
    }
    case 'RechargeReversed': {
      const source = found(state.sources, event.data.source_ref);
      if (source.source === 'reward') state.rewarded -= event.data.points;
      else state.recharged -= event.data.points;
      source.reversed_revision = commandRevision;
      source.revisions.push(revision);
      return;
    }
    case 'PointsHeld': {
      const { hold_id, late_of, expires_at } = event.data;
      if (late_of !== undefined) holdAt(state, placed, late_of).late_hold_id = hold_id;
      state.holds.set(hold_id, {
        placed: event.data,
        revision,
        created_at: context.occurred_at,
        status: 'pending',
        actual_amount: null,
        refunded: 0,
        expires_at,
        reason: null,
        late_hold_id: null,
        settled_revision: null,
        settled_at: null,
        revisions: [revision],
      });
      return;
    }
    case 'HoldConfirmed': {
      const { hold_id, late_of, actual_amount } = event.data;
      const settled = { settled_revision: commandRevision, settled_at: context.occurred_at };
      const hold = holdAt(state, placed, hold_id);
      Object.assign(hold, { status: 'confirmed', actual_amount, ...settled });
      if (late_of !== undefined) holdAt(state, placed, late_of);
      return;
    }
    case 'HoldCanceled': {
      const { hold_id, reason } = event.data;
      if (reason === 'tombstone') {
        const { request_hash } = context;
        if (!state.tombstones.has(hold_id))
          state.tombstones.set(hold_id, { request_hash, revision: commandRevision });
        return;
      }
      const settled = { settled_revision: commandRevision, settled_at: context.occurred_at };
      Object.assign(holdAt(state, placed, hold_id), { status: 'canceled', reason, ...settled });
      return;
    }
    case 'HoldExtended':
      holdAt(state, placed, event.data.hold_id).expires_at = event.data.expires_at;
      return;
    case 'BatchExpired': {
      const { batch_id } = event.data;
      if (!state.expiredAt.has(batch_id)) state.expiredAt.set(batch_id, context.occurred_at);
      const { sourceRef } = found(state.books.batches, batch_id);
      if (sourceRef !== null) found(state.sources, sourceRef).revisions.push(revision);
      return;
    }
    case 'PointsRefunded': {
      const { hold_id, refunded_total, as_failure } = event.data;
      const hold = holdAt(state, placed, hold_id);
      hold.refunded = refunded_total;
      if (as_failure)
        Object.assign(hold, { status: 'canceled', actual_amount: null, reason: 'failed' });
      return;
    }
    case 'MembershipGranted': {
      const { order_no, membership_type, starts_at, ends_at } = event.data;
      state.memberships.set(order_no, {
        membership_type,
        start_date: starts_at,
        end_date: ends_at,
        revoked_at: null,
        request_hash: context.request_hash,
        revision: commandRevision,
      });
      return;
    }
    case 'MembershipRevoked':
      // Ends every period that has not ended by itself, those of later too.
      for (const period of state.memberships.values())
        if (period.end_date > event.data.ended_at) period.revoked_at ??= event.data.ended_at;
      return;
    case 'PointsAdjusted':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
      return;
    default:
      event satisfies never;
  }
}

/** The hold's row, which says from now on that this event concerns it. */
function holdAt(state: RowState, { revision }: PlacedAccountEvent, holdId: string): HoldRow {
  const hold = found(state.holds, holdId);
  hold.revisions.push(revision);
  return hold;
}

function textRows(state: RowState): ReadonlyMap<ComparedTable, readonly TextRow[]> {
  const user_id = state.accountId;
  const own = <Row extends object>(
    table: ComparedTable,
    rows: ReadonlyMap<string, Row>,
    rowOf: (key: string, row: Row) => object,
  ): [ComparedTable, TextRow[]] => [
    table,
    [...rows].map(([key, row]) => expectedText(table, { user_id, ...row, ...rowOf(key, row) })),
  ];
  return new Map([
    ['user_points', accountRow(state)],
    own('point_batches', state.books.batches, (batch_id, batch) => ({
      batch_id,
      id: found(state.batchIds, batch_id),
      held: batch.pinned,
      expires_at: batch.expiresAt,
      source_ref: batch.sourceRef,
      origin_batch_id: batch.originBatchId,
      created_at: batch.createdAt,
      expired_at: state.expiredAt.get(batch_id),
    })),
    ['point_transactions', state.transactions],
    own('point_holds', state.holds, (_, { placed, expires_at }) => ({
      ...placed,
      expires_at,
      estimated_duration: seconds(placed.estimated_duration_ms),
    })),
    own('point_tombstones', state.tombstones, (hold_id) => ({ hold_id })),
    own('point_sources', state.sources, (source_ref) => ({ source_ref })),
    own('point_commands', state.commands, (command_id) => ({ command_id, account_id: user_id })),
    own('memberships', state.memberships, (order_no) => ({ order_no })),
  ]);
}

function accountRow({ accountId, books, ...state }: RowState): TextRow[] {
  if (state.last === null) return [];
  const { totals } = books;
  const dueTimes = [...books.batches.values()].flatMap(({ batchId, remaining, expiresAt }) =>
    remaining > 0 && expiresAt !== null && !state.expiredAt.has(batchId) ? expiresAt : [],
  );
  const row = {
    user_id: accountId,
    id: state.firstPosition,
    balance: balanceOf(totals),
    held: books.held(),
    available: books.balance() - books.held(),
    debt: books.debt(),
    total_recharged: state.recharged,
    total_rewarded: state.rewarded,
    total_reversed: totals.reversed,
    total_adjusted: totals.adjusted_up - totals.adjusted_down,
    total_consumed: totals.consumed,
    total_refunded: totals.refunded,
    total_expired: totals.expired,
    next_expires_at: dueTimes.sort()[0],
    frozen_at: books.frozenSince,
    ledger_version: state.last.revision,
    updated_at: state.last.context.occurred_at,
  };
  return [expectedText('user_points', row)];
}
