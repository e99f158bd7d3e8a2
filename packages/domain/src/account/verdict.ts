import type { Refusal, RefusalCode } from './commands.ts';

/** What became of one command; its events, if any, are in the draft. */
export type Verdict =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'duplicate'; readonly revision: number }
  | { readonly outcome: 'refused'; readonly refusal: Refusal }
  /** The command names something that the account may have forgotten; see `Decision`. */
  | { readonly outcome: 'recall' };

export function refuse(
  code: RefusalCode,
  details?: Refusal['details'],
): Verdict & { outcome: 'refused' } {
  return { outcome: 'refused', refusal: details === undefined ? { code } : { code, details } };
}
