import { mapGet } from '../persistent-map.ts';
import type { HoldOutcome, OpenHold } from './account.ts';
import type { CancelHold } from './commands.ts';
import { settleOpenHold } from './settle-hold.ts';
import { type Draft, emit } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import { findHold } from './find-hold.ts';
import { refund } from './refund-charge.ts';
import { releaseHold } from './release-hold.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Releases all that the hold pinned; nothing is charged. */
export function cancelHold(command: CancelHold, draft: Draft): Verdict {
  const found = findHold(command.hold, draft);
  switch (found.state) {
    case 'undecided':
      return found.verdict;
    case 'unknown':
      // A cancel that overtook its hold must win: the tombstone refuses the hold when it comes.
      if (found.holdId === null) return refuse('hold_not_found');
      expireDueBatches(draft);
      emit(draft, {
        type: 'HoldCanceled',
        data: {
          hold_id: found.holdId,
          reason: 'tombstone',
          ...noteOf(command),
          released: 0,
          debt_repaid: [],
          grace: [],
        },
      });
      return { outcome: 'done' };
    case 'settled':
      return judgeSettled(found.hold.outcome);
    case 'open':
      expireDueBatches(draft);
      if (chargesFirst(found.hold, command)) chargeAndRefund(draft, found.hold, command);
      else releaseHold(draft, found.hold, command.reason, command.note);
      expireDueBatches(draft);
      return { outcome: 'done' };
    default:
      return found satisfies never;
  }
}

/** The column "Cancel" of the decision table for a hold that has its outcome. */
function judgeSettled(outcome: HoldOutcome): Verdict {
  if (outcome.status === 'confirmed' || outcome.late !== null)
    return refuse('hold_already_confirmed');
  return { outcome: 'duplicate', revision: outcome.revision };
}

function chargesFirst(hold: OpenHold, command: CancelHold): boolean {
  return (
    command.reason === 'failed' && hold.failurePolicy === 'charge_then_refund' && hold.amount > 0
  );
}

/** Failed work shows in the statement: a charge and its refund, in one append. The hold counts as canceled. */
function chargeAndRefund(draft: Draft, hold: OpenHold, command: CancelHold): void {
  settleOpenHold(draft, hold, { requested: hold.amount, actual: { kind: 'as_held' } });
  const charge = mapGet(draft.account.settledHolds, hold.holdId)?.outcome;
  if (charge?.status !== 'confirmed') throw new Error(`hold ${hold.holdId} was not charged`);
  refund(draft, hold.holdId, charge, {
    points: charge.charged,
    asFailure: true,
    reason: command.note ?? '',
  });
}

function noteOf(command: CancelHold): { note?: string } {
  return command.note === undefined ? {} : { note: command.note };
}
