import { mapEntries, mapValues } from '@points/domain/persistent-map';
import { eventsOf } from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import { requestDigest } from './ledger-writer.ts';

/**
 * What the read tables must say of an account, in the shape of `actualAccount`: from the domain's fold of its book, and
 * from the words of its events, without any code of the projector.
 */
export function expectedAccount(book: Book) {
  const { account, events } = book;
  const { total_reversed, ...totals } = expectedTotals(book);
  return {
    row: {
      balance: account.balance,
      held: account.held,
      debt: account.debt,
      frozen: account.frozen,
      ledger_version: account.revision,
      total_reversed,
      ...totals,
    },
    batches: expectedBatches(book),
    holds: eventsOf(book, 'PointsHeld')
      .map((held) => expectedHold(book, held.hold_id))
      .sort(byFirst),
    tombstones: eventsOf(book, 'HoldCanceled')
      .filter(({ reason }) => reason === 'tombstone')
      .map(({ hold_id }) => hold_id)
      .sort(),
    sources: mapEntries(account.sources)
      .map(([ref, { requestHash, revision, credited, expired, reversed }]) => [
        ref,
        requestDigest(requestHash),
        revision,
        reversed?.revision ?? null,
        credited,
        expired,
      ])
      .sort(byFirst),
    orders: mapEntries(account.orders)
      .map(([orderNo, { requestHash, revision }]) => [
        orderNo,
        requestDigest(requestHash),
        revision,
      ])
      .sort(byFirst),
    presentMemberships: account.memberships
      .filter(({ endsMs }) => endsMs > account.lastEventMs)
      .map(({ membershipType, startsMs, endsMs }) => [membershipType, startsMs, endsMs]),
    deltas: events
      .map(({ event }) => event.data.balance_after - event.data.balance_before)
      .filter((delta) => delta !== 0),
    commands: new Set(events.map(({ context }) => context.command_id)).size,
    sumsByType: totals,
  };
}

function expectedTotals(book: Book) {
  const credited = (reward: boolean) =>
    sum(
      eventsOf(book, 'PointsRecharged')
        .filter(({ source }) => (source === 'reward') === reward)
        .map(
          ({ batches, source_ref }) =>
            sum(batches.map(({ points }) => points)) - reversed(source_ref),
        ),
    );
  const reversed = (ref: string) =>
    sum(
      eventsOf(book, 'RechargeReversed')
        .filter(({ source_ref }) => source_ref === ref)
        .map(({ points }) => points),
    );
  return {
    total_recharged: credited(false),
    total_rewarded: credited(true),
    total_reversed: sum(eventsOf(book, 'RechargeReversed').map(({ points }) => points)),
    total_adjusted: sum(eventsOf(book, 'PointsAdjusted').map(({ delta }) => delta)),
    total_consumed: sum(eventsOf(book, 'HoldConfirmed').map((data) => data.actual_amount)),
    total_refunded: sum(eventsOf(book, 'PointsRefunded').map(({ points }) => points)),
    total_expired: sum(eventsOf(book, 'BatchExpired').map(({ points }) => points)),
  };
}

/** Every batch that ever was: what is left of it and where it came from, and how much of it expired. */
function expectedBatches(book: Book) {
  const left = new Map(book.account.batches.map((batch) => [batch.batchId, batch]));
  return madeBatches(book)
    .map(({ batch_id, kind, points, source_ref = null, origin_batch_id = null }) => [
      batch_id,
      kind,
      points,
      left.get(batch_id)?.remaining ?? 0,
      left.get(batch_id)?.pinned ?? 0,
      sum(
        eventsOf(book, 'BatchExpired')
          .filter((expired) => expired.batch_id === batch_id)
          .map((expired) => expired.points),
      ),
      source_ref,
      origin_batch_id,
    ])
    .sort(byFirst);
}

interface Made {
  readonly batch_id: string;
  readonly kind: string;
  readonly points: number;
  readonly source_ref?: string;
  readonly origin_batch_id?: string;
}

function madeBatches(book: Book): readonly Made[] {
  return [
    ...eventsOf(book, 'PointsRecharged').flatMap(({ batches, source_ref }) =>
      batches.map((batch) => ({ ...batch, source_ref })),
    ),
    ...[...eventsOf(book, 'HoldCanceled'), ...eventsOf(book, 'PointsRefunded')].flatMap(
      ({ grace }) => grace.map((batch) => ({ ...batch, kind: 'grace' })),
    ),
    ...eventsOf(book, 'PointsAdjusted').flatMap(({ batch }) => batch ?? []),
  ];
}

function expectedHold(book: Book, holdId: string) {
  const of = (data: { readonly hold_id: string }) => data.hold_id === holdId;
  const confirmed = eventsOf(book, 'HoldConfirmed').find(of);
  const canceled = eventsOf(book, 'HoldCanceled').find(of);
  const refunds = eventsOf(book, 'PointsRefunded').filter(of);
  const failed = refunds.some((refund) => refund.as_failure);
  const extended = eventsOf(book, 'HoldExtended').findLast(of);
  const held = eventsOf(book, 'PointsHeld').find(of);
  const late = eventsOf(book, 'HoldConfirmed').find(({ late_of }) => late_of === holdId);
  const status =
    failed || canceled !== undefined ? 'canceled' : confirmed ? 'confirmed' : 'pending';
  return [
    holdId,
    status,
    status === 'confirmed' ? (confirmed?.actual_amount ?? null) : null,
    sum(refunds.map(({ points }) => points)),
    failed ? 'failed' : (canceled?.reason ?? null),
    extended?.expires_at ?? held?.expires_at,
    late?.hold_id ?? null,
    // An event concerns a hold exactly when it names it.
    book.events.flatMap(({ event }, revision) =>
      JSON.stringify(event.data).includes(JSON.stringify(holdId)) ? [revision] : [],
    ),
    settledRevision(book, holdId),
  ];
}

/** As the fold has it, for as long as it remembers the hold; null = it is open or forgotten. */
function settledRevision({ account }: Book, holdId: string): number | null {
  const settled = mapValues(account.settledHolds).find((hold) => hold.holdId === holdId);
  return settled?.outcome.revision ?? null;
}

export function byFirst(one: readonly unknown[], other: readonly unknown[]): number {
  return String(one[0]) < String(other[0]) ? -1 : 1;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
