import type { HoldTerms } from '../pricing/resolve-price.ts';
import { mapGet, mapSize } from '../persistent-map.ts';
import { HOUR_MS, formatTime, shanghaiDay, uuidV7Time } from '../time.ts';
import type { Account, FirstAnswer, SettledHold } from './account.ts';
import { freePoints, splitAllocations, summarize } from './batches.ts';
import type { Consume, HoldPoints, HoldRequest } from './commands.ts';
import { requestedPoints, settleOpenHold } from './settle-hold.ts';
import { type Draft, emit } from './draft.ts';
import { cancelOverdueHolds, expireDueBatches } from './expire.ts';
import { recall } from './find-hold.ts';
import { freeUseAt } from './free-use.ts';
import { judgeIdTime } from './id-time.ts';
import { membershipAt } from './membership.ts';
import { mayBeForgotten } from './memory.ts';
import { freeRecordId } from './record-id.ts';
import { type Verdict, refuse } from './verdict.ts';

/** No extension reaches beyond this after the hold was placed. */
export const MAX_HOLD_LIFE_MS = 24 * HOUR_MS;

const RECORD_NUMBER_DIGITS = 10;
const RECORD_NUMBER_MODULUS = 10_000_000_000;

/** Reserves points: pins them in spend order, so that no other hold can count on them. */
export function holdPoints(command: HoldPoints, draft: Draft): Verdict {
  return judgeHoldId(command.hold, draft) ?? place(command.hold, draft, { limited: true });
}

/** Hold and confirm in one append: its callers never see a hold. Not counted against the limit of open holds. */
export function consume(command: Consume, draft: Draft): Verdict {
  const placed = judgeHoldId(command.hold, draft) ?? place(command.hold, draft, { limited: false });
  if (placed.outcome !== 'done') return placed;
  const hold = mapGet(draft.account.openHolds, command.hold.holdId);
  if (hold === undefined) throw new Error(`hold ${command.hold.holdId} was not placed`);
  const requested = requestedPoints(hold, command.actual);
  if (typeof requested !== 'number') return requested;
  return settleOpenHold(draft, hold, { requested, actual: command.actual });
}

/** The columns "Hold, same payload" and "Hold, other payload" of the decision table; null = an unknown hold id. */
function judgeHoldId(request: HoldRequest, draft: Draft): Verdict | null {
  const idTime = judgeIdTime(request.holdId, draft.context.receivedMs);
  if (idTime === 'in_future') return refuse('id_in_future', { field: 'hold_id' });
  if (idTime === 'too_old') return refuse('hold_id_too_old');
  const open = mapGet(draft.account.openHolds, request.holdId);
  if (open !== undefined)
    return samePayload(open, draft)
      ? { outcome: 'duplicate', revision: open.revision }
      : refuse('hold_id_reused');
  const settled = mapGet(draft.account.settledHolds, request.holdId);
  if (settled !== undefined) return judgeSettled(settled, draft);
  if (!mayBeForgotten(draft.account.memory, uuidV7Time(request.holdId))) return null;
  const recalled = recall(draft);
  if (recalled === null) return { outcome: 'recall' };
  return recalled.hold === null ? null : judgeSettled(recalled.hold, draft);
}

function judgeSettled(hold: SettledHold, draft: Draft): Verdict {
  if (hold.outcome.status === 'canceled' && hold.outcome.reason === 'tombstone')
    return refuse('hold_already_canceled');
  if (!samePayload(hold, draft)) return refuse('hold_id_reused');
  if (hold.outcome.status === 'confirmed') return refuse('hold_already_confirmed');
  return refuse(hold.outcome.reason === 'expired' ? 'hold_expired' : 'hold_already_canceled');
}

function samePayload(hold: FirstAnswer, draft: Draft): boolean {
  return hold.requestHash === draft.context.requestHash;
}

function place(
  request: HoldRequest,
  draft: Draft,
  options: { readonly limited: boolean },
): Verdict {
  expireDueBatches(draft);
  const terms = effectiveTerms(request.terms, draft.account, draft.nowMs);
  if (blocked(request, terms, draft, options) !== null) cancelOverdueHolds(draft);
  const refusal = blocked(request, terms, draft, options);
  if (refusal !== null) return refusal;
  // `blocked` has refused every request without terms.
  if ('code' in terms) return refuse(terms.code, terms.details);
  emitHeld(request, terms, draft);
  return { outcome: 'done' };
}

