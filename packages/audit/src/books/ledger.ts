import type { Allocation, DebtRepayment, PointsHeld } from '@points/domain/account/events';
import { type Movement, noMovement } from '../movement.ts';
import { type BatchBook, BatchBooks, type NewBatchBook, type Use, isDue } from './batch-books.ts';
import { type GoingBack, goBack } from './going-back.ts';
import type { AccountMemory, ForgottenHolds, SettledHold, SettledHolds } from './settled-holds.ts';
import { WrongBooksError } from './wrong-books.ts';

/** Everything that one account's events are judged by. */
export interface Ledger {
  readonly batches: BatchBooks;
  readonly openHolds: Map<string, OpenHold>;
  readonly memory: AccountMemory;
  readonly sources: Map<string, Source>;
  readonly orders: Set<string>;
  /** Oldest first. */
  readonly debts: Debt[];
  /** Σ debts. */
  debt: number;
  /** Σ amounts of open holds. */
  held: number;
  /** What the events said that they moved. */
  readonly totals: Movement;
  /** Refunds that made grace batches, because the batch they came from was due. */
  graceRefunded: number;
  frozenSince: string | null;
  memberships: Membership[];
  /** Of the event in hand. */
  commandId: string;
  readonly options: BooksOptions;
}

export interface OpenHold {
  readonly placed: PointsHeld;
  expiresAt: string;
}

/** A recharge or reward. */
export interface Source {
  readonly sourceRef: string;
  readonly orderNo: string | null;
  readonly at: string;
  readonly credited: number;
  /** What of its batches, and of the grace batches that continue them, has expired. */
  expired: number;
  reversed: boolean;
}

export interface Debt {
  readonly debt_ref: string;
  points: number;
}

export interface Membership {
  readonly membershipType: string;
  readonly startsAt: string;
  readonly endsAt: string;
}

/** What may be used once only in one account. */
export type UsedOnce = 'command' | 'hold' | 'source_ref' | 'order_no' | 'batch';

export interface BooksOptions {
  /** Shared by the accounts of a process to bound what they remember of settled holds; without it nothing is forgotten. */
  readonly settledHolds?: SettledHolds;
  readonly forgotten?: ForgottenHolds;
  /** Holds that are never forgotten. */
  readonly remember?: (holdId: string) => boolean;
  /** Told everything that may be used once only. Without it the books watch over their commands themselves, for which they keep every id. */
  readonly onUse?: (kind: UsedOnce, key: string) => void;
}

export function openLedger(options: BooksOptions): Ledger {
  return {
    batches: new BatchBooks(),
    openHolds: new Map(),
    memory: { holds: new Map(), hasForgotten: false, forgotten: options.forgotten },
    sources: new Map(),
    orders: new Set(),
    debts: [],
    debt: 0,
    held: 0,
    totals: noMovement(),
    graceRefunded: 0,
    frozenSince: null,
    memberships: [],
    commandId: '',
    options,
  };
}

/**
 * The event in hand goes back to a settled hold, and is judged by it. False = the hold was forgotten, and whoever wants
 * to judge the event is told. Throws WrongBooksError, also when there never was such a hold (`otherwise`).
 */
export function goBackTo(
  ledger: Ledger,
  holdId: string,
  back: GoingBack,
  otherwise: string,
): boolean {
  const known = ledger.memory.holds.get(holdId);
  if (known === undefined) {
    if (!mayBeForgotten(ledger, holdId)) throw new WrongBooksError(otherwise);
    ledger.memory.forgotten?.goBack(holdId, back);
    return false;
  }
  const after = goBack(known, back);
  if (after !== known) ledger.memory.holds.set(holdId, after);
  return true;
}

function mayBeForgotten(ledger: Ledger, holdId: string): boolean {
  const isKept = ledger.options.remember?.(holdId) ?? false;
  return ledger.memory.hasForgotten && !isKept && !ledger.openHolds.has(holdId);
}

export function settle(ledger: Ledger, holdId: string, hold: SettledHold): void {
  const { memory, options } = ledger;
  memory.holds.set(holdId, hold);
  if (options.settledHolds !== undefined && options.remember?.(holdId) !== true)
    options.settledHolds.keep(memory, holdId);
}

export function useHoldId(ledger: Ledger, holdId: string): void {
  ledger.options.onUse?.('hold', holdId);
  if (ledger.openHolds.has(holdId) || ledger.memory.holds.has(holdId))
    throw new WrongBooksError(`hold id ${holdId} is used twice`);
}

const BATCH_NUMBER = /^(0|[1-9]\d*)$/;

/** A batch that the event in hand makes: it is named `<command_id>:<n>`. */
export function makeBatch(ledger: Ledger, batch: NewBatchBook): BatchBook {
  const { batchId } = batch;
  const prefix = `${ledger.commandId}:`;
  if (!batchId.startsWith(prefix) || !BATCH_NUMBER.test(batchId.slice(prefix.length)))
    throw new WrongBooksError(`batch ${batchId} is not named by its command ${ledger.commandId}`);
  ledger.options.onUse?.('batch', batchId);
  return ledger.batches.add(batch);
}

