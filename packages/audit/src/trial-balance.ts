import { parseStream } from '@points/contracts/streams';
import type { Standing } from './account-history.ts';
import type { AuditEvent } from './audit-event.ts';
import { type AccountLedgerEvent, decodeAccountEvent } from './decode-account.ts';
import type { Finding } from './finding.ts';
import { type Movement, addMovement, balanceOf, debtOf, noMovement } from './movement.ts';
import { shanghaiDayOf } from './report-time.ts';
import { type TrialBalanceBooks, openTrialBalanceBooks } from './trial-balance-books.ts';
import { type TrialBalanceEntry, doubleEntry, isZero, sumOf } from './trial-balance-entries.ts';
import { type SourceRow, createSourceSums } from './trial-balance-sources.ts';

export type TrialBalanceBy = 'none' | 'day' | 'source';

export interface TrialBalanceRequest {
  /** ISO-8601 UTC with milliseconds, inclusive: a period that begins then; null = all since the ledger began. */
  readonly from: string | null;
  /** Inclusive: events after it do not count; null = all up to `position`. */
  readonly asOf: string | null;
  /** Where the log was pinned. */
  readonly position: bigint | null;
  readonly by: TrialBalanceBy;
}

/** What one day of Asia/Shanghai moved, and where the ledger stood at its end. */
export interface DayRow extends Movement {
  /** `yyyy-MM-dd` */
  readonly day: string;
  readonly balance: number;
  readonly debt: number;
  readonly held_after: number;
}

/** From `from` to `as_of`, both included: an event at `from` is in it, not in its opening. */
export interface TrialBalancePeriod {
  /** How many of the events are in it. */
  readonly events: number;
  /** Of all accounts: balance and debt as their last events before it say them, held as their holds add up. */
  readonly opening: Standing;
  /** The same at its end. */
  readonly closing: Standing;
  /** Opening + `totals` = closing, in balance and in debt. */
  readonly adds_up: boolean;
}

export interface TrialBalance {
  readonly report: 'trial_balance';
  readonly position: string | null;
  /** Only of a report that was asked for a period, as `period`. */
  readonly from?: string;
  readonly as_of: string | null;
  readonly by: TrialBalanceBy;
  /** Events of accounts that were read and judged, also those before `from`. */
  readonly events: number;
  readonly accounts: number;
  /** When there is one, `totals`, `days` and `sources` are of it alone, and `entries` begin with its opening. */
  readonly period?: TrialBalancePeriod;
  readonly totals: Movement;
  /** As the accounts' last events say it, added up: what `totals`, and the opening of a period, must come to. */
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
  const { from, asOf, by } = request;
  const books = openTrialBalanceBooks();
  const days = new Map<string, Movement>();
  const sources = createSourceSums();
  for await (const stored of events()) {
    const recorded = counted(stored, asOf);
    if (recorded === null) continue;
    const { event, context } = recorded;
    const isBefore = from !== null && context.occurred_at < from;
    books.add(stored, recorded, isBefore);
    if (by === 'day' && !isBefore) addMovement(dayOf(days, context.occurred_at), event);
    if (by !== 'source') continue;
    if (isBefore) sources.remember(recorded);
    else sources.add(recorded);
  }
  if (by === 'source' && sources.isMissing())
    for await (const stored of events()) sources.recall(stored);
  return result(
    request,
    books,
    dayRows(days, books.opening()),
    by === 'source' ? sources.rows() : [],
  );
}

function counted(stored: AuditEvent, asOf: string | null): AccountLedgerEvent | null {
  // An account's times never run backwards, so what counts is a beginning of its stream.
  if (asOf !== null && (stored.metadata['occurred_at'] ?? '') > asOf) return null;
  const name = parseStream(stored.stream);
  if (name !== null && name.category !== 'account') return null;
  return decodeAccountEvent(stored);
}

function result(
  { from, asOf, position, by }: TrialBalanceRequest,
  books: TrialBalanceBooks,
  days: readonly DayRow[],
  sources: readonly SourceRow[],
): TrialBalance {
  const { totals, events, findings } = books;
  const [opening, closing] = [books.opening(), books.closing()];
  const entries = doubleEntry(from === null ? null : opening, totals, closing);
  const addsUp = isZero(entries, 'points') && isZero(entries, 'debts');
  const period = { events: events.inPeriod, opening, closing, adds_up: addsUp };
  return {
    report: 'trial_balance',
    position: position === null ? null : String(position),
    ...(from === null ? {} : { from }),
    as_of: asOf,
    by,
    events: events.before + events.inPeriod,
    accounts: books.accounts(),
    ...(from === null ? {} : { period }),
    totals,
    balance: closing.balance,
    debt: closing.debt,
    held: closing.held,
    entries,
    debit: sumOf(entries, 'debit'),
    credit: sumOf(entries, 'credit'),
    sums_to_zero: addsUp && books.findingCount() === 0,
    days,
    sources,
    findings,
    finding_count: books.findingCount(),
  };
}

function dayOf(days: Map<string, Movement>, time: string): Movement {
  const day = shanghaiDayOf(time);
  let sum = days.get(day);
  if (sum === undefined) days.set(day, (sum = noMovement()));
  return sum;
}

function dayRows(days: ReadonlyMap<string, Movement>, opening: Standing): DayRow[] {
  let { balance, debt, held } = opening;
  const rows: DayRow[] = [];
  for (const [day, movement] of [...days].sort(([a], [b]) => (a < b ? -1 : 1))) {
    balance += balanceOf(movement);
    debt += debtOf(movement);
    held += movement.held;
    rows.push({ day, ...movement, balance, debt, held_after: held });
  }
  return rows;
}