/** A member pays nothing for what is free to members; what it would have cost stays in the terms. */
export function effectiveTerms(
  terms: HoldRequest['terms'],
  account: Account,
  nowMs: number,
): HoldRequest['terms'] {
  const isFree =
    !('code' in terms) &&
    terms.memberFree &&
    terms.chargeMode === 'charged' &&
    membershipAt(account, nowMs) !== null;
  return isFree ? { ...terms, amount: 0, chargeMode: 'member_free' } : terms;
}

/** The first reason against the hold in the order frozen → limits → price → points, or null. */
function blocked(
  request: HoldRequest,
  terms: HoldRequest['terms'],
  draft: Draft,
  options: { readonly limited: boolean },
): Verdict | null {
  if (draft.account.frozen) return refuse('account_frozen');
  const limit = draft.context.limits.openHolds;
  if (options.limited && mapSize(draft.account.openHolds) >= limit)
    return refuse('too_many_open_holds', { limit });
  if ('code' in terms) return refuse(terms.code, terms.details);
  const capped = terms.chargeMode === 'member_free' ? capReached(draft) : null;
  if (capped !== null) return capped;
  if (request.maxAmount !== undefined && terms.amount > request.maxAmount) {
    return refuse('price_changed', { amount: terms.amount, max_amount: request.maxAmount });
  }
  const { available, balance } = summarize(draft.account, draft.nowMs);
  // Work that costs nothing is never refused for points, also in debt.
  if (terms.amount === 0 || available >= terms.amount) return null;
  return refuse('insufficient_points', {
    required: terms.amount,
    available,
    balance,
    shortfall: terms.amount - available,
  });
}

/** Fair use: how often in a day and a month what is free to members is free. */
function capReached({ account, context, nowMs }: Draft): Verdict | null {
  const { inDay, inMonth } = freeUseAt(account.freeUse, nowMs);
  const { perDay, perMonth } = context.limits.fairUse;
  if (perDay !== null && inDay >= perDay) return refuse('usage_cap_reached', { per_day: perDay });
  if (perMonth !== null && inMonth >= perMonth)
    return refuse('usage_cap_reached', { per_month: perMonth });
  return null;
}

function emitHeld(request: HoldRequest, terms: HoldTerms, draft: Draft): void {
  const recordId = freeRecordId(request.recordId, draft);
  const ttlMs = Math.min(request.ttlMs ?? terms.ttlMs, MAX_HOLD_LIFE_MS);
  emit(draft, {
    type: 'PointsHeld',
    data: {
      hold_id: request.holdId,
      record_id: recordId,
      amount: terms.amount,
      allocations: splitAllocations(freePoints(draft.account.batches, draft.nowMs), terms.amount)
        .taken,
      price: terms.price,
      charge_mode: terms.chargeMode,
      list_price: terms.listPrice,
      ...(request.sourceType === undefined ? {} : { source_type: request.sourceType }),
      ...(request.model === undefined ? {} : { model: request.model }),
      ...(request.bizType === undefined ? {} : { biz_type: request.bizType }),
      ...(request.bizId === undefined ? {} : { biz_id: request.bizId }),
      task_no: taskNo(recordId, draft.nowMs),
      ...(request.quantity === undefined ? {} : { quantity: request.quantity }),
      ...(request.estimatedDurationMs === undefined
        ? {}
        : { estimated_duration_ms: request.estimatedDurationMs }),
      overage: terms.overage,
      debt_floor: terms.debtFloor,
      failure_policy: terms.failurePolicy,
      late_confirm: 'if_available',
      description: request.description ?? terms.description,
      ...(terms.refundDescription === undefined
        ? {}
        : { refund_description: terms.refundDescription }),
      metadata: request.metadata,
      expires_at: formatTime(draft.nowMs + ttlMs),
      max_expires_at: formatTime(draft.nowMs + MAX_HOLD_LIFE_MS),
      owner: draft.context.client,
    },
  });
}

function taskNo(recordId: number, nowMs: number): string {
  return `TASK${shanghaiDay(nowMs)}${String(recordId % RECORD_NUMBER_MODULUS).padStart(RECORD_NUMBER_DIGITS, '0')}`;
}
