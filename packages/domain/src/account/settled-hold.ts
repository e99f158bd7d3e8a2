import type { FirstAnswer, HoldOutcome, OpenHold, SettledHold } from './account.ts';

/** What is kept of a hold when it has its outcome. */
export function settledHoldOf(hold: OpenHold, outcome: HoldOutcome): SettledHold {
  return {
    holdId: hold.holdId,
    recordId: hold.recordId,
    amount: hold.amount,
    price: hold.price,
    chargeMode: hold.chargeMode,
    owner: hold.owner,
    requestHash: hold.requestHash,
    revision: hold.revision,
    outcome,
  };
}

/** What is kept of a cancel that came before its hold. */
export function tombstoneOf(holdId: string, first: FirstAnswer, outcome: HoldOutcome): SettledHold {
  return {
    ...first,
    holdId,
    recordId: null,
    amount: 0,
    price: null,
    chargeMode: 'charged',
    owner: null,
    outcome,
  };
}
