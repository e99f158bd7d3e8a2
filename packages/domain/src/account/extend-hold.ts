import { formatTime } from '../time.ts';
import type { ExtendHold } from './commands.ts';
import { type Draft, emit } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import { findHold } from './find-hold.ts';
import { refuseSettled } from './refuse-settled.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Lets an open hold live longer, also one that is overdue; never shorter, never beyond `max_expires_at`. */
export function extendHold(command: ExtendHold, draft: Draft): Verdict {
  const found = findHold(command.hold, draft);
  switch (found.state) {
    case 'undecided':
      return found.verdict;
    case 'unknown':
      return refuse('hold_not_found');
    case 'settled':
      return refuseSettled(found.hold);
    case 'open': {
      const { holdId, expiresMs, maxExpiresMs } = found.hold;
      expireDueBatches(draft);
      const wanted = Math.min(draft.nowMs + command.ttlMs, maxExpiresMs);
      emit(draft, {
        type: 'HoldExtended',
        data: {
          hold_id: holdId,
          previous_expires_at: formatTime(expiresMs),
          expires_at: formatTime(Math.max(expiresMs, wanted)),
        },
      });
      return { outcome: 'done' };
    }
    default:
      return found satisfies never;
  }
}
