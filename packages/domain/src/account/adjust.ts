import { MAX_POINTS } from '../pricing/price-use.ts';
import { MAX_BALANCE, freePoints, splitAllocations, sumPoints, summarize } from './batches.ts';
import type { Adjust } from './commands.ts';
import { type Draft, emitRepaying, nextBatchId } from './draft.ts';
import type { NewBatch } from './events.ts';
import { cancelOverdueHolds, expireDueBatches } from './expire.ts';
import { type Verdict, refuse } from './verdict.ts';

/** A correction by a person: up brings points that never expire, down takes free points and, forced, goes into debt. */
export function adjust(command: Adjust, draft: Draft): Verdict {
  const { delta, forced } = command;
  if (delta === 0 || Math.abs(delta) > MAX_POINTS || wouldOverflow(delta, draft))
    return refuse('invalid_argument', { field: 'delta', max: MAX_POINTS });
  expireDueBatches(draft);
  const needed = forced ? 0 : -delta;
  if (missing(needed, draft) > 0) cancelOverdueHolds(draft);
  const shortfall = missing(needed, draft);
  if (shortfall > 0) {
    const { available, balance } = summarize(draft.account, draft.nowMs);
    return refuse('insufficient_points', { required: needed, available, balance, shortfall });
  }
  const batch: NewBatch | null =
    delta > 0
      ? { batch_id: nextBatchId(draft), kind: 'adjust', points: delta, expires_at: null }
      : null;
  const wanted = Math.max(0, -delta);
  const { taken } = splitAllocations(freePoints(draft.account.batches, draft.nowMs), wanted);
  const moved = {
    delta,
    reason: command.reason,
    operator: command.operator,
    forced,
    batch,
    allocations: taken,
    debt_added: wanted - sumPoints(taken),
    debt_ref: `adjust:${command.context.commandId}`,
  };
  emitRepaying(draft, (debt_repaid) => ({
    type: 'PointsAdjusted',
    data: { ...moved, debt_repaid },
  }));
  return { outcome: 'done' };
}

/** How many points too few are available. */
function missing(points: number, { account, nowMs }: Draft): number {
  return points > 0 ? points - summarize(account, nowMs).available : 0;
}

/** Sums stay safe integers, upwards and downwards. */
function wouldOverflow(delta: number, { account }: Draft): boolean {
  return delta > 0
    ? account.balance + account.debt + delta > MAX_BALANCE
    : account.debt - delta > MAX_BALANCE;
}