/** Takes points out of batches and writes down what for. Returns how many. */
export function spend(ledger: Ledger, parts: readonly Allocation[], use: Use): number {
  let spent = 0;
  for (const { batch_id, points } of parts) {
    ledger.batches.take(ledger.batches.get(batch_id), points, use);
    spent += points;
  }
  return spent;
}

export function owe(ledger: Ledger, debtRef: string, points: number): void {
  if (points === 0) return;
  ledger.debts.push({ debt_ref: debtRef, points });
  ledger.debt += points;
}

/**
 * Throws unless `parts`, from place `from` on, are the first `wanted` free points of these batches in spend order (fewer
 * when there are not so many). Returns the place after them, which may be the end only if `isLast`.
 */
export function checkTaken(
  ledger: Ledger,
  parts: readonly Allocation[],
  from: number,
  wanted: number,
  now: string,
  among: (sourceRef: string | null) => boolean = anySource,
): number {
  const { live } = ledger.batches;
  let place = from;
  let missing = wanted;
  for (let index = 0; missing > 0 && index < live.length; index += 1) {
    const batch = live[index];
    if (batch === undefined || isDue(batch, now) || !among(batch.sourceRef)) continue;
    const free = batch.remaining - batch.pinned;
    if (free === 0) continue;
    const points = Math.min(missing, free);
    checkPart(parts[place], batch.batchId, points);
    place += 1;
    missing -= points;
  }
  return place;
}

export function checkPart(part: Allocation | undefined, batchId: string, points: number): void {
  if (part?.batch_id === batchId && part.points === points) return;
  const told = part === undefined ? 'nothing' : `${part.points} of ${part.batch_id}`;
  throw new WrongBooksError(
    `allocations: next in order are ${points} points of batch ${batchId}, not ${told}`,
  );
}

export function checkEnd(parts: readonly Allocation[], place: number): void {
  const extra = parts[place];
  if (extra !== undefined)
    throw new WrongBooksError(
      `allocations: ${extra.points} points of batch ${extra.batch_id} too many`,
    );
}

/** Repays from whatever is free, after points were added. */
export function repayFromFree(ledger: Ledger, told: readonly DebtRepayment[], now: string): void {
  if (ledger.debt === 0) checkNoRepayment(told);
  else repay(ledger, told, ledger.batches.freeParts(now));
}

/**
 * Repays the oldest debts from `sources` in their order; throws unless the event tells the same. Whoever repays the
 * debt of a charge has paid for that charge. Returns what is left of the sources.
 */
export function repay(
  ledger: Ledger,
  told: readonly DebtRepayment[],
  sources: readonly Allocation[],
): readonly Allocation[] {
  if (ledger.debt === 0) {
    checkNoRepayment(told);
    return sources;
  }
  const rest: Allocation[] = [];
  let place = 0;
  for (const source of sources) {
    let left = source.points;
    for (let debt = ledger.debts[0]; left > 0 && debt !== undefined; debt = ledger.debts[0]) {
      const points = Math.min(left, debt.points);
      checkRepayment(told[place], debt.debt_ref, source.batch_id, points);
      place += 1;
      left -= points;
      ledger.batches.take(ledger.batches.get(source.batch_id), points, 'repaid');
      fund(ledger, debt.debt_ref, source.batch_id, points);
      reduceDebt(ledger, 0, points);
    }
    if (left > 0) rest.push({ batch_id: source.batch_id, points: left });
  }
  checkNoRepayment(told.slice(place));
  return rest;
}

export function reduceDebt(ledger: Ledger, place: number, points: number): void {
  const debt = ledger.debts[place];
  if (debt === undefined || debt.points < points)
    throw new WrongBooksError(`${points} points of a debt that is not there`);
  debt.points -= points;
  ledger.debt -= points;
  if (debt.points === 0) ledger.debts.splice(place, 1);
}

/** Whoever repays the debt of a charge has paid for it; other debts nobody asks about later. */
function fund(ledger: Ledger, debtRef: string, batchId: string, points: number): void {
  const back: GoingBack = { kind: 'repaid', batchId, points };
  const charge = ledger.memory.holds.get(debtRef);
  if (charge !== undefined) goBack(charge, back);
  else if (mayBeForgotten(ledger, debtRef)) ledger.memory.forgotten?.goBack(debtRef, back);
}

function checkRepayment(
  told: DebtRepayment | undefined,
  debtRef: string,
  batchId: string,
  points: number,
): void {
  if (told?.debt_ref === debtRef && told.batch_id === batchId && told.points === points) return;
  throw new WrongBooksError(
    `debt_repaid: next are ${points} points of batch ${batchId} for the debt of ${debtRef}`,
  );
}

function checkNoRepayment(told: readonly DebtRepayment[]): void {
  const [extra] = told;
  if (extra !== undefined)
    throw new WrongBooksError(
      `debt_repaid: ${extra.points} points of batch ${extra.batch_id} too many for ${extra.debt_ref}`,
    );
}

function anySource(): boolean {
  return true;
}
