import { priceUse } from '../pricing/price-use.ts';
import type { OpenHold, SettledHold } from './account.ts';
import { MAX_BALANCE, freePoints, repayDebts, splitAllocations, sumPoints } from './batches.ts';
import type { ActualUse } from './commands.ts';
import { type Draft, emit } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import { type Verdict, refuse } from './verdict.ts';

/** The points that a use costs by the hold's own price; free holds cost nothing whatever is sent. */
export function requestedPoints(
  hold: OpenHold | SettledHold,
  actual: ActualUse,
): number | (Verdict & { outcome: 'refused' }) {
  if (hold.chargeMode !== 'charged') return 0;
  if (actual.kind === 'as_held' || hold.price === null) return hold.amount;
  const cost = priceUse(hold.price, actual);
  return cost.ok ? cost.points : refuse('invalid_argument', { field: cost.field });
}

export interface Settlement {
  readonly requested: number;
  /** The expired hold that this one is placed and confirmed for. */
  readonly lateOf?: string;
  readonly actual: ActualUse;
  readonly description?: string | undefined;
}

/** Confirms an open hold. Due batches have been expired already. */
export function settleOpenHold(draft: Draft, hold: OpenHold, settlement: Settlement): Verdict {
  const { requested } = settlement;
  const { taken, rest } = splitAllocations(hold.pins, requested);
  const overage = Math.max(0, requested - hold.amount);
  if (overage > 0 && hold.overage === 'reject') {
    return refuse('overage_rejected', { held_amount: hold.amount, requested_amount: requested });
  }
  const { extra, debtAdded } = coverOverage(draft, hold, overage);
  const charged = sumPoints(taken) + sumPoints(extra) + debtAdded;
  emit(draft, {
    type: 'HoldConfirmed',
    data: {
      hold_id: hold.holdId,
      held_amount: hold.amount,
      requested_amount: requested,
      actual_amount: charged,
      allocations: [...taken, ...extra],
      released: sumPoints(rest),
      overage: Math.max(0, charged - hold.amount),
      debt_added: debtAdded,
      waived: requested - charged,
      debt_repaid: repayDebts(draft.account, rest).repaid,
      ...(settlement.lateOf === undefined ? {} : { late_of: settlement.lateOf }),
      ...useFields(settlement.actual),
      description: settlement.description ?? hold.description,
    },
  });
  // Points released into a batch that ran out meanwhile are gone in the same append.
  expireDueBatches(draft);
  return { outcome: 'done' };
}

/** Where points beyond the pins come from: free points in spend order, then debt as far as the hold's policy lets it. */
function coverOverage(draft: Draft, hold: OpenHold, overage: number) {
  const { account, nowMs } = draft;
  // While there is debt there are no free points, so `cap` never takes more than is available.
  const { taken } = splitAllocations(freePoints(account.batches, nowMs), overage);
  if (hold.overage === 'cap') return { extra: taken, debtAdded: 0 };
  const room = Math.max(0, Math.min(hold.debtFloor ?? MAX_BALANCE, MAX_BALANCE) - account.debt);
  return { extra: taken, debtAdded: Math.min(overage - sumPoints(taken), room) };
}

function useFields(actual: ActualUse): { quantity?: number; duration_ms?: number } {
  if (actual.kind === 'quantity') return { quantity: actual.quantity };
  return actual.kind === 'duration' ? { duration_ms: actual.durationMs } : {};
}
