import { mapDelete, mapGet, mapSet } from '../persistent-map.ts';
import { parseTime } from '../time.ts';
import type {
  Account,
  Batch,
  ConfirmedOutcome,
  FirstAnswer,
  HoldOutcome,
  OpenHold,
  SettledHold,
} from './account.ts';
import { openBooks } from './books.ts';
import type {
  AccountEvent,
  BatchExpired,
  GraceBatch,
  HoldCanceled,
  HoldConfirmed,
  HoldExtended,
  HoldPrice,
  MembershipGranted,
  NewBatch,
  PointsAdjusted,
  PointsHeld,
  PointsRecharged,
  PointsRefunded,
  RechargeReversed,
  RecordedAccountEvent,
} from './events.ts';
import { chargeFunding, undoFunding } from './funding.ts';
import { countFreeUse, uncountFreeUse } from './free-use.ts';
import { forget, remember } from './memory.ts';
import { openHoldOf } from './open-hold.ts';
import { settledHoldOf, tombstoneOf } from './settled-hold.ts';

/**
 * Folds one event into the account. Arithmetic only: no rule is decided again, so a replay long after gives the same
 * state. Throws when the event cannot follow this state (a bug or a damaged log): nothing is ever guessed.
 */
export function evolve(account: Account, recorded: RecordedAccountEvent): Account {
  const { event, context } = recorded;
  const revision = account.revision + 1;
  const atMs = Math.max(account.lastEventMs, parseTime(context.occurred_at));
  const place: Place = {
    revision,
    first: { requestHash: context.request_hash, revision: revision - context.index },
    atMs,
  };
  const dated: Account = { ...account, revision, lastEventMs: atMs };
  const known = context.index === 0 ? rememberCommand(dated, context.command_id, place) : dated;
  return forget(apply(known, event, place));
}

interface Place {
  readonly revision: number;
  /** The answer to the command that the event belongs to. */
  readonly first: FirstAnswer;
  readonly atMs: number;
}

function rememberCommand(account: Account, id: string, { first, revision, atMs }: Place): Account {
  return {
    ...account,
    commands: mapSet(account.commands, id, first),
    memory: remember(account.memory, { kind: 'command', id, revision, atMs }),
  };
}

function apply(account: Account, event: AccountEvent, place: Place): Account {
  switch (event.type) {
    case 'PointsRecharged':
      return recharged(account, event.data, place);
    case 'RechargeReversed':
      return reversed(account, event.data, place);
    case 'PointsHeld':
      return held(account, event.data, place);
    case 'HoldConfirmed':
      return confirmed(account, event.data, place);
    case 'HoldCanceled':
      return canceled(account, event.data, place);
    case 'HoldExtended':
      return extended(account, event.data);
    case 'BatchExpired':
      return expired(account, event.data);
    case 'PointsRefunded':
      return refunded(account, event.data, place);
    case 'PointsAdjusted':
      return adjusted(account, event.data, place);
    case 'AccountFrozen':
      return { ...account, frozen: true };
    case 'AccountUnfrozen':
      return { ...account, frozen: false };
    case 'MembershipGranted':
      return granted(account, event.data, place);
    case 'MembershipRevoked':
      return { ...account, memberships: [] };
    default:
      return event satisfies never;
  }
}

function recharged(account: Account, data: PointsRecharged, place: Place): Account {
  const books = openBooks(account);
  let credited = 0;
  for (const batch of data.batches) {
    books.add(newBatch(batch, place.atMs, data.source_ref));
    credited += batch.points;
  }
  books.repay(data.debt_repaid);
  const source = { ...place.first, credited, expired: 0, reversed: null };
  return { ...books.close(), sources: mapSet(account.sources, data.source_ref, source) };
}

function reversed(account: Account, data: RechargeReversed, place: Place): Account {
  const books = openBooks(account);
  books.take(data.allocations);
  books.owe(data.debt_ref, data.debt_added);
  const source = mapGet(account.sources, data.source_ref);
  // A source that a snapshot has left out is looked up in the log when it is asked for.
  if (source === undefined) return books.close();
  const sources = mapSet(account.sources, data.source_ref, { ...source, reversed: place.first });
  return { ...books.close(), sources };
}

