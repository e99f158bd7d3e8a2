import { MAX_POINTS } from '../pricing/price-use.ts';
import { MAX_BALANCE, freePoints, splitAllocations, sumPoints, summarize } from './batches.ts';
import type { Adjust } from './commands.ts';
import { type Draft, emitRepaying, nextBatchId } from './draft.ts';
import type { NewBatch } from './events.ts';
import { expireDueBatches } from './expire.ts';
import { type Verdict, refuse } from './verdict.ts';

/** A correction by a person: up brings points that never expire, down takes free points and, forced, goes into debt. */
export function adjust(command: Adjust, draft: Draft): Verdict {
  const { delta, forced } = command;
  const { account, nowMs } = draft;
  if (delta === 0 || Math.abs(delta) > MAX_POINTS || wouldOverflow(delta, draft))
    return refuse('invalid_argument', { field: 'delta', max: MAX_POINTS });
  const { available, balance } = summarize(account, nowMs);
  if (delta < 0 && !forced && available < -delta)
    return refuse('insufficient_points', {
      required: -delta,
      available,
      balance,
      shortfall: -delta - available,
    });
  expireDueBatches(draft);
  const batch: NewBatch | null =
    delta > 0
      ? { batch_id: nextBatchId(draft), kind: 'adjust', points: delta, expires_at: null }
      : null;
  const wanted = Math.max(0, -delta);
  const { taken } = splitAllocations(freePoints(draft.account.batches, nowMs), wanted);
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

/** Sums stay safe integers, upwards and downwards. */
function wouldOverflow(delta: number, { account }: Draft): boolean {
  return delta > 0
    ? account.balance + account.debt + delta > MAX_BALANCE
    : account.debt - delta > MAX_BALANCE;
}
