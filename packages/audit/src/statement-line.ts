import type {
  Allocation,
  BatchKind,
  CancelReason,
  ChargeMode,
  HoldPrice,
  PointsHeld,
} from '@points/domain/account/events';
import type { HistoryStep } from './account-history.ts';
import { type Movement, addMovement, noMovement } from './movement.ts';

/** What a line of a statement is, in the words of reports. */
export type LineKind =
  | 'recharge'
  | 'reward'
  | 'reversal'
  | 'hold'
  | 'charge'
  | 'release'
  | 'expiry'
  | 'refund'
  | 'adjustment';

/** One event that moved points or holds, with why. Points; times ISO-8601 UTC; positions decimal; null = has none. */
export interface StatementLine {
  readonly part: 'line';
  readonly time: string;
  readonly kind: LineKind;
  /** Type of the event. */
  readonly event: HistoryStep['event']['type'];
  readonly hold_id: string | null;
  readonly record_id: number | null;
  readonly task_no: string | null;
  readonly source_type: string | null;
  readonly model: string | null;
  /** Of a recharge, a reward, or the reversal of one. */
  readonly source_ref: string | null;
  readonly order_no: string | null;
  /** Where a recharge came from, or why a hold was released. */
  readonly reason: string | null;
  readonly description: string;
  readonly operator: string | null;
  readonly delta: number;
  readonly balance_before: number;
  readonly balance_after: number;
  readonly held_before: number;
  readonly held_after: number;
  readonly available_after: number;
  readonly debt_before: number;
  readonly debt_after: number;
  readonly batches: readonly BatchPart[];
  readonly price: LinePrice | null;
  /** Of a charge: what the use cost by the price, before any cap or floor. */
  readonly requested: number | null;
  readonly held_amount: number | null;
  readonly overage: number;
  readonly released: number;
  readonly waived: number;
  readonly debt_added: number;
  readonly debt_canceled: number;
  readonly debt_repaid: number;
  /** The expired hold that this one charges after all. */
  readonly late_of: string | null;
  /** The work failed: this charge and the refund beside it are one act. */
  readonly as_failure: boolean;
  readonly charge_mode: ChargeMode | null;
  readonly actor_type: string;
  readonly actor_id: string;
  readonly command: string;
  readonly command_id: string;
  /** Id of the event; null when the balance did not move. */
  readonly transaction_id: string | null;
  readonly event_id: string;
  readonly revision: number;
  readonly position: string;
}

/** What became of points of one batch. */
export interface BatchPart {
  readonly use: 'added' | 'pinned' | 'taken' | 'returned' | 'repaid' | 'expired';
  readonly batch_id: string;
  readonly kind: BatchKind;
  readonly points: number;
  readonly expires_at: string | null;
  readonly source_ref: string | null;
  /** Of a repayment: the debt that it pays. */
  readonly debt_ref: string | null;
  /** Of a grace batch: the due batch that it continues. */
  readonly origin_batch_id: string | null;
}

/** How the number of a hold or a charge came about. */
export interface LinePrice extends HoldPrice {
  readonly quantity: number | null;
  readonly duration_ms: number | null;
  /** By the price, before what was free and before any cap. */
  readonly points: number;
  /** `measured`: computed by the price; `given`: the caller said the number; `as_held`: what had been held. */
  readonly basis: 'measured' | 'given' | 'as_held';
}

export interface LineMaker {
  /** The line of an account's next event; null when it moved neither points nor holds. */
  next(step: HistoryStep): StatementLine | null;
}

/**
 * Makes lines of one account's events, all of them in order: later events name a hold only by its id, so what lines say
 * of it is remembered, some 300 bytes for each.
 */
export function createLineMaker(): LineMaker {
  const holds = new Map<string, HoldFacts>();
  return {
    next(step) {
      const { event } = step;
      if (event.type === 'PointsHeld') holds.set(event.data.hold_id, factsOf(event.data));
      const facts = factsFor(step, holds);
      return facts === null ? null : lineOf(step, facts);
    },
  };
}

type HoldFacts = Pick<
  PointsHeld,
  'hold_id' | 'record_id' | 'task_no' | 'description' | 'price' | 'charge_mode'
> & { readonly source_type: string | null; readonly model: string | null };

function factsOf(data: PointsHeld): HoldFacts {
  const { hold_id, record_id, task_no, description, price, charge_mode } = data;
  const { source_type = null, model = null } = data;
  return { hold_id, record_id, task_no, description, price, charge_mode, source_type, model };
}

type LineFacts = Pick<StatementLine, 'kind'> & Partial<StatementLine>;

