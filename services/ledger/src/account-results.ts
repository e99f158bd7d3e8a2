import type { Result } from '@points/contracts/ledger-replies';
import type { AccountEvent, AccountEventType, DebtRepayment } from '@points/domain/account/events';
import type { AnswerEvent } from './account-log.ts';

const ACCOUNT_VERBS = [
  'hold',
  'confirm',
  'cancel',
  'extend',
  'consume',
  'recharge',
  'reward',
  'reverse_recharge',
  'refund',
  'adjust',
  'freeze',
  'unfreeze',
  'grant_membership',
  'revoke_membership',
] as const;

/** Commands to an account. */
export type AccountVerb = (typeof ACCOUNT_VERBS)[number];

export function isAccountVerb(name: string): name is AccountVerb {
  return ACCOUNT_VERBS.some((verb) => verb === name);
}

/** What a command's events do not tell by themselves. */
export interface HoldNames {
  /** The hold that the answer is about, where the events may name several; absent = the only one. */
  readonly holdId?: string | undefined;
  /** Its record id, which a confirm does not carry. */
  readonly recordId?: number | undefined;
}

/**
 * The result of a command, from its events alone: the first answer and a repeated one are made by the same code from
 * the same events.
 */
export function resultOf(
  verb: AccountVerb,
  events: readonly AnswerEvent[],
  names: HoldNames,
): Result {
  switch (verb) {
    case 'hold':
      return holdResult(find(events, 'PointsHeld', names.holdId));
    case 'confirm':
      return confirmResult(findConfirmed(events, names.holdId), names);
    case 'cancel':
      return cancelResult(events, names.holdId);
    case 'extend': {
      const { hold_id, expires_at } = find(events, 'HoldExtended', names.holdId).data;
      return { hold_id, expires_at };
    }
    case 'consume':
      return consumeResult(events, names.holdId);
    case 'recharge':
    case 'reward': {
      const { batches, debt_repaid } = find(events, 'PointsRecharged').data;
      return { batches: [...batches], debt_repaid: pointsIn(debt_repaid) };
    }
    case 'reverse_recharge': {
      const found = find(events, 'RechargeReversed');
      const { source_ref, points, expired_not_owed, debt_added } = found.data;
      return { source_ref, points, expired_not_owed, debt_added, ...transaction(found) };
    }
    case 'refund': {
      const found = find(events, 'PointsRefunded');
      const { hold_id, points, refunded_total, debt_repaid } = found.data;
      return {
        hold_id,
        points,
        refunded_total,
        debt_repaid: pointsIn(debt_repaid),
        ...transaction(found),
      };
    }
    case 'adjust':
      return adjustResult(find(events, 'PointsAdjusted'));
    case 'freeze':
      return { frozen: true };
    case 'unfreeze':
      return { frozen: false };
    case 'grant_membership': {
      const { membership_type, starts_at, ends_at } = find(events, 'MembershipGranted').data;
      return { membership_type, starts_at, ends_at };
    }
    case 'revoke_membership':
      return { ends_at: find(events, 'MembershipRevoked').data.ended_at };
    default:
      return verb satisfies never;
  }
}

/** The hold that a confirm's answer names: the expired one, when it was confirmed late. */
export function confirmedHoldId(events: readonly AnswerEvent[], holdId?: string): string {
  const { data } = findConfirmed(events, holdId);
  return data.late_of ?? data.hold_id;
}

function holdResult({ data }: Found<'PointsHeld'>): Result {
  return {
    hold_id: data.hold_id,
    record_id: data.record_id,
    task_no: data.task_no,
    status: 'held',
    amount: data.amount,
    charge_mode: data.charge_mode,
    price: data.price,
    expires_at: data.expires_at,
  };
}

