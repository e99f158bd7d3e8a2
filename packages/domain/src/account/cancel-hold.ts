import type { CancelHold } from './commands.ts';
import { type Draft, emit } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import { findHold } from './find-hold.ts';
import { releaseHold } from './release-hold.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Releases all that the hold pinned; nothing is charged. */
export function cancelHold(command: CancelHold, draft: Draft): Verdict {
  const found = findHold(command.hold, draft);
  switch (found.state) {
    case 'refused':
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
      if (found.hold.outcome.status === 'confirmed') return refuse('hold_already_confirmed');
      return { outcome: 'duplicate', revision: found.hold.outcome.revision };
    case 'open':
      expireDueBatches(draft);
      releaseHold(draft, found.hold, command.reason, command.note);
      expireDueBatches(draft);
      return { outcome: 'done' };
    default:
      return found satisfies never;
  }
}

function noteOf(command: CancelHold): { note?: string } {
  return command.note === undefined ? {} : { note: command.note };
}
