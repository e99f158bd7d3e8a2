import { MAX_POINTS } from '../pricing/price-use.ts';
import { LAST_TIME_MS, endOfShanghaiDay, formatTime } from '../time.ts';
import type { Batch } from './account.ts';
import { MAX_BALANCE, freePoints, inSpendOrder, repayDebts } from './batches.ts';
import type { Expiry, Recharge } from './commands.ts';
import { type Draft, emit, nextBatchId } from './draft.ts';
import type { BatchKind, DebtRepayment, NewBatch } from './events.ts';
import { expireDueBatches } from './expire.ts';
import { findSource } from './find-source.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Credits paid and bonus points (or a reward), then repays debt with them. */
export function recharge(command: Recharge, draft: Draft): Verdict {
  const found = findSource(command.sourceRef, draft, { exact: false });
  if (found.state === 'undecided') return { outcome: 'recall' };
  if (found.state === 'known') {
    if (found.source.requestHash !== command.context.requestHash)
      return refuse('source_ref_reused', { source_ref: command.sourceRef });
    return { outcome: 'duplicate', revision: found.source.revision };
  }
  const total = command.points + command.bonusPoints;
  if (
    total < 1 ||
    total > MAX_POINTS ||
    draft.account.balance + draft.account.debt + total > MAX_BALANCE
  ) {
    return refuse('invalid_argument', { field: 'points', max: MAX_POINTS });
  }
  const expiresMs = expiryOf(command.expiry, draft.nowMs);
  if (expiresMs !== null && !(expiresMs > draft.nowMs && expiresMs <= LAST_TIME_MS))
    return refuse('invalid_argument', { field: 'expires_at' });

  expireDueBatches(draft);
  const expires_at = expiresMs === null ? null : formatTime(expiresMs);
  const batches: NewBatch[] = [];
  const add = (kind: BatchKind, points: number): void => {
    if (points > 0) batches.push({ batch_id: nextBatchId(draft), kind, points, expires_at });
  };
  add(command.source === 'reward' ? 'reward' : 'paid', command.points);
  add('bonus', command.bonusPoints);
  emit(draft, {
    type: 'PointsRecharged',
    data: {
      source: command.source,
      source_ref: command.sourceRef,
      batches,
      debt_repaid: draft.account.debt === 0 ? [] : repaidBy(draft, batches, expiresMs),
      description: command.description,
      ...(command.orderNo === undefined ? {} : { order_no: command.orderNo }),
    },
  });
  return { outcome: 'done' };
}

/** What the new batches repay, taken in spend order; where there is debt, no older batch has free points. */
function repaidBy(
  draft: Draft,
  batches: readonly NewBatch[],
  expiresMs: number | null,
): DebtRepayment[] {
  const added = batches.map((batch): Batch => ({
    batchId: batch.batch_id,
    kind: batch.kind,
    points: batch.points,
    remaining: batch.points,
    pinned: 0,
    createdMs: draft.nowMs,
    expiresMs,
    sourceRef: null,
    originBatchId: null,
  }));
  return repayDebts(draft.account, freePoints(added.sort(inSpendOrder), draft.nowMs)).repaid;
}

function expiryOf(expiry: Expiry, nowMs: number): number | null {
  switch (expiry.kind) {
    case 'never':
      return null;
    case 'at':
      return expiry.atMs;
    case 'days':
      return endOfShanghaiDay(nowMs, expiry.days);
    default:
      return expiry satisfies never;
  }
}
