import { MAX_POINTS } from '../pricing/price-use.ts';
import { LAST_TIME_MS, endOfShanghaiDay, formatTime } from '../time.ts';
import { MAX_BALANCE } from './batches.ts';
import type { Expiry, Recharge } from './commands.ts';
import { type Draft, emitRepaying, nextBatchId } from './draft.ts';
import type { BatchKind, NewBatch } from './events.ts';
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
  const credited = {
    source: command.source,
    source_ref: command.sourceRef,
    batches,
    description: command.description,
    ...(command.orderNo === undefined ? {} : { order_no: command.orderNo }),
  };
  emitRepaying(draft, (debt_repaid) => ({
    type: 'PointsRecharged',
    data: { ...credited, debt_repaid },
  }));
  return { outcome: 'done' };
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
