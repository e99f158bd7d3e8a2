import type { BatchKind, ChargeMode } from '@points/domain/account/events';
import { type AccountEvents, type HistoryStep, accountHistory, until } from './account-history.ts';
import type { AccountBooks } from './books/account-books.ts';
import { isDue } from './books/batch-books.ts';
import { type Movement, noMovement } from './movement.ts';

/** What an account had at a time, as JSON. Points; times ISO-8601 UTC; positions decimal. */
export interface BalanceAsOf {
  readonly report: 'balance';
  readonly account_id: string;
  /** Where the log was pinned; null = it was empty. */
  readonly position: string | null;
  /** As it was asked for: events after it do not count; null = all up to the pin. */
  readonly as_of: string | null;
  /** The time that `available` and `membership` are told for: `as_of`, else that of the last event. Null = no events. */
  readonly at: string | null;
  /** Of the last event that counts; −1 = none. */
  readonly revision: number;
  readonly last_position: string | null;
  readonly balance: number;
  readonly held: number;
  /** Free points that are not due at `at`, less debt. */
  readonly available: number;
  readonly debt: number;
  /** Oldest first. */
  readonly debts: readonly { readonly debt_ref: string; readonly points: number }[];
  /** Those with points left, in the order in which they were made. */
  readonly batches: readonly BatchAsOf[];
  /** In the order in which they were placed. */
  readonly open_holds: readonly HoldAsOf[];
  readonly frozen: boolean;
  readonly frozen_since: string | null;
  /** The one in force at `at`. */
  readonly membership: MembershipAsOf | null;
  /** What all events so far moved: N1 and N2 of the account's rules. */
  readonly totals: Movement;
}

export interface BatchAsOf {
  readonly batch_id: string;
  readonly kind: BatchKind;
  readonly points: number;
  readonly remaining: number;
  /** Of the remaining, what open holds reserve. */
  readonly held: number;
  readonly created_at: string;
  /** Null = never. */
  readonly expires_at: string | null;
  /** At `at`, and no event has expired it: it counts in `balance` until one does, and for nothing in `available`. */
  readonly due: boolean;
  readonly source_ref: string | null;
  readonly origin_batch_id: string | null;
}

export interface HoldAsOf {
  readonly hold_id: string;
  readonly record_id: number;
  readonly task_no: string;
  readonly amount: number;
  readonly charge_mode: ChargeMode;
  readonly description: string;
  readonly expires_at: string;
}

export interface MembershipAsOf {
  readonly membership_type: string;
  readonly starts_at: string;
  readonly ends_at: string;
}

export interface BalanceRequest {
  /** ISO-8601 UTC with milliseconds (`parseReportTime`); null = all events. */
  readonly asOf: string | null;
  /** Where the log was pinned. */
  readonly position: bigint | null;
}

/**
 * Where an account stood, folded from its events alone (up to the pin: `accountEventsUpTo`). An account without events
 * has nothing, and is nothing special.
 *
 * Throws BrokenHistoryError when the events cannot be right; RangeError when `accountId` is not an id.
 */
export async function balanceAsOf(
  accountId: string,
  events: AccountEvents,
  { asOf, position }: BalanceRequest,
): Promise<BalanceAsOf> {
  let last: HistoryStep | null = null;
  for await (const step of accountHistory(accountId, until(events, asOf))) last = step;
  return {
    report: 'balance',
    account_id: accountId,
    position: position === null ? null : String(position),
    as_of: asOf,
    revision: last?.stored.revision ?? -1,
    last_position: last === null ? null : String(last.stored.position),
    ...stateOf(last?.books ?? null, asOf),
  };
}

function stateOf(books: AccountBooks | null, asOf: string | null) {
  const at = asOf ?? books?.lastAt ?? null;
  return {
    at,
    balance: books?.balance() ?? 0,
    held: books?.held() ?? 0,
    available: books === null || at === null ? 0 : books.available(at),
    debt: books?.debt() ?? 0,
    debts: books?.debts.map(({ debt_ref, points }) => ({ debt_ref, points })) ?? [],
    batches: books === null || at === null ? [] : batchesOf(books, at),
    open_holds: books === null ? [] : openHoldsOf(books),
    frozen: books?.frozen ?? false,
    frozen_since: books?.frozenSince ?? null,
    membership: books === null || at === null ? null : membershipAt(books, at),
    totals: { ...(books?.totals ?? noMovement()) },
  };
}

function batchesOf(books: AccountBooks, at: string): BatchAsOf[] {
  const batches: BatchAsOf[] = [];
  for (const batch of books.batches.values()) {
    if (batch.remaining === 0) continue;
    batches.push({
      batch_id: batch.batchId,
      kind: batch.kind,
      points: batch.points,
      remaining: batch.remaining,
      held: batch.pinned,
      created_at: batch.createdAt,
      expires_at: batch.expiresAt,
      due: isDue(batch, at),
      source_ref: batch.sourceRef,
      origin_batch_id: batch.originBatchId,
    });
  }
  return batches;
}

function openHoldsOf(books: AccountBooks): HoldAsOf[] {
  return Array.from(books.openHolds.values(), ({ placed, expiresAt }) => ({
    hold_id: placed.hold_id,
    record_id: placed.record_id,
    task_no: placed.task_no,
    amount: placed.amount,
    charge_mode: placed.charge_mode,
    description: placed.description,
    expires_at: expiresAt,
  }));
}

function membershipAt(books: AccountBooks, at: string): MembershipAsOf | null {
  const now = books.memberships.find(({ startsAt, endsAt }) => startsAt <= at && at < endsAt);
  if (now === undefined) return null;
  return { membership_type: now.membershipType, starts_at: now.startsAt, ends_at: now.endsAt };
}
