import { parseStream } from '@points/contracts/streams';
import type { AccountEvent } from '@points/domain/account/events';
import type { AuditEvent } from './audit-event.ts';
import { type AccountLedgerEvent, decodeAccountEvent } from './decode-account.ts';
import { type Finding, type FindingKind, findingAt } from './finding.ts';
import { type Movement, addMovement, balanceOf, debtOf, noMovement } from './movement.ts';
import { shanghaiDayOf } from './report-time.ts';
import { type SourceRow, createSourceSums } from './trial-balance-sources.ts';

export type TrialBalanceBy = 'none' | 'day' | 'source';

export interface TrialBalanceRequest {
  /** ISO-8601 UTC: events after it do not count; null = all up to `position`. */
  readonly asOf: string | null;
  /** Where the log was pinned. */
  readonly position: bigint | null;
  readonly by: TrialBalanceBy;
}

/** One ledger account of the double entry; exactly one of the two sides is more than 0, or neither. */
export interface TrialBalanceEntry {
  /** `points` proves N1 and `debts` N2 of the account's rules, each by itself. */
  readonly section: 'points' | 'debts';
  readonly name: keyof Movement | 'user_points' | 'user_debts';
  readonly debit: number;
  readonly credit: number;
}

/** What one day of Asia/Shanghai moved, and where the ledger stood at its end. */
export interface DayRow extends Movement {
  /** `yyyy-MM-dd` */
  readonly day: string;
  readonly balance: number;
  readonly debt: number;
  readonly held_after: number;
}

export interface TrialBalance {
  readonly report: 'trial_balance';
  readonly position: string | null;
  readonly as_of: string | null;
  readonly by: TrialBalanceBy;
  /** Events of accounts that were counted. */
  readonly events: number;
  readonly accounts: number;
  readonly totals: Movement;
  /** As the accounts' last events say it, added up: what `totals` must come to. */
  readonly balance: number;
  readonly debt: number;
  readonly held: number;
  readonly entries: readonly TrialBalanceEntry[];
  readonly debit: number;
  readonly credit: number;
  /** Both sections sum to zero, and there are no findings. */
  readonly sums_to_zero: boolean;
  readonly days: readonly DayRow[];
  readonly sources: readonly SourceRow[];
  /** The first of them, at most 100. */
  readonly findings: readonly Finding[];
  readonly finding_count: number;
}

const MAX_FINDINGS = 100;

/**
 * The whole ledger as double entry. One side is what every event says that it moved; the other is what the accounts' last
 * events say they hold, so the two can differ. Besides, each event must go on from its account's last balance, and must
 * have moved it by what it says.
 *
 * `events` begins to read the log again each time it is called, up to the same position: a second time only when
 * `by: 'source'` meets refunds of more charges ago than are remembered (see `trial-balance-sources.ts`). Memory: three
 * numbers for each account, one row for each day or source. Throws BrokenHistoryError at an event that cannot be read.
 */
export async function trialBalance(
  events: () => AsyncIterable<AuditEvent> | Iterable<AuditEvent>,
  request: TrialBalanceRequest,
): Promise<TrialBalance> {
  const { asOf, by } = request;
  const books = openLedgerBooks();
  const days = new Map<string, Movement>();
  const sources = createSourceSums();
  for await (const stored of events()) {
    const recorded = counted(stored, asOf);
    if (recorded === null) continue;
    books.add(stored, recorded);
    if (by === 'day') addMovement(dayOf(days, recorded.context.occurred_at), recorded.event);
    if (by === 'source') sources.add(recorded);
  }
  if (by === 'source' && sources.isMissing())
    for await (const stored of events()) sources.recall(stored);
  return result(request, books, dayRows(days), by === 'source' ? sources.rows() : []);
}

function counted(stored: AuditEvent, asOf: string | null): AccountLedgerEvent | null {
  // An account's times never run backwards, so what counts is a beginning of its stream.
  if (asOf !== null && (stored.metadata['occurred_at'] ?? '') > asOf) return null;
  const name = parseStream(stored.stream);
  if (name !== null && name.category !== 'account') return null;
  return decodeAccountEvent(stored);
}

interface LedgerBooks {
  readonly totals: Movement;
  readonly findings: Finding[];
  findingCount: number;
  events: number;
  readonly accounts: Map<string, AccountEnd>;
  add(stored: AuditEvent, recorded: AccountLedgerEvent): void;
}

interface AccountEnd {
  revision: number;
  balance: number;
  debt: number;
}