function held(account: Account, data: PointsHeld, place: Place): Account {
  const books = openBooks(account);
  books.pin(data.allocations);
  const price =
    account.latestPrice !== null && samePrice(account.latestPrice, data.price)
      ? account.latestPrice
      : data.price;
  const hold = openHoldOf(data, price, place.first, place.atMs);
  const after = books.close();
  return {
    ...after,
    latestPrice: price,
    openHolds: mapSet(account.openHolds, hold.holdId, hold),
    recordIds: mapSet(account.recordIds, hold.recordId, hold.holdId),
    freeUse:
      hold.chargeMode === 'member_free' ? countFreeUse(after.freeUse, place.atMs) : after.freeUse,
  };
}

function samePrice(a: HoldPrice, b: HoldPrice): boolean {
  return (
    a.mode === b.mode &&
    a.unit === b.unit &&
    a.unit_price === b.unit_price &&
    a.min_points === b.min_points &&
    a.rounding === b.rounding &&
    a.source === b.source &&
    a.config_version === b.config_version
  );
}

function confirmed(account: Account, data: HoldConfirmed, place: Place): Account {
  const hold = mapGet(account.openHolds, data.hold_id);
  if (hold === undefined)
    throw new Error(`HoldConfirmed of a hold that is not open: ${data.hold_id}`);
  const funding = chargeFunding(account, data.allocations);
  const books = openBooks(account);
  books.unpin(hold.pins);
  books.take(data.allocations);
  books.repay(data.debt_repaid);
  books.owe(data.hold_id, data.debt_added);
  const settled = settle(books.close(), hold, place, {
    status: 'confirmed',
    requested: data.requested_amount,
    revision: place.first.revision,
    charged: data.actual_amount,
    refunded: 0,
    funding,
    refundDescription: hold.refundDescription ?? data.description,
  });
  return data.late_of === undefined ? settled : confirmedLate(settled, data.late_of, data, place);
}

/** The expired hold says from now on that it was confirmed late, if it is still remembered. */
function confirmedLate(
  account: Account,
  expiredId: string,
  data: HoldConfirmed,
  place: Place,
): Account {
  const old = mapGet(account.settledHolds, expiredId);
  if (old === undefined || old.outcome.status !== 'canceled') return account;
  const late = {
    holdId: data.hold_id,
    requested: data.requested_amount,
    revision: place.first.revision,
  };
  const outcome: HoldOutcome = { ...old.outcome, late };
  return {
    ...account,
    settledHolds: mapSet(account.settledHolds, expiredId, { ...old, outcome }),
  };
}

function canceled(account: Account, data: HoldCanceled, place: Place): Account {
  const hold = mapGet(account.openHolds, data.hold_id);
  const outcome: HoldOutcome = {
    status: 'canceled',
    reason: data.reason,
    revision: place.first.revision,
    atMs: place.atMs,
    expired: data.reason === 'expired' ? (hold ?? null) : null,
    late: null,
  };
  if (hold === undefined) {
    if (data.reason !== 'tombstone')
      throw new Error(`HoldCanceled of a hold that is not open: ${data.hold_id}`);
    return rememberHold(account, tombstoneOf(data.hold_id, place.first, outcome), place);
  }
  const books = openBooks(account);
  books.unpin(hold.pins);
  books.repay(data.debt_repaid);
  for (const grace of data.grace) {
    books.take([{ batch_id: grace.origin_batch_id, points: grace.points }]);
    books.add(graceBatch(grace, place.atMs));
  }
  const after = settle(books.close(), hold, place, outcome);
  return hold.chargeMode === 'member_free'
    ? { ...after, freeUse: uncountFreeUse(after.freeUse, hold.placedMs) }
    : after;
}

function extended(account: Account, data: HoldExtended): Account {
  const hold = mapGet(account.openHolds, data.hold_id);
  if (hold === undefined)
    throw new Error(`HoldExtended of a hold that is not open: ${data.hold_id}`);
  const longer = { ...hold, expiresMs: parseTime(data.expires_at) };
  return { ...account, openHolds: mapSet(account.openHolds, hold.holdId, longer) };
}

function expired(account: Account, data: BatchExpired): Account {
  const sourceRef = account.batches.find(({ batchId }) => batchId === data.batch_id)?.sourceRef;
  const books = openBooks(account);
  books.take([{ batch_id: data.batch_id, points: data.points }]);
  const source = sourceRef == null ? undefined : mapGet(account.sources, sourceRef);
  if (sourceRef == null || source === undefined) return books.close();
  const lost = { ...source, expired: source.expired + data.points };
  return { ...books.close(), sources: mapSet(account.sources, sourceRef, lost) };
}

