import { mapGet } from '../persistent-map.ts';
import { recordIdTime, uuidV7Time } from '../time.ts';
import type { OpenHold, SettledHold } from './account.ts';
import type { HoldReference } from './commands.ts';
import type { Draft } from './draft.ts';
import { ID_MAX_AGE_MS, judgeIdTime } from './id-time.ts';
import { mayBeForgotten } from './memory.ts';
import { type Verdict, refuse } from './verdict.ts';

export type FoundHold =
  | { readonly state: 'open'; readonly hold: OpenHold }
  | { readonly state: 'settled'; readonly hold: SettledHold }
  /** `holdId` is null when the hold was named by record id. */
  | { readonly state: 'unknown'; readonly holdId: string | null }
  | { readonly state: 'undecided'; readonly verdict: Verdict };

/** Finds the hold that a settlement names. Only its owner or an admin may touch it. */
export function findHold(reference: HoldReference, draft: Draft): FoundHold {
  const { account, context } = draft;
  const holdId = holdIdOf(reference, draft);
  if (holdId === null) return findForgotten(reference, draft);
  const idTime = judgeIdTime(holdId, context.receivedMs);
  if (idTime === 'in_future')
    return { state: 'undecided', verdict: refuse('id_in_future', { field: 'hold_id' }) };
  if (idTime === 'too_old') return { state: 'undecided', verdict: refuse('hold_not_found') };
  const open = mapGet(account.openHolds, holdId);
  if (open !== undefined) return owned(open.owner, draft) ?? { state: 'open', hold: open };
  const settled = mapGet(account.settledHolds, holdId);
  if (settled !== undefined) return found(settled, draft);
  return findForgotten({ holdId }, draft);
}

function holdIdOf(reference: HoldReference, draft: Draft): string | null {
  return 'holdId' in reference
    ? reference.holdId
    : (mapGet(draft.account.recordIds, reference.recordId) ?? null);
}

/** A hold that the account does not know: it never was, or it was settled and is forgotten. */
function findForgotten(reference: HoldReference, draft: Draft): FoundHold {
  const unknown = {
    state: 'unknown',
    holdId: 'holdId' in reference ? reference.holdId : null,
  } as const;
  const madeMs =
    'holdId' in reference ? uuidV7Time(reference.holdId) : recordIdTime(reference.recordId);
  const { memory } = draft.account;
  // An id that carries no time may be of any age.
  if (madeMs === null ? memory.forgottenThrough < 0 : !mayBeForgotten(memory, madeMs))
    return unknown;
  if (madeMs !== null && madeMs < draft.context.receivedMs - ID_MAX_AGE_MS) return unknown;
  const recalled = recall(draft);
  if (recalled === null) return { state: 'undecided', verdict: { outcome: 'recall' } };
  return recalled.hold === null ? unknown : found(recalled.hold, draft);
}

/** What was recalled, or null when it must be looked up (again): the account has forgotten more since. */
export function recall(draft: Draft) {
  const { recalled } = draft.context;
  return recalled !== undefined && recalled.appliedRevision >= draft.account.memory.forgottenThrough
    ? recalled
    : null;
}

function found(hold: SettledHold, draft: Draft): FoundHold {
  return owned(hold.owner, draft) ?? { state: 'settled', hold };
}

function owned(owner: string | null, { context }: Draft): FoundHold | null {
  return owner === null || owner === context.client || context.admin
    ? null
    : { state: 'undecided', verdict: refuse('forbidden') };
}
