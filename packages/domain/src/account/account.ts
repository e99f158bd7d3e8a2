import type {
  AccountEvent,
  Allocation,
  BatchKind,
  CancelReason,
  ChargeMode,
  FailurePolicy,
  HoldCanceled,
  HoldConfirmed,
  HoldPrice,
  OveragePolicy,
  PointsHeld,
  PointsRecharged,
  RecordedAccountEvent,
} from './events.ts';
import { type PersistentMap, emptyMap, mapDelete, mapGet, mapSet } from '../persistent-map.ts';
import { parseTime } from '../time.ts';
import { openBooks } from './books.ts';

/** The folded state of one account. Immutable: `evolve` returns a new one and leaves the old one readable. */
export interface Account {
  /** Revision of the last event; −1 before the first. */
  readonly revision: number;
  /** Time of the last event; 0 before the first. */
  readonly lastEventMs: number;
  /** Batches with points left, in spend order. */
  readonly batches: readonly Batch[];
  /** First in, first out. */
  readonly debts: readonly Debt[];
  /** Σ remaining − Σ debt; due batches count until their BatchExpired. */
  readonly balance: number;
  /** Σ amounts of open holds = Σ pinned. */
  readonly held: number;
  /** Σ debts. */
  readonly debt: number;
  readonly openHolds: PersistentMap<string, OpenHold>;
  readonly settledHolds: PersistentMap<string, SettledHold>;
  /** hold_id by record_id, of open and settled holds. */
  readonly recordIds: PersistentMap<number, string>;
  /** Commands that appended something, by command_id. */
  readonly commands: PersistentMap<string, FirstAnswer>;
  /** Recharges and rewards by source_ref, for ever. */
  readonly sourceRefs: PersistentMap<string, FirstAnswer>;
}

/** Where the first answer to a request stands in the stream. */
export interface FirstAnswer {
  readonly requestHash: string;
  /** Revision of the first event of that command. */
  readonly revision: number;
}

export interface Batch {
  readonly batchId: string;
  readonly kind: BatchKind;
  readonly points: number;
  readonly remaining: number;
  readonly pinned: number;
  readonly createdMs: number;
  /** null = never. */
  readonly expiresMs: number | null;
}

export interface Debt {
  readonly debtRef: string;
  readonly points: number;
}

export interface OpenHold extends FirstAnswer {
  readonly holdId: string;
  readonly recordId: number;
  readonly taskNo: string;
  readonly amount: number;
  /** In spend order. */
  readonly pins: readonly Allocation[];
  readonly price: HoldPrice;
  readonly chargeMode: ChargeMode;
  readonly overage: OveragePolicy;
  readonly debtFloor: number | null;
  readonly failurePolicy: FailurePolicy;
  readonly description: string;
  readonly expiresMs: number;
  readonly maxExpiresMs: number;
  readonly owner: string;
}

/** What is kept of a hold that reached its terminal state. */
export interface SettledHold extends FirstAnswer {
  readonly holdId: string;
  /** null = a tombstone: canceled before it was ever held. */
  readonly recordId: number | null;
  readonly amount: number;
  readonly price: HoldPrice | null;
  readonly chargeMode: ChargeMode;
  readonly owner: string | null;
  readonly outcome: HoldOutcome;
}

export type HoldOutcome =
  | { readonly status: 'confirmed'; readonly requested: number; readonly revision: number }
  | {
      readonly status: 'canceled';
      readonly reason: CancelReason;
      readonly revision: number;
      readonly atMs: number;
    };

/** An account before its first event. Each call gives one that shares nothing with any other account. */
export function freshAccount(): Account {
  return {
    revision: -1,
    lastEventMs: 0,
    batches: [],
    debts: [],
    balance: 0,
    held: 0,
    debt: 0,
    openHolds: emptyMap(),
    settledHolds: emptyMap(),
    recordIds: emptyMap(),
    commands: emptyMap(),
    sourceRefs: emptyMap(),
  };
}

/**
 * Folds one event into the account. Arithmetic only: no rule is decided again, so a replay long after gives the same
 * state. Throws when the event cannot follow this state (a bug or a damaged log): nothing is ever guessed.
 */
export function evolve(account: Account, recorded: RecordedAccountEvent): Account {
  const { event, context } = recorded;
  const revision = account.revision + 1;
  const firstRevision = revision - context.index;
  const atMs = parseTime(context.occurred_at);
  const remembered: Account = {
    ...account,
    revision,
    lastEventMs: Math.max(account.lastEventMs, atMs),
    commands:
      context.index === 0
        ? mapSet(account.commands, context.command_id, {
            requestHash: context.request_hash,
            revision,
          })
        : account.commands,
  };
  const place: Place = { firstRevision, requestHash: context.request_hash, atMs };
  return apply(remembered, event, place);
}

interface Place {
  readonly firstRevision: number;
  readonly requestHash: string;
  readonly atMs: number;
}

