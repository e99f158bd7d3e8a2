import { mapGet } from '../persistent-map.ts';
import type { Draft } from './draft.ts';

/** Record ids are unique in the account; the next free number follows a collision, and 1 the largest. */
export function freeRecordId(minted: number, draft: Draft): number {
  let recordId = minted;
  while (mapGet(draft.account.recordIds, recordId) !== undefined)
    recordId = recordId < Number.MAX_SAFE_INTEGER ? recordId + 1 : 1;
  return recordId;
}
