import { mapGet } from '../persistent-map.ts';
import { formatTime } from '../time.ts';
import type { Account, BatchOrigin, ConfirmedOutcome, SettledHold } from './account.ts';
import { isDue, sumPoints } from './batches.ts';
import type { HoldReference, RefundCharge } from './commands.ts';
import { type Draft, emitRepaying } from './draft.ts';
import type { GraceBatch, RefundReturn, ReopenedBatch } from './events.ts';
import { expireDueBatches } from './expire.ts';
import { recall } from './find-hold.ts';
import { undoFunding } from './funding.ts';
import { refuseSettled } from './refuse-settled.ts';
import { graceOf } from './release-hold.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Gives back a charge, or a part of it, to where it came from. */
export function refundCharge(command: RefundCharge, draft: Draft): Verdict {
  const found = findCharge(command.hold, draft);
  if ('outcome' in found) return found;
  const { holdId, outcome } = found.charge;
  const refundable = outcome.charged - outcome.refunded;
  const points = command.points ?? refundable;
  if (points < 1 || points > refundable) return refuse('refund_exceeds_charge', { refundable });
  expireDueBatches(draft);
  refund(draft, holdId, outcome, {
    points,
    asFailure: false,
    reason: command.reason,
    ...(command.operator === undefined ? {} : { operator: command.operator }),
  });
  return { outcome: 'done' };
}

interface Refund {
  readonly points: number;
  readonly asFailure: boolean;
  readonly reason: string;
  readonly operator?: string;
}

/**
 * Undoes the funding of a confirmed hold, latest first: what is still debt is canceled, the rest goes back to its
 * batches, for due ones as grace batches. What is free then repays other debts. `points` is at most what is left of
 * the charge.
 */
export function refund(
  draft: Draft,
  holdId: string,
  charge: ConfirmedOutcome,
  { points, asFailure, reason, operator }: Refund,
): void {
  const debtCanceled = Math.min(points, debtOf(draft.account, holdId));
  const returns: RefundReturn[] =
    debtCanceled === 0 ? [] : [{ from: 'debt', to: 'debt', points: debtCanceled }];
  const grace: GraceBatch[] = [];
  const reopened: ReopenedBatch[] = [];
  for (const { batch, points: part } of undoFunding(charge.funding, points - debtCanceled).undone) {
    const to = isDue(batch, draft.nowMs) ? graceOf(draft, batch, part) : null;
    if (to !== null) grace.push(to);
    else if (isSpent(draft.account, batch, reopened)) reopened.push(reopenedBatch(batch));
    returns.push({ from: batch.batchId, to: to?.batch_id ?? batch.batchId, points: part });
  }
  const moved = {
    hold_id: holdId,
    points,
    refunded_total: charge.refunded + points,
    returns,
    grace,
    reopened,
    debt_canceled: debtCanceled,
    as_failure: asFailure,
    reason,
    ...(operator === undefined ? {} : { operator }),
    description: charge.refundDescription,
  };
  emitRepaying(draft, (debt_repaid) => ({
    type: 'PointsRefunded',
    data: { ...moved, debt_repaid },
  }));
}

interface Charge {
  readonly holdId: string;
  readonly outcome: ConfirmedOutcome;
}

/** The charge of a hold, however old; a late confirm's charge also goes by the id of the expired hold. */
function findCharge(reference: HoldReference, draft: Draft): { readonly charge: Charge } | Verdict {
  const { account } = draft;
  const named =
    'holdId' in reference ? reference.holdId : mapGet(account.recordIds, reference.recordId);
  // Nothing has been charged yet.
  if (named !== undefined && mapGet(account.openHolds, named) !== undefined)
    return refuse('refund_exceeds_charge', { refundable: 0 });
  const settled = named === undefined ? undefined : mapGet(account.settledHolds, named);
  if (settled === undefined) return recallCharge(draft);
  if (settled.outcome.status === 'canceled' && settled.outcome.late !== null) {
    const late = mapGet(account.settledHolds, settled.outcome.late.holdId);
    return late === undefined ? recallCharge(draft) : chargeOf(late);
  }
  return chargeOf(settled);
}

function recallCharge(draft: Draft): { readonly charge: Charge } | Verdict {
  const { account } = draft;
  if (account.memory.forgottenThrough < 0) return refuse('hold_not_found');
  const recalled = recall(draft);
  if (recalled === null) return { outcome: 'recall' };
  if (recalled.hold === null) return refuse('hold_not_found');
  // A late charge may be remembered when the hold that it is named by is not.
  const known = chargeOf(mapGet(account.settledHolds, recalled.hold.holdId) ?? recalled.hold);
  if ('outcome' in known) return known;
  return isCurrent(known.charge, recalled.appliedRevision, account) ? known : { outcome: 'recall' };
}

/** A forgotten charge can have changed since it was looked up: by a refund, or as its debt was repaid. */
function isCurrent(
  { holdId, outcome }: Charge,
  appliedRevision: number,
  account: Account,
): boolean {
  const owed = outcome.charged - outcome.refunded - sumPoints(outcome.funding);
  const refundedAt = mapGet(account.refunds, holdId) ?? -1;
  return refundedAt <= appliedRevision && debtOf(account, holdId) === owed;
}

function chargeOf(hold: SettledHold): { readonly charge: Charge } | Verdict {
  const { holdId, outcome } = hold;
  return outcome.status === 'confirmed' ? { charge: { holdId, outcome } } : refuseSettled(hold);
}

function debtOf(account: Account, debtRef: string): number {
  return account.debts.find((debt) => debt.debtRef === debtRef)?.points ?? 0;
}

/** Nothing is left of the batch, so the account no longer has it. */
function isSpent(
  account: Account,
  batch: BatchOrigin,
  reopened: readonly ReopenedBatch[],
): boolean {
  return (
    account.batches.every(({ batchId }) => batchId !== batch.batchId) &&
    reopened.every(({ batch_id }) => batch_id !== batch.batchId)
  );
}

function reopenedBatch(batch: BatchOrigin): ReopenedBatch {
  return {
    batch_id: batch.batchId,
    kind: batch.kind,
    points: batch.points,
    expires_at: batch.expiresMs === null ? null : formatTime(batch.expiresMs),
    created_at: formatTime(batch.createdMs),
    ...(batch.sourceRef === null ? {} : { source_ref: batch.sourceRef }),
    ...(batch.originBatchId === null ? {} : { origin_batch_id: batch.originBatchId }),
  };
}