function refunded(account: Account, data: PointsRefunded, place: Place): Account {
  const books = openBooks(account);
  for (const batch of data.reopened) {
    books.add({
      ...newBatch(batch, parseTime(batch.created_at), batch.source_ref ?? null),
      originBatchId: batch.origin_batch_id ?? null,
      remaining: 0,
    });
  }
  books.cancelDebt(data.hold_id, data.debt_canceled);
  const graceIds = new Set(data.grace.map(({ batch_id }) => batch_id));
  for (const { to, points } of data.returns) {
    if (to !== 'debt' && !graceIds.has(to)) books.give(to, points);
  }
  for (const grace of data.grace) books.add(graceBatch(grace, place.atMs));
  books.repay(data.debt_repaid);
  return refundNoted(books.close(), data, place);
}

function refundNoted(account: Account, data: PointsRefunded, place: Place): Account {
  const hold = mapGet(account.settledHolds, data.hold_id);
  if (hold === undefined) {
    const { revision, atMs } = place;
    const entry = { kind: 'refund', id: data.hold_id, revision, atMs } as const;
    return {
      ...account,
      refunds: mapSet(account.refunds, data.hold_id, revision),
      memory: remember(account.memory, entry),
    };
  }
  if (hold.outcome.status !== 'confirmed')
    throw new Error(`PointsRefunded of a hold that was not confirmed: ${data.hold_id}`);
  const outcome: HoldOutcome = data.as_failure
    ? {
        status: 'canceled',
        reason: 'failed',
        revision: place.first.revision,
        atMs: place.atMs,
        expired: null,
        late: null,
      }
    : refundedOutcome(hold.outcome, data);
  return {
    ...account,
    settledHolds: mapSet(account.settledHolds, hold.holdId, { ...hold, outcome }),
  };
}

function refundedOutcome(outcome: ConfirmedOutcome, data: PointsRefunded): ConfirmedOutcome {
  return {
    ...outcome,
    refunded: data.refunded_total,
    funding: undoFunding(outcome.funding, data.points - data.debt_canceled).left,
  };
}

function adjusted(account: Account, data: PointsAdjusted, place: Place): Account {
  const books = openBooks(account);
  if (data.batch !== null) books.add(newBatch(data.batch, place.atMs, null));
  books.take(data.allocations);
  books.owe(data.debt_ref, data.debt_added);
  books.repay(data.debt_repaid);
  return books.close();
}

function granted(account: Account, data: MembershipGranted, place: Place): Account {
  const period = {
    membershipType: data.membership_type,
    startsMs: parseTime(data.starts_at),
    endsMs: parseTime(data.ends_at),
  };
  return {
    ...account,
    memberships: [...account.memberships.filter(({ endsMs }) => endsMs > place.atMs), period],
    orders: mapSet(account.orders, data.order_no, place.first),
  };
}

function newBatch(batch: NewBatch, createdMs: number, sourceRef: string | null): Batch {
  return {
    batchId: batch.batch_id,
    kind: batch.kind,
    points: batch.points,
    remaining: batch.points,
    pinned: 0,
    createdMs,
    expiresMs: batch.expires_at === null ? null : parseTime(batch.expires_at),
    sourceRef,
    originBatchId: null,
  };
}

function graceBatch(grace: GraceBatch, createdMs: number): Batch {
  return {
    ...newBatch({ ...grace, kind: 'grace' }, createdMs, grace.source_ref ?? null),
    originBatchId: grace.origin_batch_id,
  };
}

function settle(account: Account, hold: OpenHold, place: Place, outcome: HoldOutcome): Account {
  const open = mapDelete(account.openHolds, hold.holdId);
  return rememberHold({ ...account, openHolds: open }, settledHoldOf(hold, outcome), place);
}

function rememberHold(account: Account, hold: SettledHold, { revision, atMs }: Place): Account {
  return {
    ...account,
    settledHolds: mapSet(account.settledHolds, hold.holdId, hold),
    memory: remember(account.memory, { kind: 'hold', id: hold.holdId, revision, atMs }),
  };
}
