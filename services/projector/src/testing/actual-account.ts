import type { Book } from '@points/domain/testing/book';
import { mapGet } from '@points/domain/persistent-map';
import {
  ACCOUNTS,
  BATCHES,
  COMMANDS,
  HOLDS,
  MEMBERSHIPS,
  SOURCES,
  TOMBSTONES,
  TRANSACTIONS,
} from '../rows.ts';
import type { SourceRow, TableSpec, TransactionRow } from '../rows.ts';
import type { ReadRows } from '../touched-rows.ts';
import { byFirst } from './expected-account.ts';

/** What the read tables say of an account whose book this is, in the shape of `expectedAccount`; null = not there. */
export async function actualAccount(read: ReadRows, accountId: string, book: Book) {
  const own = <Row extends { user_id: string }>(spec: TableSpec<Row>) =>
    read(spec, [[accountId]], ['user_id']);
  const [account] = await own(ACCOUNTS);
  if (account === undefined) return null;
  const { user_id: _, id: __, updated_at: ___, frozen_at, ...numbers } = account;
  const transactions = (await own(TRANSACTIONS)).sort((one, other) =>
    BigInt(one.id) < BigInt(other.id) ? -1 : 1,
  );
  const memberships = await own(MEMBERSHIPS);
  return {
    row: { ...numbers, frozen: frozen_at !== null },
    batches: (await own(BATCHES))
      .map((batch) => [
        batch.batch_id,
        batch.kind,
        batch.points,
        batch.remaining,
        batch.held,
        batch.expired,
        batch.source_ref,
        batch.origin_batch_id,
      ])
      .sort(byFirst),
    holds: (await own(HOLDS))
      .map((hold) => [
        hold.hold_id,
        hold.status,
        hold.actual_amount,
        hold.refunded,
        hold.reason,
        new Date(hold.expires_at).toISOString(),
        hold.late_hold_id,
        hold.revisions,
        mapGet(book.account.settledHolds, hold.hold_id) === undefined
          ? null
          : hold.settled_revision,
      ])
      .sort(byFirst),
    tombstones: (await own(TOMBSTONES)).map(({ hold_id }) => hold_id).sort(),
    sources: (await own(SOURCES))
      .map((source) => [
        source.source_ref,
        source.request_hash,
        source.revision,
        source.reversed_revision,
        ...history(source, book),
      ])
      .sort(byFirst),
    orders: memberships
      .map(({ order_no, request_hash, revision }) => [order_no, request_hash, revision])
      .sort(byFirst),
    presentMemberships: memberships
      .filter((period) => period.revoked_at === null)
      .map((period): [string, number, number] => [
        period.membership_type,
        new Date(period.start_date).getTime(),
        new Date(period.end_date).getTime(),
      ])
      .filter(([, , endsMs]) => endsMs > book.account.lastEventMs)
      .sort(([, one], [, other]) => one - other),
    deltas: transactions.map(({ delta }) => delta),
    commands: (await read(COMMANDS, [[accountId]], ['account_id'])).length,
    sumsByType: sumsByType(transactions),
  };
}

/** What a source credited and how much of it has expired, as the events tell that its row names. */
function history({ revisions }: SourceRow, { events }: Book): [credited: number, expired: number] {
  let credited = 0;
  let expired = 0;
  for (const revision of revisions) {
    const event = events[revision]?.event;
    if (event?.type === 'PointsRecharged')
      for (const { points } of event.data.batches) credited += points;
    if (event?.type === 'BatchExpired') expired += event.data.points;
  }
  return [credited, expired];
}

/** A statement must add up to the totals shown beside it. */
function sumsByType(transactions: readonly TransactionRow[]) {
  const sumOf = (type: TransactionRow['type'], sign = 1) =>
    transactions.reduce((sum, row) => sum + (row.type === type ? sign * row.delta : 0), 0);
  return {
    total_recharged: sumOf('recharge'),
    total_rewarded: sumOf('reward'),
    total_adjusted: sumOf('admin_adjust'),
    total_consumed: sumOf('consume', -1),
    total_refunded: sumOf('refund'),
    total_expired: sumOf('expire', -1),
  };
}
