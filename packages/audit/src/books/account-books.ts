import type {
  AccountEvent,
  MembershipGranted,
  MembershipRevoked,
  RecordedAccountEvent,
} from '@points/domain/account/events';
import { type Movement, addMovement, balanceOf, debtOf } from '../movement.ts';
import type { BatchBook } from './batch-books.ts';
import { canceled, confirmed, extended, held } from './hold-events.ts';
import {
  type BooksOptions,
  type Debt,
  type Ledger,
  type Membership,
  type OpenHold,
  type Source,
  openLedger,
} from './ledger.ts';
import { adjusted, expired, recharged, reversed } from './point-events.ts';
import { refunded } from './refund-event.ts';
import { WrongBooksError, checkNumber } from './wrong-books.ts';

export type HoldBook = Readonly<OpenHold>;
export type SourceBook = Readonly<Source>;

/**
 * The audit's own fold of one account, which judges every event by those before it: account rules §3 to §5. It shares
 * nothing with the code that decided the events. What it gives out is for reading, and changes with the next event.
 */
export interface AccountBooks {
  /**
   * Applies the account's next event. Throws WrongBooksError when it cannot be right; the books are of no use
   * afterwards.
   */
  apply(recorded: RecordedAccountEvent): void;
  /** Live sums since the account's first event, as the events told them. */
  readonly totals: Movement;
  /** Points of all batches less debt; due batches count until they have expired. */
  balance(): number;
  /** What open holds reserve. */
  held(): number;
  debt(): number;
  /** Free points that are not due at that time (ISO-8601 UTC), less debt. */
  available(now: string): number;
  /** All that ever were, by batch_id, in the order in which they were made. */
  readonly batches: ReadonlyMap<string, BatchBook>;
  /** By hold_id. */
  readonly openHolds: ReadonlyMap<string, HoldBook>;
  /** Oldest first. */
  readonly debts: readonly Readonly<Debt>[];
  /** Recharges and rewards, by source_ref. */
  readonly sources: ReadonlyMap<string, SourceBook>;
  readonly frozen: boolean;
  /** When the account was first frozen since it was last unfrozen; null = it is not. */
  readonly frozenSince: string | null;
  /** One after another, without those that had ended at the last grant. */
  readonly memberships: readonly Membership[];
  /** Time of the last event; null before the first. */
  readonly lastAt: string | null;
}

export function openAccountBooks(options: BooksOptions = {}): AccountBooks {
  const ledger = openLedger(options);
  const commands = options.onUse === undefined ? new Set<string>() : null;
  let last: RecordedAccountEvent | null = null;
  return {
    apply(recorded) {
      try {
        checkPlace(last, recorded);
        if (recorded.context.index === 0) useCommand(recorded.context.command_id);
        check(ledger, recorded);
      } catch (error) {
        // Data that nobody has decoded: whatever is not there, or is something else, was met by chance.
        if (error instanceof TypeError)
          throw new WrongBooksError(`the data of ${recorded.event.type} are malformed`);
        throw error;
      }
      last = recorded;
    },
    totals: ledger.totals,
    balance: () => ledger.batches.sums.remaining - ledger.debt,
    held: () => ledger.held,
    debt: () => ledger.debt,
    available: (now) => ledger.batches.free(now) - ledger.debt,
    batches: ledger.batches.all,
    openHolds: ledger.openHolds,
    debts: ledger.debts,
    sources: ledger.sources,
    get frozen() {
      return ledger.frozenSince !== null;
    },
    get frozenSince() {
      return ledger.frozenSince;
    },
    get memberships() {
      return ledger.memberships;
    },
    get lastAt() {
      return last?.context.occurred_at ?? null;
    },
  };

  function useCommand(commandId: string): void {
    if (commands?.has(commandId) === true)
      throw new WrongBooksError(`command ${commandId} is carried out twice`);
    commands?.add(commandId);
    options.onUse?.('command', commandId);
  }
}

/** A command's events stand together and in order, time never runs backwards, and pairs that are one act are never torn. */
function checkPlace(last: RecordedAccountEvent | null, recorded: RecordedAccountEvent): void {
  const { event, context } = recorded;
  if (last !== null && context.occurred_at < last.context.occurred_at)
    throw new WrongBooksError(`occurred_at goes back from ${last.context.occurred_at}`);
  if (
    context.index > 0 &&
    !(
      last !== null &&
      last.context.index === context.index - 1 &&
      last.context.command_id === context.command_id &&
      last.context.request_hash === context.request_hash &&
      last.context.occurred_at === context.occurred_at
    )
  ) {
    throw new WrongBooksError(
      `event ${context.index} of command ${context.command_id} does not follow the one before it`,
    );
  }
  const before = context.index > 0 ? last?.event : undefined;
  if (last?.event.type === 'PointsHeld' && last.event.data.late_of !== undefined) {
    const isConfirm = before !== undefined && event.type === 'HoldConfirmed';
    if (!isConfirm || event.data.hold_id !== last.event.data.hold_id)
      throw new WrongBooksError(`late hold ${last.event.data.hold_id} is not confirmed at once`);
  }
  if (event.type === 'PointsRefunded' && event.data.as_failure) {
    if (before?.type !== 'HoldConfirmed' || before.data.hold_id !== event.data.hold_id)
      throw new WrongBooksError(`a failure of hold ${event.data.hold_id} without its charge`);
    const { held_amount, requested_amount, actual_amount } = before.data;
    checkNumber('requested_amount before a failure', requested_amount, held_amount);
    checkNumber('actual_amount before a failure', actual_amount, held_amount);
    checkNumber('points of a failure', event.data.points, held_amount);
  }
}

