import { type Account, type BatchOrigin, type Funding, originOf } from './account.ts';
import type { Allocation } from './events.ts';

/** What pays for a charge that is taken from these batches of the account, which still have the points. */
export function chargeFunding(account: Account, allocations: readonly Allocation[]): Funding[] {
  const funding: Funding[] = [];
  for (const { batch_id, points } of allocations) {
    const batch = account.batches.find(({ batchId }) => batchId === batch_id);
    if (batch === undefined) throw new Error(`no points left in batch ${batch_id}`);
    push(funding, { batch: originOf(batch), points });
  }
  return funding;
}

/** A repayment becomes the funding of the charge whose debt it repays. */
export function funded(funding: readonly Funding[], batch: BatchOrigin, points: number): Funding[] {
  const more = [...funding];
  push(more, { batch: originOf(batch), points });
  return more;
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
    if (last === undefined) throw new Error(`${wanted} points more than the charge are undone`);
    const part = Math.min(wanted, last.points);
    undone.push({ batch: last.batch, points: part });
    if (part < last.points) left.push({ batch: last.batch, points: last.points - part });
    wanted -= part;
  }
  return { undone, left };
}

/** Parts that follow one another from one batch are one part. */
function push(funding: Funding[], part: Funding): void {
  const last = funding.at(-1);
  if (last?.batch.batchId === part.batch.batchId)
    funding[funding.length - 1] = { batch: last.batch, points: last.points + part.points };
  else funding.push(part);
}
