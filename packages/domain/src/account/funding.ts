import { type Account, type Batch, type Funding, originOf } from './account.ts';
import type { Allocation } from './events.ts';

/** What pays for a charge that is taken from these batches of the account, which still have the points. */
export function chargeFunding(account: Account, allocations: readonly Allocation[]): Funding[] {
  return allocations.map(({ batch_id, points }) => {
    const batch = account.batches.find(({ batchId }) => batchId === batch_id);
    if (batch === undefined) throw new Error(`no points left in batch ${batch_id}`);
    return { batch: originOf(batch), points };
  });
}

/** The last `points` of the funding, latest first, and what is left of it. */
export function undoFunding(
  funding: readonly Funding[],
  points: number,
): { readonly undone: Funding[]; readonly left: Funding[] } {
  const left = [...funding];
  const undone: Funding[] = [];
  let wanted = points;
  while (wanted > 0) {
    const last = left.pop();
    if (last === undefined) throw new Error(`${wanted} points more than the charge is undone`);
    const part = Math.min(wanted, last.points);
    undone.push({ batch: last.batch, points: part });
    if (part < last.points) left.push({ batch: last.batch, points: last.points - part });
    wanted -= part;
  }
  return { undone, left };
}

/** A repayment becomes the funding of the charge whose debt it repays. */
export function funded(funding: readonly Funding[], batch: Batch, points: number): Funding[] {
  return [...funding, { batch: originOf(batch), points }];
}
