import { mapValues } from '@points/domain/persistent-map';
import type { Book } from '@points/domain/testing/book';

/** What the read tables must say of an account, worked out from its book without any code of the projector. */
export function expectedAccount(book: Book) {
  const { account, events } = book;
  const total = (worth: (recorded: Book['events'][number]) => number) =>
    events.reduce((sum, recorded) => sum + worth(recorded), 0);
  const credited = (recorded: Book['events'][number], reward: boolean) =>
    recorded.event.type === 'PointsRecharged' &&
    (recorded.event.data.source === 'reward') === reward
      ? recorded.event.data.batches.reduce((sum, batch) => sum + batch.points, 0)
      : 0;
  return {
    row: {
      balance: account.balance,
      held: account.held,
      debt: account.debt,
      ledger_version: account.revision,
      total_recharged: total((recorded) => credited(recorded, false)),
      total_rewarded: total((recorded) => credited(recorded, true)),
      total_reversed: total(({ event }) =>
        event.type === 'RechargeReversed' ? event.data.points : 0,
      ),
      total_adjusted: total(({ event }) =>
        event.type === 'PointsAdjusted' ? event.data.delta : 0,
      ),
      total_consumed: total(({ event }) =>
        event.type === 'HoldConfirmed' ? event.data.actual_amount : 0,
      ),
      total_refunded: total(({ event }) =>
        event.type === 'PointsRefunded' ? event.data.points : 0,
      ),
      total_expired: total(({ event }) => (event.type === 'BatchExpired' ? event.data.points : 0)),
    },
    /** Batches with points left. */
    batches: account.batches
      .map(({ batchId, kind, points, remaining, pinned }) => ({
        batch_id: batchId,
        kind,
        points,
        remaining,
        held: pinned,
      }))
      .sort((a, b) => (a.batch_id < b.batch_id ? -1 : 1)),
    pendingHolds: mapValues(account.openHolds)
      .map(({ holdId, amount }) => ({ hold_id: holdId, amount }))
      .sort((a, b) => (a.hold_id < b.hold_id ? -1 : 1)),
    deltas: events
      .map(({ event }) => event.data.balance_after - event.data.balance_before)
      .filter((delta) => delta !== 0),
    commands: new Set(events.map(({ context }) => context.command_id)).size,
  };
}
