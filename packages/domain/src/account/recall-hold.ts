import { parseTime } from '../time.ts';
import type {
  BatchOrigin,
  CanceledOutcome,
  FirstAnswer,
  Funding,
  HoldOutcome,
  OpenHold,
  SettledHold,
} from './account.ts';
import type {
  AccountEvent,
  Allocation,
  DebtRepayment,
  HoldConfirmed,
  PointsRefunded,
  RecordedAccountEvent,
} from './events.ts';
import { funded, undoFunding } from './funding.ts';
import { openHoldOf } from './open-hold.ts';
import { settledHoldOf, tombstoneOf } from './settled-hold.ts';

/** An event and where it stands in the account's stream. */
export interface PlacedAccountEvent extends RecordedAccountEvent {
  readonly revision: number;
}

/**
 * Rebuilds a hold that the account has forgotten: exactly what the account would remember of it. `events` are all that
 * concern the hold, in the order of the stream: it was placed, extended, settled, refunded, a late confirm came for it,
 * its debt was repaid. Others may be among them. `originOf` knows every batch that paid for it.
 *
 * Null when the events do not settle it. Throws when they cannot be those of one hold (tables that are not of this log).
 */
export function recallHold(
  holdId: string,
  events: readonly PlacedAccountEvent[],
  originOf: (batchId: string) => BatchOrigin,
): SettledHold | null {
  let open: OpenHold | null = null;
  let outcome: HoldOutcome | null = null;
  let buried: SettledHold | null = null;
  for (const { event, context, revision } of events) {
    const atMs = parseTime(context.occurred_at);
    const first = { requestHash: context.request_hash, revision: revision - context.index };
    if (event.type === 'PointsHeld' && event.data.hold_id === holdId) {
      open = openHoldOf(event.data, event.data.price, first, atMs);
    } else if (event.type === 'HoldExtended' && event.data.hold_id === holdId) {
      open = { ...needed(open, holdId), expiresMs: parseTime(event.data.expires_at) };
    } else if (event.type === 'HoldConfirmed' && event.data.hold_id === holdId) {
      outcome = chargeOf(event.data, first, needed(open, holdId), originOf);
    } else if (event.type === 'HoldConfirmed' && event.data.late_of === holdId) {
      outcome = withLate(outcome, event.data, first);
    } else if (event.type === 'HoldCanceled' && event.data.hold_id === holdId) {
      outcome = canceled(event.data.reason, first, atMs, open);
      if (open === null) buried = tombstoneOf(holdId, first, outcome);
    } else {
      outcome = repaid(outcome, holdId, repaymentsIn(event), originOf);
      if (event.type === 'PointsRefunded' && event.data.hold_id === holdId)
        outcome = refunded(outcome, event.data, first, atMs);
    }
  }
  if (buried !== null) return buried;
  return open === null || outcome === null ? null : settledHoldOf(open, outcome);
}

/** Batches whose origins `recallHold` asks for. */
export function batchesThatPaid(
  holdId: string,
  events: readonly PlacedAccountEvent[],
): readonly string[] {
  const paid = new Set<string>();
  for (const { event } of events) {
    if (event.type === 'HoldConfirmed' && event.data.hold_id === holdId)
      for (const { batch_id } of event.data.allocations) paid.add(batch_id);
    for (const { debt_ref, batch_id } of repaymentsIn(event))
      if (debt_ref === holdId) paid.add(batch_id);
  }
  return [...paid];
}

function chargeOf(
  data: HoldConfirmed,
  first: FirstAnswer,
  hold: OpenHold,
  originOf: (batchId: string) => BatchOrigin,
): HoldOutcome {
  return {
    status: 'confirmed',
    requested: data.requested_amount,
    revision: first.revision,
    charged: data.actual_amount,
    refunded: 0,
    funding: fundedBy([], data.allocations, originOf),
    refundDescription: hold.refundDescription ?? data.description,
  };
}

function fundedBy(
  funding: readonly Funding[],
  parts: readonly Allocation[],
  originOf: (batchId: string) => BatchOrigin,
): readonly Funding[] {
  return parts.reduce(
    (so, { batch_id, points }) => funded(so, originOf(batch_id), points),
    funding,
  );
}

function canceled(
  reason: CanceledOutcome['reason'],
  first: FirstAnswer,
  atMs: number,
  open: OpenHold | null,
): CanceledOutcome {
  return {
    status: 'canceled',
    reason,
    revision: first.revision,
    atMs,
    expired: reason === 'expired' ? open : null,
    late: null,
  };
}

function withLate(
  outcome: HoldOutcome | null,
  data: HoldConfirmed,
  first: FirstAnswer,
): HoldOutcome | null {
  if (outcome?.status !== 'canceled') return outcome;
  const late = {
    holdId: data.hold_id,
    requested: data.requested_amount,
    revision: first.revision,
  };
  return { ...outcome, late };
}

/** Repayments of the charge's debt become its funding. */
function repaid(
  outcome: HoldOutcome | null,
  holdId: string,
  repayments: readonly DebtRepayment[],
  originOf: (batchId: string) => BatchOrigin,
): HoldOutcome | null {
  const own = repayments.filter(({ debt_ref }) => debt_ref === holdId);
  if (outcome?.status !== 'confirmed' || own.length === 0) return outcome;
  return { ...outcome, funding: fundedBy(outcome.funding, own, originOf) };
}

function refunded(
  outcome: HoldOutcome | null,
  data: PointsRefunded,
  first: FirstAnswer,
  atMs: number,
): HoldOutcome {
  if (outcome?.status !== 'confirmed')
    throw new Error(`PointsRefunded of a hold that was not confirmed: ${data.hold_id}`);
  if (data.as_failure) return canceled('failed', first, atMs, null);
  return {
    ...outcome,
    refunded: data.refunded_total,
    funding: undoFunding(outcome.funding, data.points - data.debt_canceled).left,
  };
}

function repaymentsIn({ data }: AccountEvent): readonly DebtRepayment[] {
  return 'debt_repaid' in data ? data.debt_repaid : [];
}

function needed(open: OpenHold | null, holdId: string): OpenHold {
  if (open === null) throw new Error(`the events of hold ${holdId} do not begin with PointsHeld`);
  return open;
}