function check(ledger: Ledger, { event, context }: RecordedAccountEvent): void {
  const { data } = event;
  const now = context.occurred_at;
  checkNumber('balance_before', data.balance_before, ledger.batches.sums.remaining - ledger.debt);
  ledger.commandId = context.command_id;
  fold(ledger, event, now);
  addMovement(ledger.totals, event);
  const free = ledger.batches.free(now);
  checkNumber('balance_after', data.balance_after, ledger.batches.sums.remaining - ledger.debt);
  checkNumber('debt_after', data.debt_after, ledger.debt);
  checkNumber('available_after', data.available_after, free - ledger.debt);
  checkIdentities(ledger, free);
}

function fold(ledger: Ledger, event: AccountEvent, now: string): void {
  switch (event.type) {
    case 'PointsRecharged':
      return recharged(ledger, event.data, now);
    case 'RechargeReversed':
      return reversed(ledger, event.data, now);
    case 'PointsHeld':
      return held(ledger, event.data, now);
    case 'HoldConfirmed':
      return confirmed(ledger, event.data, now);
    case 'HoldCanceled':
      return canceled(ledger, event.data, now);
    case 'HoldExtended':
      return extended(ledger, event.data);
    case 'BatchExpired':
      return expired(ledger, event.data, now);
    case 'PointsRefunded':
      return refunded(ledger, event.data, now);
    case 'PointsAdjusted':
      return adjusted(ledger, event.data, now);
    case 'AccountFrozen':
      ledger.frozenSince ??= now;
      return;
    case 'AccountUnfrozen':
      ledger.frozenSince = null;
      return;
    case 'MembershipGranted':
      return granted(ledger, event.data, now);
    case 'MembershipRevoked':
      return revoked(ledger, event.data, now);
    default:
      return event satisfies never;
  }
}

function granted(ledger: Ledger, data: MembershipGranted, now: string): void {
  const { order_no, starts_at, ends_at } = data;
  if (ledger.orders.has(order_no)) throw new WrongBooksError(`order_no ${order_no} is used twice`);
  ledger.orders.add(order_no);
  ledger.options.onUse?.('order_no', order_no);
  const until = memberUntil(ledger, now);
  if (data.previous_ends_at !== until)
    throw new WrongBooksError(`previous_ends_at should be ${until ?? 'null'}`);
  if (starts_at !== (until ?? now))
    throw new WrongBooksError(`starts_at should be ${until ?? now}`);
  if (ends_at <= starts_at) throw new WrongBooksError('a membership of no time');
  ledger.memberships = [
    ...ledger.memberships.filter(({ endsAt }) => endsAt > now),
    { membershipType: data.membership_type, startsAt: starts_at, endsAt: ends_at },
  ];
}

function revoked(ledger: Ledger, data: MembershipRevoked, now: string): void {
  if (data.ended_at !== now) throw new WrongBooksError('ended_at is not the time of the event');
  if (memberUntil(ledger, now) === null)
    throw new WrongBooksError('a membership is revoked where there is none');
  ledger.memberships = [];
}

function memberUntil({ memberships }: Ledger, now: string): string | null {
  const end = memberships.at(-1)?.endsAt;
  return end !== undefined && end > now ? end : null;
}

/**
 * N1, N2, N4 and N5: what the events told against what was done to the batches and debts. N3 is judged as each batch
 * changes.
 */
function checkIdentities(ledger: Ledger, free: number): void {
  const { totals, batches, debt, held: heldPoints } = ledger;
  const { sums } = batches;
  const balance = sums.remaining - debt;
  if (!Number.isSafeInteger(sums.remaining) || !Number.isSafeInteger(debt))
    throw new WrongBooksError('sums are beyond exact arithmetic');
  checkNumber('the balance by N1', balanceOf(totals), balance);
  checkNumber('the debt by N2', debtOf(totals), debt);
  checkNumber(
    'what was debited by N4',
    sums.consumed + sums.reversed + sums.adjusted + totals.debt_incurred,
    totals.consumed + totals.reversed + totals.adjusted_down,
  );
  checkNumber(
    'what was refunded by N4',
    sums.refunded + ledger.graceRefunded + totals.debt_canceled,
    totals.refunded,
  );
  checkNumber('what was repaid by N4', sums.repaid, totals.debt_repaid);
  checkNumber('what expired by N4', sums.expired, totals.expired);
  checkNumber('what moved into grace batches', sums.movedIn, sums.movedOut);
  checkNumber('what is pinned by N5', sums.pinned, heldPoints);
  checkNumber('what is held by N5', totals.held, heldPoints);
  if (debt > 0 && free > 0)
    throw new WrongBooksError(`${free} free points beside a debt of ${debt} (N5)`);
}
