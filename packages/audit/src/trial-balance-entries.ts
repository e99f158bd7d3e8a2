import type { Standing } from './account-history.ts';
import type { Movement } from './movement.ts';

/** What the users had and owed before a period is where its points and debts come from, beside what moved in it. */
export type EntryName =
  | 'opening_points'
  | 'opening_debts'
  | Exclude<keyof Movement, 'waived' | 'held'>
  | 'user_points'
  | 'user_debts';

/** One ledger account of the double entry; exactly one of the two sides is more than 0, or neither. */
export interface TrialBalanceEntry {
  /** `points` proves N1 and `debts` N2 of the account's rules, each by itself. */
  readonly section: 'points' | 'debts';
  readonly name: EntryName;
  readonly debit: number;
  readonly credit: number;
}

/**
 * What the users hold is the ledger's liability, what they owe its claim. `opening` is what they stood at before
 * `totals` was moved; null = the ledger began with it.
 */
export function doubleEntry(
  opening: Standing | null,
  totals: Movement,
  closing: Standing,
): TrialBalanceEntry[] {
  return [
    ...(opening === null ? [] : openingEntries(opening)),
    debit('points', 'paid', totals.paid),
    debit('points', 'bonus', totals.bonus),
    debit('points', 'rewarded', totals.rewarded),
    credit('points', 'reversed', totals.reversed),
    credit('points', 'consumed', totals.consumed),
    debit('points', 'refunded', totals.refunded),
    credit('points', 'expired', totals.expired),
    debit('points', 'adjusted_up', totals.adjusted_up),
    credit('points', 'adjusted_down', totals.adjusted_down),
    credit('points', 'user_points', closing.balance + closing.debt),
    debit('points', 'user_debts', closing.debt),
    debit('debts', 'debt_incurred', totals.debt_incurred),
    credit('debts', 'debt_repaid', totals.debt_repaid),
    credit('debts', 'debt_canceled', totals.debt_canceled),
    credit('debts', 'user_debts', closing.debt),
  ];
}

/** Whether the two sides of a section are equal. */
export function isZero(
  entries: readonly TrialBalanceEntry[],
  section: TrialBalanceEntry['section'],
): boolean {
  const of = entries.filter((entry) => entry.section === section);
  const all = sumOf(of, 'debit');
  return all === sumOf(of, 'credit') && Number.isSafeInteger(all);
}

export function sumOf(entries: readonly TrialBalanceEntry[], side: 'debit' | 'credit'): number {
  return entries.reduce((sum, entry) => sum + entry[side], 0);
}

function openingEntries({ balance, debt }: Standing): TrialBalanceEntry[] {
  return [
    debit('points', 'opening_points', balance + debt),
    credit('points', 'opening_debts', debt),
    debit('debts', 'opening_debts', debt),
  ];
}

function debit(
  section: TrialBalanceEntry['section'],
  name: EntryName,
  points: number,
): TrialBalanceEntry {
  return { section, name, debit: points, credit: 0 };
}

function credit(
  section: TrialBalanceEntry['section'],
  name: EntryName,
  points: number,
): TrialBalanceEntry {
  return { section, name, debit: 0, credit: points };
}
