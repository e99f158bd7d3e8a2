import { freeOf, freePoints, isDue, splitAllocations, sumPoints } from './batches.ts';
import type { ReverseRecharge } from './commands.ts';
import { type Draft, emit } from './draft.ts';
import type { Allocation } from './events.ts';
import { expireDueBatches } from './expire.ts';
import { findSource } from './find-source.ts';
import { type Verdict, refuse } from './verdict.ts';

/** Takes back what a recharge credited and has not expired; what cannot be taken now becomes debt. Once per source. */
export function reverseRecharge(command: ReverseRecharge, draft: Draft): Verdict {
  const { sourceRef } = command;
  const found = findSource(sourceRef, draft, { exact: true });
  if (found.state === 'undecided') return { outcome: 'recall' };
  if (found.state === 'unknown') return refuse('recharge_not_found');
  const { source } = found;
  if (source.reversed !== null) return { outcome: 'duplicate', revision: source.reversed.revision };
  const expired = source.expired + dueOf(sourceRef, draft);
  expireDueBatches(draft);
  const owed = source.credited - expired;
  const { taken } = splitAllocations(ownFirst(sourceRef, draft), owed);
  emit(draft, {
    type: 'RechargeReversed',
    data: {
      source_ref: sourceRef,
      points: owed,
      expired_not_owed: expired,
      allocations: taken,
      debt_added: owed - sumPoints(taken),
      debt_ref: `reversal:${sourceRef}`,
      reason: command.reason,
      operator: command.operator,
    },
  });
  return { outcome: 'done' };
}

/** Free points of the source's due batches: they count as expired, whether this decision gets to them or not. */
function dueOf(sourceRef: string, { account, nowMs }: Draft): number {
  let due = 0;
  for (const batch of account.batches)
    if (batch.sourceRef === sourceRef && isDue(batch, nowMs)) due += freeOf(batch);
  return due;
}

/** Free points that are not due: the source's own first, then all others, each in spend order. */
function ownFirst(sourceRef: string, { account, nowMs }: Draft): Allocation[] {
  const own = account.batches.filter((batch) => batch.sourceRef === sourceRef);
  const others = account.batches.filter((batch) => batch.sourceRef !== sourceRef);
  return [...freePoints(own, nowMs), ...freePoints(others, nowMs)];
}
