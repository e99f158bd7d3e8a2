import type { SettledHold } from './account.ts';
import { type Verdict, refuse } from './verdict.ts';

/** What a command that needs an open (or a confirmed) hold hears of one that is settled. */
export function refuseSettled({ outcome }: SettledHold): Verdict {
  if (outcome.status === 'confirmed')
    return refuse('hold_already_confirmed', { requested_amount: outcome.requested });
  if (outcome.late !== null)
    return refuse('hold_already_confirmed', { requested_amount: outcome.late.requested });
  return refuse(outcome.reason === 'expired' ? 'hold_expired' : 'hold_already_canceled', {
    reason: outcome.reason,
  });
}
