import type { AccountEvent } from '@points/domain/account/events';

/**
 * What one event, or many, moved, in the words of account.md §5 (N1, N2). Points; each is ≥ 0 for one event except
 * `held`.
 *
 * balance = paid + bonus + rewarded − reversed − consumed + refunded − expired + adjusted_up − adjusted_down (N1) and
 * debt = debt_incurred − debt_repaid − debt_canceled (N2).
 */
export interface Movement {
  paid: number;
  bonus: number;
  rewarded: number;
  reversed: number;
  consumed: number;
  refunded: number;
  expired: number;
  adjusted_up: number;
  adjusted_down: number;
  debt_incurred: number;
  debt_repaid: number;
  debt_canceled: number;
  /** Used, and not charged, because the hold's policy or the debt floor forbade it. Moves no balance. */
  waived: number;
  /** Change of what open holds reserve. Moves no balance. */
  held: number;
}

export function noMovement(): Movement {
  return {
    paid: 0,
    bonus: 0,
    rewarded: 0,
    reversed: 0,
    consumed: 0,
    refunded: 0,
    expired: 0,
    adjusted_up: 0,
    adjusted_down: 0,
    debt_incurred: 0,
    debt_repaid: 0,
    debt_canceled: 0,
    waived: 0,
    held: 0,
  };
}

/** The kinds, in the order of reports. */
export const MOVEMENT_KINDS = Object.keys(noMovement()) as readonly (keyof Movement)[];

/** Adds what an event says that it moved; judges nothing. */
export function addMovement(sum: Movement, event: AccountEvent): void {
  switch (event.type) {
    case 'PointsRecharged':
      for (const { kind, points } of event.data.batches) {
        if (kind === 'paid') sum.paid += points;
        else if (kind === 'bonus') sum.bonus += points;
        else sum.rewarded += points;
      }
      sum.debt_repaid += pointsOf(event.data.debt_repaid);
      return;
    case 'RechargeReversed':
      sum.reversed += event.data.points;
      sum.debt_incurred += event.data.debt_added;
      return;
    case 'PointsHeld':
      sum.held += event.data.amount;
      return;
    case 'HoldConfirmed':
      sum.held -= event.data.held_amount;
      sum.consumed += event.data.actual_amount;
      sum.waived += event.data.waived;
      sum.debt_incurred += event.data.debt_added;
      sum.debt_repaid += pointsOf(event.data.debt_repaid);
      return;
    case 'HoldCanceled':
      sum.held -= event.data.released;
      sum.debt_repaid += pointsOf(event.data.debt_repaid);
      return;
    case 'BatchExpired':
      sum.expired += event.data.points;
      return;
    case 'PointsRefunded':
      sum.refunded += event.data.points;
      sum.debt_canceled += event.data.debt_canceled;
      sum.debt_repaid += pointsOf(event.data.debt_repaid);
      return;
    case 'PointsAdjusted':
      if (event.data.delta > 0) sum.adjusted_up += event.data.delta;
      else sum.adjusted_down -= event.data.delta;
      sum.debt_incurred += event.data.debt_added;
      sum.debt_repaid += pointsOf(event.data.debt_repaid);
      return;
    case 'HoldExtended':
    case 'AccountFrozen':
    case 'AccountUnfrozen':
    case 'MembershipGranted':
    case 'MembershipRevoked':
      return;
    default:
      event satisfies never;
  }
}

/** N1. */
export function balanceOf(sum: Movement): number {
  const credited = sum.paid + sum.bonus + sum.rewarded + sum.refunded + sum.adjusted_up;
  return credited - sum.reversed - sum.consumed - sum.expired - sum.adjusted_down;
}

/** N2. */
export function debtOf(sum: Movement): number {
  return sum.debt_incurred - sum.debt_repaid - sum.debt_canceled;
}

function pointsOf(parts: readonly { readonly points: number }[]): number {
  let sum = 0;
  for (const { points } of parts) sum += points;
  return sum;
}