function openLedgerBooks(): LedgerBooks {
  const books: LedgerBooks = {
    totals: noMovement(),
    findings: [],
    findingCount: 0,
    events: 0,
    accounts: new Map(),
    add(stored, { accountId, event }) {
      books.events += 1;
      const end = books.accounts.get(accountId) ?? { revision: -1, balance: 0, debt: 0 };
      const balanceBefore = balanceOf(books.totals);
      const debtBefore = debtOf(books.totals);
      addMovement(books.totals, event);
      const moved = balanceOf(books.totals) - balanceBefore;
      const owed = debtOf(books.totals) - debtBefore;
      const problem = judge(end, stored.revision, event, moved, owed);
      if (problem !== null) {
        books.findingCount += 1;
        if (books.findings.length < MAX_FINDINGS)
          books.findings.push(findingAt(stored, ...problem));
      }
      end.revision = stored.revision;
      end.balance = event.data.balance_after;
      end.debt = event.data.debt_after;
      books.accounts.set(accountId, end);
    },
  };
  return books;
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

function result(
  { asOf, position, by }: TrialBalanceRequest,
  books: LedgerBooks,
  days: readonly DayRow[],
  sources: readonly SourceRow[],
): TrialBalance {
  const { totals, findings, findingCount } = books;
  let balance = 0;
  let debt = 0;
  for (const end of books.accounts.values()) {
    balance += end.balance;
    debt += end.debt;
  }
  const entries = doubleEntry(totals, balance, debt);
  return {
    report: 'trial_balance',
    position: position === null ? null : String(position),
    as_of: asOf,
    by,
    events: books.events,
    accounts: books.accounts.size,
    totals,
    balance,
    debt,
    held: totals.held,
    entries,
    debit: sumOf(entries, 'debit'),
    credit: sumOf(entries, 'credit'),
    sums_to_zero: isZero(entries, 'points') && isZero(entries, 'debts') && findingCount === 0,
    days,
    sources,
    findings,
    finding_count: findingCount,
  };
}

/** What the users hold is the ledger's liability, what they owe its claim. */
function doubleEntry(totals: Movement, balance: number, debt: number): TrialBalanceEntry[] {
  const debit = (
    section: TrialBalanceEntry['section'],
    name: TrialBalanceEntry['name'],
    points: number,
  ) => ({ section, name, debit: points, credit: 0 });
  const credit = (
    section: TrialBalanceEntry['section'],
    name: TrialBalanceEntry['name'],
    points: number,
  ) => ({ section, name, debit: 0, credit: points });
  return [
    debit('points', 'paid', totals.paid),
    debit('points', 'bonus', totals.bonus),
    debit('points', 'rewarded', totals.rewarded),
    credit('points', 'reversed', totals.reversed),
    credit('points', 'consumed', totals.consumed),
    debit('points', 'refunded', totals.refunded),
    credit('points', 'expired', totals.expired),
    debit('points', 'adjusted_up', totals.adjusted_up),
    credit('points', 'adjusted_down', totals.adjusted_down),
    credit('points', 'user_points', balance + debt),
    debit('points', 'user_debts', debt),
    debit('debts', 'debt_incurred', totals.debt_incurred),
    credit('debts', 'debt_repaid', totals.debt_repaid),
    credit('debts', 'debt_canceled', totals.debt_canceled),
    credit('debts', 'user_debts', debt),
  ];
}

function isZero(
  entries: readonly TrialBalanceEntry[],
  section: TrialBalanceEntry['section'],
): boolean {
  const of = entries.filter((entry) => entry.section === section);
  const debit = sumOf(of, 'debit');
  return debit === sumOf(of, 'credit') && Number.isSafeInteger(debit);
}

function sumOf(entries: readonly TrialBalanceEntry[], side: 'debit' | 'credit'): number {
  return entries.reduce((sum, entry) => sum + entry[side], 0);
}

function dayOf(days: Map<string, Movement>, time: string): Movement {
  const day = shanghaiDayOf(time);
  let sum = days.get(day);
  if (sum === undefined) days.set(day, (sum = noMovement()));
  return sum;
}

function dayRows(days: ReadonlyMap<string, Movement>): DayRow[] {
  let balance = 0;
  let debt = 0;
  let held = 0;
  const rows: DayRow[] = [];
  for (const [day, movement] of [...days].sort(([a], [b]) => (a < b ? -1 : 1))) {
    balance += balanceOf(movement);
    debt += debtOf(movement);
    held += movement.held;
    rows.push({ day, ...movement, balance, debt, held_after: held });
  }
  return rows;
}