function factsFor(
  { event, books }: HistoryStep,
  holds: ReadonlyMap<string, HoldFacts>,
): LineFacts | null {
  const parts = (use: BatchPart['use'], list: readonly Allocation[]): BatchPart[] =>
    list.map(({ batch_id, points }) => batchPart(books, use, batch_id, points));
  const { data } = event;
  const repaid = 'debt_repaid' in data ? data.debt_repaid : [];
  const repayments = repaid.map(({ batch_id, points, debt_ref }) =>
    batchPart(books, 'repaid', batch_id, points, debt_ref),
  );
  switch (event.type) {
    case 'PointsRecharged': {
      const { source, source_ref, order_no = null, batches, description } = event.data;
      return {
        kind: source === 'reward' ? 'reward' : 'recharge',
        source_ref,
        order_no,
        reason: source,
        description,
        batches: [...parts('added', batches), ...repayments],
      };
    }
    case 'RechargeReversed': {
      const { source_ref, allocations, debt_added, reason, operator } = event.data;
      return {
        kind: 'reversal',
        source_ref,
        description: reason,
        operator,
        batches: parts('taken', allocations),
        debt_added,
      };
    }
    case 'PointsHeld': {
      const { allocations, late_of = null } = event.data;
      const price = heldPrice(event.data);
      return {
        ...factsOf(event.data),
        kind: 'hold',
        batches: parts('pinned', allocations),
        price,
        late_of,
      };
    }
    case 'HoldConfirmed': {
      const { hold_id, requested_amount, held_amount, allocations } = event.data;
      const { overage, released, waived, debt_added, late_of = null } = event.data;
      const hold = holds.get(hold_id);
      const quantity = event.data.quantity ?? null;
      const duration_ms = event.data.duration_ms ?? null;
      const isMeasured = quantity !== null || duration_ms !== null;
      const basis: LinePrice['basis'] = isMeasured
        ? 'measured'
        : requested_amount === held_amount
          ? 'as_held'
          : 'given';
      const price = hold && {
        ...hold.price,
        quantity,
        duration_ms,
        points: requested_amount,
        basis,
      };
      return {
        ...hold,
        kind: 'charge',
        hold_id,
        price: price ?? null,
        description:
          event.data.description === '' ? (hold?.description ?? '') : event.data.description,
        batches: [...parts('taken', allocations), ...repayments],
        requested: requested_amount,
        held_amount,
        overage,
        released,
        waived,
        debt_added,
        late_of,
      };
    }
    case 'HoldCanceled': {
      const { hold_id, reason, released, grace, note = '' } = event.data;
      const hold = holds.get(hold_id);
      if (hold === undefined) return null;
      return {
        ...hold,
        price: null,
        kind: 'release',
        reason: reason satisfies CancelReason,
        description: note === '' ? hold.description : note,
        batches: [...parts('added', grace), ...repayments],
        released,
      };
    }
    case 'BatchExpired': {
      const { batch_id, points } = event.data;
      return { kind: 'expiry', batches: parts('expired', [{ batch_id, points }]) };
    }
    case 'PointsRefunded': {
      const { hold_id, returns, debt_canceled, reason, as_failure } = event.data;
      const back = returns
        .filter(({ to }) => to !== 'debt')
        .map(({ to, points }) => batchPart(books, 'returned', to, points));
      return {
        ...holds.get(hold_id),
        price: null,
        kind: 'refund',
        hold_id,
        reason,
        description: event.data.description,
        operator: event.data.operator ?? null,
        batches: [...back, ...repayments],
        debt_canceled,
        as_failure,
      };
    }
    case 'PointsAdjusted': {
      const { batch, allocations, debt_added, reason, operator } = event.data;
      const added = batch === null ? [] : parts('added', [batch]);
      return {
        kind: 'adjustment',
        description: reason,
        operator,
        batches: [...added, ...parts('taken', allocations), ...repayments],
        debt_added,
      };
    }
    case 'HoldExtended':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
    case 'MembershipGranted':
    case 'MembershipRevoked':
      return null;
    default:
      return event satisfies never;
  }
}

function lineOf(step: HistoryStep, facts: LineFacts): StatementLine {
  const { stored, event, context, before, books } = step;
  const { data } = event;
  const { actor_type = '', actor_id = '', command = '' } = stored.metadata;
  const delta = data.balance_after - data.balance_before;
  const moved = noMovement();
  addMovement(moved, event);
  return {
    part: 'line',
    time: context.occurred_at,
    event: event.type,
    hold_id: null,
    record_id: null,
    task_no: null,
    source_type: null,
    model: null,
    source_ref: null,
    order_no: null,
    reason: null,
    description: '',
    operator: null,
    charge_mode: null,
    batches: [],
    price: null,
    requested: null,
    held_amount: null,
    overage: 0,
    released: 0,
    waived: 0,
    debt_added: 0,
    debt_canceled: 0,
    late_of: null,
    as_failure: false,
    ...facts,
    delta,
    balance_before: data.balance_before,
    balance_after: data.balance_after,
    held_before: before.held,
    held_after: books.held(),
    available_after: data.available_after,
    debt_before: before.debt,
    debt_after: data.debt_after,
    debt_repaid: (moved satisfies Movement).debt_repaid,
    actor_type,
    actor_id,
    command,
    command_id: context.command_id,
    transaction_id: delta === 0 ? null : stored.id,
    event_id: stored.id,
    revision: stored.revision,
    position: String(stored.position),
  };
}

function batchPart(
  books: HistoryStep['books'],
  use: BatchPart['use'],
  batchId: string,
  points: number,
  debtRef: string | null = null,
): BatchPart {
  const batch = books.batches.get(batchId);
  if (batch === undefined) throw new Error(`the books know no batch ${batchId}`);
  return {
    use,
    batch_id: batchId,
    kind: batch.kind,
    points,
    expires_at: batch.expiresAt,
    source_ref: batch.sourceRef,
    debt_ref: debtRef,
    origin_batch_id: batch.originBatchId,
  };
}

function heldPrice({ price, quantity, estimated_duration_ms, list_price }: PointsHeld): LinePrice {
  return {
    ...price,
    quantity: quantity ?? null,
    duration_ms: estimated_duration_ms ?? null,
    points: list_price,
    basis: price.mode === 'amount' ? 'given' : 'measured',
  };
}
