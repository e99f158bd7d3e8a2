import type { Account, Batch } from './account.ts';
import { inSpendOrder } from './batches.ts';
import type { Allocation, DebtRepayment } from './events.ts';

/**
 * One event's changes to batches, debts and the running sums. Throws when a change cannot be: an event that does not
 * follow this state.
 */
export function openBooks(account: Account) {
  const batches = [...account.batches];
  let debts = account.debts;
  let { balance, held, debt } = account;

  function change(batchId: string, remainingDelta: number, pinnedDelta: number): void {
    const index = batches.findIndex((batch) => batch.batchId === batchId);
    const batch = batches[index];
    if (batch === undefined) throw new Error(`no points left in batch ${batchId}`);
    const remaining = batch.remaining + remainingDelta;
    const pinned = batch.pinned + pinnedDelta;
    if (pinned < 0 || pinned > remaining || remaining > batch.points) {
      throw new Error(
        `batch ${batchId}: ${pinned} pinned of ${remaining} remaining of ${batch.points}`,
      );
    }
    if (remaining === 0) batches.splice(index, 1);
    else batches[index] = { ...batch, remaining, pinned };
  }

  return {
    add(batch: Batch): void {
      const index = batches.findIndex((other) => inSpendOrder(batch, other) < 0);
      batches.splice(index === -1 ? batches.length : index, 0, batch);
      balance += batch.remaining;
    },
    take(allocations: readonly Allocation[]): void {
      for (const { batch_id, points } of allocations) {
        change(batch_id, -points, 0);
        balance -= points;
      }
    },
    pin(allocations: readonly Allocation[]): void {
      for (const { batch_id, points } of allocations) {
        change(batch_id, 0, points);
        held += points;
      }
    },
    unpin(pins: readonly Allocation[]): void {
      for (const { batch_id, points } of pins) {
        change(batch_id, 0, -points);
        held -= points;
      }
    },
    /** Moves points from batches to debts: both sides shrink, the balance stays. */
    repay(repayments: readonly DebtRepayment[]): void {
      for (const { debt_ref, batch_id, points } of repayments) {
        change(batch_id, -points, 0);
        const oldest = debts[0];
        if (oldest === undefined || oldest.debtRef !== debt_ref || oldest.points < points) {
          throw new Error(`repayment of ${points} to ${debt_ref}, which is not the oldest debt`);
        }
        debts =
          oldest.points === points
            ? debts.slice(1)
            : [{ debtRef: debt_ref, points: oldest.points - points }, ...debts.slice(1)];
        debt -= points;
      }
    },
    owe(debtRef: string, points: number): void {
      if (points === 0) return;
      debts = [...debts, { debtRef, points }];
      debt += points;
      balance -= points;
    },
    close(): Account {
      return { ...account, batches, debts, balance, held, debt };
    },
  };
}