function apply(account: Account, event: AccountEvent, place: Place): Account {
  switch (event.type) {
    case 'PointsRecharged':
      return recharged(account, event.data, place);
    case 'PointsHeld':
      return held(account, event.data, place);
    case 'HoldConfirmed':
      return confirmed(account, event.data, place);
    case 'HoldCanceled':
      return canceled(account, event.data, place);
    case 'BatchExpired': {
      const books = openBooks(account);
      books.take([{ batch_id: event.data.batch_id, points: event.data.points }]);
      return books.close();
    }
    default:
      return event satisfies never;
  }
}

function recharged(account: Account, data: PointsRecharged, place: Place): Account {
  const books = openBooks(account);
  for (const batch of data.batches) {
    books.add({
      batchId: batch.batch_id,
      kind: batch.kind,
      points: batch.points,
      remaining: batch.points,
      pinned: 0,
      createdMs: place.atMs,
      expiresMs: batch.expires_at === null ? null : parseTime(batch.expires_at),
    });
  }
  books.repay(data.debt_repaid);
  const answer: FirstAnswer = { requestHash: place.requestHash, revision: place.firstRevision };
  return { ...books.close(), sourceRefs: mapSet(account.sourceRefs, data.source_ref, answer) };
}

function held(account: Account, data: PointsHeld, place: Place): Account {
  const books = openBooks(account);
  books.pin(data.allocations);
  const hold: OpenHold = {
    holdId: data.hold_id,
    recordId: data.record_id,
    taskNo: data.task_no,
    amount: data.amount,
    pins: data.allocations,
    price: data.price,
    chargeMode: data.charge_mode,
    overage: data.overage,
    debtFloor: data.debt_floor,
    failurePolicy: data.failure_policy,
    description: data.description,
    expiresMs: parseTime(data.expires_at),
    maxExpiresMs: parseTime(data.max_expires_at),
    owner: data.owner,
    requestHash: place.requestHash,
    revision: place.firstRevision,
  };
  return {
    ...books.close(),
    openHolds: mapSet(account.openHolds, hold.holdId, hold),
    recordIds: mapSet(account.recordIds, hold.recordId, hold.holdId),
  };
}

function confirmed(account: Account, data: HoldConfirmed, place: Place): Account {
  const hold = mapGet(account.openHolds, data.hold_id);
  if (hold === undefined)
    throw new Error(`HoldConfirmed of a hold that is not open: ${data.hold_id}`);
  const books = openBooks(account);
  books.unpin(hold.pins);
  books.take(data.allocations);
  books.repay(data.debt_repaid);
  books.owe(data.hold_id, data.debt_added);
  return settle(books.close(), hold, {
    status: 'confirmed',
    requested: data.requested_amount,
    revision: place.firstRevision,
  });
}

function canceled(account: Account, data: HoldCanceled, place: Place): Account {
  const outcome: HoldOutcome = {
    status: 'canceled',
    reason: data.reason,
    revision: place.firstRevision,
    atMs: place.atMs,
  };
  const hold = mapGet(account.openHolds, data.hold_id);
  if (hold === undefined) {
    if (data.reason !== 'tombstone')
      throw new Error(`HoldCanceled of a hold that is not open: ${data.hold_id}`);
    return {
      ...account,
      settledHolds: mapSet(
        account.settledHolds,
        data.hold_id,
        tombstone(data.hold_id, place, outcome),
      ),
    };
  }
  const books = openBooks(account);
  books.unpin(hold.pins);
  books.repay(data.debt_repaid);
  for (const grace of data.grace) {
    books.take([{ batch_id: grace.origin_batch_id, points: grace.points }]);
    books.add({
      batchId: grace.batch_id,
      kind: 'grace',
      points: grace.points,
      remaining: grace.points,
      pinned: 0,
      createdMs: place.atMs,
      expiresMs: parseTime(grace.expires_at),
    });
  }
  return settle(books.close(), hold, outcome);
}

function settle(account: Account, hold: OpenHold, outcome: HoldOutcome): Account {
  const settled: SettledHold = {
    holdId: hold.holdId,
    recordId: hold.recordId,
    amount: hold.amount,
    price: hold.price,
    chargeMode: hold.chargeMode,
    owner: hold.owner,
    requestHash: hold.requestHash,
    revision: hold.revision,
    outcome,
  };
  return {
    ...account,
    openHolds: mapDelete(account.openHolds, hold.holdId),
    settledHolds: mapSet(account.settledHolds, hold.holdId, settled),
  };
}

function tombstone(holdId: string, place: Place, outcome: HoldOutcome): SettledHold {
  return {
    holdId,
    recordId: null,
    amount: 0,
    price: null,
    chargeMode: 'charged',
    owner: null,
    requestHash: place.requestHash,
    revision: place.firstRevision,
    outcome,
  };
}
