import type { AccountEvent } from '@points/domain/account/events';
import type { Standing } from './account-history.ts';
import type { AuditEvent } from './audit-event.ts';
import type { AccountLedgerEvent } from './decode-account.ts';
import { type Finding, type FindingKind, findingAt } from './finding.ts';
import { type Movement, addMovement, balanceOf, debtOf, noMovement } from './movement.ts';

/**
 * Sums of all accounts, before a period and in it. Each event has to go on from its account's last balance, and to have
 * moved it by what it says.
 */
export interface TrialBalanceBooks {
  /** The next event of the log; `isBefore` = before the period. An account's times never run backwards. */
  add(stored: AuditEvent, recorded: AccountLedgerEvent, isBefore: boolean): void;
  /** What the events of the period say that they moved. */
  readonly totals: Movement;
  /** What the accounts' last events before the period say they have, added up. */
  opening(): Standing;
  /** The same of their last events. */
  closing(): Standing;
  accounts(): number;
  readonly events: { before: number; inPeriod: number };
  /** The first of them. */
  readonly findings: readonly Finding[];
  findingCount(): number;
}

const MAX_FINDINGS = 100;

/** Memory: three numbers for each account. */
export function openTrialBalanceBooks(): TrialBalanceBooks {
  const [before, totals] = [noMovement(), noMovement()];
  const events = { before: 0, inPeriod: 0 };
  const findings: Finding[] = [];
  let findingCount = 0;
  const accounts = new Map<string, AccountEnd>();
  // By what each event has changed of its account's end, so that no second end of each account is kept.
  let [openingBalance, openingDebt] = [0, 0];

  return {
    add(stored, { accountId, event }, isBefore) {
      events[isBefore ? 'before' : 'inPeriod'] += 1;
      const sums = isBefore ? before : totals;
      const end = accounts.get(accountId) ?? { revision: -1, balance: 0, debt: 0 };
      const balanceBefore = balanceOf(sums);
      const debtBefore = debtOf(sums);
      addMovement(sums, event);
      const moved = balanceOf(sums) - balanceBefore;
      const owed = debtOf(sums) - debtBefore;
      const problem = judge(end, stored.revision, event, moved, owed);
      if (problem !== null) {
        findingCount += 1;
        if (findings.length < MAX_FINDINGS) findings.push(findingAt(stored, ...problem));
      }
      const { balance_after: balance, debt_after: debt } = event.data;
      if (isBefore) {
        openingBalance += balance - end.balance;
        openingDebt += debt - end.debt;
      }
      end.revision = stored.revision;
      end.balance = balance;
      end.debt = debt;
      accounts.set(accountId, end);
    },
    totals,
    opening: () => ({ balance: openingBalance, held: before.held, debt: openingDebt }),
    closing() {
      let [balance, debt] = [0, 0];
      for (const end of accounts.values()) {
        balance += end.balance;
        debt += end.debt;
      }
      return { balance, held: before.held + totals.held, debt };
    },
    accounts: () => accounts.size,
    events,
    findings,
    findingCount: () => findingCount,
  };
}

interface AccountEnd {
  revision: number;
  balance: number;
  debt: number;
}

function judge(
  end: AccountEnd,
  revision: number,
  { data }: AccountEvent,
  moved: number,
  owed: number,
): [FindingKind, string] | null {
  if (revision !== end.revision + 1)
    return ['missing_events', `comes where revision ${end.revision + 1} should`];
  if (data.balance_before !== end.balance)
    return ['wrong_books', `says balance_before ${data.balance_before}, it was ${end.balance}`];
  if (data.balance_after !== end.balance + moved)
    return [
      'wrong_books',
      `says balance_after ${data.balance_after}, it moved ${end.balance} by ${moved}`,
    ];
  if (data.debt_after !== end.debt + owed)
    return ['wrong_books', `says debt_after ${data.debt_after}, it moved ${end.debt} by ${owed}`];
  return null;
}
