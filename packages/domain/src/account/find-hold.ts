import { mapGet } from '../persistent-map.ts';
import type { OpenHold, SettledHold } from './account.ts';
import type { HoldReference } from './commands.ts';
import type { Draft } from './draft.ts';
import { judgeIdTime } from './id-time.ts';
import { type Verdict, refuse } from './verdict.ts';

export type FoundHold =
  | { readonly state: 'open'; readonly hold: OpenHold }
  | { readonly state: 'settled'; readonly hold: SettledHold }
  /** `holdId` is null when the hold was named by record id. */
  | { readonly state: 'unknown'; readonly holdId: string | null }
  | { readonly state: 'refused'; readonly verdict: Verdict };

/** Finds the hold that a settlement names. Only its owner or an admin may touch it. */
export function findHold(reference: HoldReference, draft: Draft): FoundHold {
  const { account, context } = draft;
  const holdId =
    'holdId' in reference
      ? reference.holdId
      : (mapGet(account.recordIds, reference.recordId) ?? null);
  if (holdId === null) return { state: 'unknown', holdId: null };
  const idTime = judgeIdTime(holdId, context.nowMs);
  if (idTime === 'in_future')
    return { state: 'refused', verdict: refuse('id_in_future', { field: 'hold_id' }) };
  if (idTime === 'too_old') return { state: 'refused', verdict: refuse('hold_not_found') };
  const open = mapGet(account.openHolds, holdId);
  const settled = mapGet(account.settledHolds, holdId);
  const owner = (open ?? settled)?.owner ?? null;
  if (owner !== null && owner !== context.client && !context.admin)
    return { state: 'refused', verdict: refuse('forbidden') };
  if (open !== undefined) return { state: 'open', hold: open };
  return settled === undefined ? { state: 'unknown', holdId } : { state: 'settled', hold: settled };
}
