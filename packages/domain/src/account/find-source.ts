import { mapGet } from '../persistent-map.ts';
import type { Source } from './account.ts';
import type { Draft } from './draft.ts';

export type FoundSource =
  | { readonly state: 'known'; readonly source: Source }
  | { readonly state: 'unknown' }
  /** It must be looked up (again): the outcome is `recall`. */
  | { readonly state: 'undecided' };

/**
 * Finds a recharge by its source_ref. Whether it was is known for ever; with `exact` what has become of it must be known
 * to the last event, too.
 */
export function findSource(
  sourceRef: string,
  { account, context }: Draft,
  { exact }: { readonly exact: boolean },
): FoundSource {
  const source = mapGet(account.sources, sourceRef);
  if (source !== undefined) return { state: 'known', source };
  const { sourcesForgottenThrough } = account.memory;
  if (sourcesForgottenThrough < 0) return { state: 'unknown' };
  const { recalled } = context;
  const needed = exact ? account.revision : sourcesForgottenThrough;
  if (recalled === undefined || recalled.appliedRevision < needed) return { state: 'undecided' };
  return recalled.source === null
    ? { state: 'unknown' }
    : { state: 'known', source: recalled.source };
}
