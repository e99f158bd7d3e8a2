import type {
  Allocation,
  HoldPrice,
  PointsHeld,
  PointsRefunded,
} from '@points/domain/account/events';
import { DAY_MS } from '@points/domain/time';
import type { SettledHold } from './settled-holds.ts';
import { WrongBooksError, checkNumber } from './wrong-books.ts';

/** What an event does to a hold that was settled before. */
export type GoingBack =
  | { readonly kind: 'refunded'; readonly data: PointsRefunded; readonly now: string }
  /** `data` of the late hold that is charged in its place. */
  | { readonly kind: 'confirmed_late'; readonly data: PointsHeld; readonly now: string }
  /** Debt of the charge was repaid: the batch has paid for it. */
  | { readonly kind: 'repaid'; readonly batchId: string; readonly points: number };

type Charge = SettledHold & { status: 'confirmed' };

/**
 * Judges it by what the hold is, and nothing else, so that it can be done long after the event. Returns what the hold is
 * from then on, which may be the same object, changed. Throws WrongBooksError.
 */
export function goBack(hold: SettledHold, back: GoingBack): SettledHold {
  switch (back.kind) {
    case 'refunded':
      return refunded(hold, back.data, back.now);
    case 'confirmed_late':
      confirmedLate(hold, back.data, back.now);
      return hold;
    case 'repaid':
      if (hold.status === 'confirmed') {
        hold.funding.push({ batch_id: back.batchId, points: back.points });
        hold.debt -= back.points;
      }
      return hold;
    default:
      return back satisfies never;
  }
}

function refunded(hold: SettledHold, data: PointsRefunded, now: string): SettledHold {
  const { hold_id } = data;
  if (hold.status !== 'confirmed')
    throw new WrongBooksError(`hold ${hold_id} was canceled and is refunded`);
  undo(data, hold);
  if (!data.as_failure) return hold;
  if (hold.failurePolicy !== 'charge_then_refund')
    throw new WrongBooksError(`a failure of hold ${hold_id} is canceled, not charged and refunded`);
  // The charge never stood.
  return { status: 'canceled', reason: 'failed', at: now, placed: null, lateHold: null };
}

/** What paid for it last is undone first. */
function undo(data: PointsRefunded, charge: Charge): void {
  const { points, debt_canceled: fromDebt } = data;
  charge.refunded += points;
  if (charge.refunded > charge.charged)
    throw new WrongBooksError(
      `${charge.refunded} points of a charge of ${charge.charged} are refunded`,
    );
  checkNumber('refunded_total', data.refunded_total, charge.refunded);
  checkNumber('debt_canceled', fromDebt, Math.min(charge.debt, points));
  const expected: Allocation[] = fromDebt > 0 ? [{ batch_id: 'debt', points: fromDebt }] : [];
  let missing = points - fromDebt;
  while (missing > 0) {
    const last = charge.funding.pop();
    if (last === undefined) throw new WrongBooksError('a refund of more than was paid');
    const part = Math.min(missing, last.points);
    expected.push({ batch_id: last.batch_id, points: part });
    missing -= part;
    if (part < last.points)
      charge.funding.push({ batch_id: last.batch_id, points: last.points - part });
  }
  charge.debt -= fromDebt;
  checkUndone(data, expected);
}

/** How a list is cut up says nothing: neighbours of one batch count as one part. */
function checkUndone(data: PointsRefunded, expected: readonly Allocation[]): void {
  const told = merged(data.returns.map(({ from, points }) => ({ batch_id: from, points })));
  const right = merged(expected);
  const place = right.findIndex(
    (part, index) => told[index]?.batch_id !== part.batch_id || told[index].points !== part.points,
  );
  if (place === -1 && told.length === right.length) return;
  const next = right[place];
  throw new WrongBooksError(
    next === undefined
      ? 'returns: more is undone than is refunded'
      : `returns: next to be undone, latest first, are ${next.points} points of ${next.batch_id}`,
  );
}

function merged(parts: readonly Allocation[]): Allocation[] {
  const result: Allocation[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (last?.batch_id !== part.batch_id) result.push(part);
    else result[result.length - 1] = { ...last, points: last.points + part.points };
  }
  return result;
}

/** A late confirm charges a hold that expired less than 24 h ago, once. */
function confirmedLate(old: SettledHold, data: PointsHeld, now: string): void {
  const { late_of: lateOf } = data;
  if (old.status !== 'canceled' || old.placed === null)
    throw new WrongBooksError(`hold ${lateOf}, confirmed late, did not expire`);
  if (!(Date.parse(now) - Date.parse(old.at) < DAY_MS))
    throw new WrongBooksError(`hold ${lateOf} is confirmed more than 24 hours after it expired`);
  if (old.lateHold !== null) throw new WrongBooksError(`hold ${lateOf} is confirmed late twice`);
  const { placed } = old;
  if (placed.late_confirm !== 'if_available')
    throw new WrongBooksError(`hold ${lateOf} may not be confirmed late`);
  if (
    !isSamePrice(data.price, placed.price) ||
    data.owner !== placed.owner ||
    data.charge_mode !== placed.charge_mode
  ) {
    throw new WrongBooksError(`the late hold has another price or owner than hold ${lateOf}`);
  }
  old.lateHold = data.hold_id;
}

function isSamePrice(a: HoldPrice, b: HoldPrice): boolean {
  return (
    a.mode === b.mode &&
    a.unit === b.unit &&
    a.unit_price === b.unit_price &&
    a.min_points === b.min_points &&
    a.rounding === b.rounding &&
    a.source === b.source &&
    a.config_version === b.config_version
  );
}
