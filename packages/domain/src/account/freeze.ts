import type { Freeze, Unfreeze } from './commands.ts';
import { type Draft, emit } from './draft.ts';
import { expireDueBatches } from './expire.ts';
import type { Verdict } from './verdict.ts';

/** Always leaves its trace in the log, also when the account is frozen (or not) already. */
export function freeze({ kind, reason, operator }: Freeze | Unfreeze, draft: Draft): Verdict {
  expireDueBatches(draft);
  const type = kind === 'Freeze' ? 'AccountFrozen' : 'AccountUnfrozen';
  emit(draft, { type, data: { reason, operator } });
  return { outcome: 'done' };
}