function confirmResult(found: Found<'HoldConfirmed'>, { recordId }: HoldNames): Result {
  const { data } = found;
  const hold_id = data.late_of ?? data.hold_id;
  if (recordId === undefined) throw new Error(`no record id of hold ${hold_id}`);
  return {
    hold_id,
    record_id: recordId,
    status: 'confirmed',
    held_amount: data.held_amount,
    amount: data.actual_amount,
    released: data.released,
    overage: data.overage,
    waived: data.waived,
    late: data.late_of !== undefined,
    ...(data.late_of === undefined ? {} : { late_hold_id: data.hold_id }),
    ...transaction(found),
  };
}

function cancelResult(events: readonly AnswerEvent[], holdId?: string): Result {
  const { hold_id, released } = cancellation(events, holdId);
  return { hold_id, status: 'canceled', released };
}

/** How a hold was canceled, also when it was charged and refunded as a failure. */
export function cancellation(events: readonly AnswerEvent[], holdId?: string) {
  const plain = search(events, 'HoldCanceled', holdId);
  if (plain !== undefined) {
    const { hold_id, released, reason } = plain.data;
    return { hold_id, released, reason };
  }
  const { hold_id, held_amount: released } = find(events, 'HoldConfirmed', holdId).data;
  return { hold_id, released, reason: 'failed' as const };
}

function consumeResult(events: readonly AnswerEvent[], holdId?: string): Result {
  const held = find(events, 'PointsHeld', holdId).data;
  const confirmed = find(events, 'HoldConfirmed', held.hold_id);
  return {
    record_id: held.record_id,
    task_no: held.task_no,
    amount: confirmed.data.actual_amount,
    charge_mode: held.charge_mode,
    ...transaction(confirmed),
  };
}

function adjustResult(found: Found<'PointsAdjusted'>): Result {
  const { delta, batch, debt_added, debt_repaid } = found.data;
  return {
    delta,
    batch:
      batch === null
        ? null
        : { batch_id: batch.batch_id, points: batch.points, expires_at: batch.expires_at },
    debt_added,
    debt_repaid: pointsIn(debt_repaid),
    ...transaction(found),
  };
}

function pointsIn(repayments: readonly DebtRepayment[]): number {
  return repayments.reduce((sum, { points }) => sum + points, 0);
}

/** A transaction is an event that moved the balance. */
export function transaction(found: {
  id: string;
  data: { balance_before: number; balance_after: number };
}): { transaction_id?: string } {
  return found.data.balance_before === found.data.balance_after ? {} : { transaction_id: found.id };
}

type DataOf<Type extends AccountEventType> = Extract<AccountEvent, { type: Type }>['data'];

interface Found<Type extends AccountEventType> {
  readonly id: string;
  readonly data: DataOf<Type>;
}

/** The last event of that type, of that hold when one is given. Not finding it is a bug. */
export function find<Type extends AccountEventType>(
  events: readonly AnswerEvent[],
  type: Type,
  holdId?: string,
): Found<Type> {
  const found = search(events, type, holdId);
  if (found === undefined) throw new Error(`no ${type} among the command's events`);
  return found;
}

/** The confirm of a hold, by the id of the expired one, too. */
export function findConfirmed(
  events: readonly AnswerEvent[],
  holdId?: string,
): Found<'HoldConfirmed'> {
  const late = events.findLast(
    ({ event }) =>
      holdId !== undefined && event.type === 'HoldConfirmed' && event.data.late_of === holdId,
  );
  return late === undefined ? find(events, 'HoldConfirmed', holdId) : find([late], 'HoldConfirmed');
}

function search<Type extends AccountEventType>(
  events: readonly AnswerEvent[],
  type: Type,
  holdId?: string,
): Found<Type> | undefined {
  const found = events.findLast(
    ({ event }) =>
      event.type === type &&
      (holdId === undefined || ('hold_id' in event.data && event.data.hold_id === holdId)),
  );
  // The type has just been compared.
  return found === undefined ? undefined : { id: found.id, data: found.event.data as DataOf<Type> };
}
