import { mapGet, mapSet } from '../persistent-map.ts';
import type { Account, Batch } from './account.ts';
import { inSpendOrder } from './batches.ts';
import type { Allocation, DebtRepayment } from './events.ts';
import { funded } from './funding.ts';

/**
 * One event's changes to batches, debts and the running sums. Throws when a change cannot be: an event that does not
 * follow this state.
 */
export function openBooks(account: Account) {
  const batches = [...account.batches];
  let { debts, settledHolds, balance, held, debt } = account;

  function find(batchId: string): Batch {
    const batch = batches.find((each) => each.batchId === batchId);
    if (batch === undefined) throw new Error(`no points left in batch ${batchId}`);
    return batch;
  }

  function change(batchId: string, remainingDelta: number, pinnedDelta: number): void {
    const batch = find(batchId);
    const index = batches.indexOf(batch);
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

  function reduceDebt(index: number, points: number): void {
    const found = debts[index];
    if (found === undefined || found.points < points)
      throw new Error(`${points} points of a debt that is not there`);
    const left = { ...found, points: found.points - points };
    debts = [
      ...debts.slice(0, index),
      ...(left.points === 0 ? [] : [left]),
      ...debts.slice(index + 1),
    ];
    debt -= points;
  }

  /** If the charge that the debt came from is remembered, the repayment now pays for it. */
  function fund(debtRef: string, batch: Batch, points: number): void {
    const hold = mapGet(settledHolds, debtRef);
    if (hold?.outcome.status !== 'confirmed') return;
    const outcome = { ...hold.outcome, funding: funded(hold.outcome.funding, batch, points) };
    settledHolds = mapSet(settledHolds, debtRef, { ...hold, outcome });
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
    /** The inverse of `take`. */
    give(batchId: string, points: number): void {
      change(batchId, points, 0);
      balance += points;
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
        const oldest = debts[0];
        if (oldest?.debtRef !== debt_ref || oldest.points < points)
          throw new Error(`repayment of ${points} to ${debt_ref}, which is not the oldest debt`);
        fund(debt_ref, find(batch_id), points);
        change(batch_id, -points, 0);
        reduceDebt(0, points);
      }
    },
    owe(debtRef: string, points: number): void {
      if (points === 0) return;
      debts = [...debts, { debtRef, points }];
      debt += points;
      balance -= points;
    },
    cancelDebt(debtRef: string, points: number): void {
      if (points === 0) return;
      reduceDebt(
        debts.findIndex((each) => each.debtRef === debtRef),
        points,
      );
      balance += points;
    },
    close(): Account {
      return { ...account, batches, debts, settledHolds, balance, held, debt };
    },
  };
}
