import { mapGet } from '../persistent-map.ts';
import type { CanceledOutcome, ConfirmedOutcome, LateConfirm, SettledHold } from './account.ts';
import type { ConfirmHold } from './commands.ts';
import type { Draft } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import { findHold } from './find-hold.ts';
import { confirmLate } from './late-confirm.ts';
import { refuseSettled } from './refuse-settled.ts';
import { requestedPoints, settleOpenHold } from './settle-hold.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Charges what was really used and releases the rest. */
export function confirmHold(command: ConfirmHold, draft: Draft): Verdict {
  const found = findHold(command.hold, draft);
  if (found.state === 'undecided') return found.verdict;
  if (found.state === 'unknown') return refuse('hold_not_found');
  const requested = requestedPoints(found.hold, command.actual);
  if (typeof requested !== 'number') return requested;
  if (found.state === 'settled') return judgeSettled(found.hold, requested, command, draft);
  expireDueBatches(draft);
  return settleOpenHold(draft, found.hold, {
    requested,
    actual: command.actual,
    description: command.description,
  });
}

/** The columns "Confirm" of the decision table for a hold that has its outcome. */
function judgeSettled(
  hold: SettledHold,
  requested: number,
  command: ConfirmHold,
  draft: Draft,
): Verdict {
  const { outcome } = hold;
  const confirmed = outcome.status === 'confirmed' ? outcome : lateConfirm(outcome, command, draft);
  if (confirmed !== null)
    return confirmed.requested === requested
      ? { outcome: 'duplicate', revision: confirmed.revision }
      : refuse('hold_already_confirmed', { requested_amount: confirmed.requested });
  if (outcome.status === 'canceled' && outcome.expired !== null)
    return confirmLate(command, outcome.expired, outcome.atMs, requested, draft);
  return refuseSettled(hold);
}

/** A late confirm may have come after the hold was recalled from the log; then its own hold is still remembered. */
function lateConfirm(
  { late }: CanceledOutcome,
  command: ConfirmHold,
  { account }: Draft,
): LateConfirm | ConfirmedOutcome | null {
  const placed = mapGet(account.settledHolds, command.late.holdId)?.outcome;
  return late ?? (placed?.status === 'confirmed' ? placed : null);
}
