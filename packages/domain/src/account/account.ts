import type {
  Allocation,
  BatchKind,
  CancelReason,
  ChargeMode,
  FailurePolicy,
  HoldPrice,
  OveragePolicy,
} from './events.ts';
import { type PersistentMap, emptyMap } from '../persistent-map.ts';
import { type Memory, emptyMemory } from './memory.ts';

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
  readonly frozen: boolean;
  /** One after another, without those that had ended at the last grant. */
  readonly memberships: readonly MembershipPeriod[];
  readonly freeUse: FreeUse;
  /** Of the latest hold: most holds share one, and it is kept once. */
  readonly latestPrice: HoldPrice | null;
  readonly openHolds: PersistentMap<string, OpenHold>;
  /** As long as `memory` has them. */
  readonly settledHolds: PersistentMap<string, SettledHold>;
  /** hold_id by record_id, of open and settled holds. */
  readonly recordIds: PersistentMap<number, string>;
  /** Commands that appended something, by command_id, as long as `memory` has them. */
  readonly commands: PersistentMap<string, FirstAnswer>;
  /** Revision of the latest refund of charges that were forgotten by then, by hold_id. */
  readonly refunds: PersistentMap<string, number>;
  /** Recharges and rewards by source_ref, for ever. */
  readonly sources: PersistentMap<string, Source>;
  /** Membership grants by order_no, for ever. */
  readonly orders: PersistentMap<string, FirstAnswer>;
  readonly memory: Memory;
}

/** Where the first answer to a request stands in the stream. */
export interface FirstAnswer {
  readonly requestHash: string;
  /** Revision of the first event of that command. */
  readonly revision: number;
}

/** What a batch is, whatever is left of it. */
export interface BatchOrigin {
  readonly batchId: string;
  readonly kind: BatchKind;
  readonly points: number;
  readonly createdMs: number;
  /** null = never. */
  readonly expiresMs: number | null;
  /** The recharge that the points came with; null for adjustments. */
  readonly sourceRef: string | null;
  /** The batch that a grace batch continues. */
  readonly originBatchId: string | null;
}

export interface Batch extends BatchOrigin {
  readonly remaining: number;
  readonly pinned: number;
}

export interface Debt {
  readonly debtRef: string;
  readonly points: number;
}

/** A recharge or reward, as far as taking it back needs it. */
export interface Source extends FirstAnswer {
  readonly credited: number;
  /** What of its batches, and of the grace batches that continue them, has expired. */
  readonly expired: number;
  readonly reversed: FirstAnswer | null;
}

export interface MembershipPeriod {
  readonly membershipType: string;
  readonly startsMs: number;
  readonly endsMs: number;
}

/** Free uses by the member in the latest day and month (Asia/Shanghai) that had one, less canceled ones. */
export interface FreeUse {
  /** yyyyMMdd; empty = none yet. */
  readonly day: string;
  readonly inDay: number;
  readonly inMonth: number;
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
  readonly listPrice: number;
  readonly overage: OveragePolicy;
  readonly debtFloor: number | null;
  readonly failurePolicy: FailurePolicy;
  readonly lateConfirm: 'if_available' | 'reject';
  readonly labels: HoldLabels;
  readonly description: string;
  readonly refundDescription: string | null;
  readonly placedMs: number;
  readonly expiresMs: number;
  readonly maxExpiresMs: number;
  readonly owner: string;
}

/** What the caller called its hold, field by field as in the event. */
export interface HoldLabels {
  readonly source_type?: string;
  readonly model?: string;
  readonly biz_type?: string;
  readonly biz_id?: string;
  readonly quantity?: number;
  readonly estimated_duration_ms?: number;
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

export type HoldOutcome = ConfirmedOutcome | CanceledOutcome;

export interface ConfirmedOutcome {
  readonly status: 'confirmed';
  readonly requested: number;
  readonly revision: number;
  readonly charged: number;
  readonly refunded: number;
  /**
   * What has paid for the charge and was not refunded: its allocations, then repayments of its debt, in that order.
   * charged = refunded + Σ funding + what is still debt.
   */
  readonly funding: readonly Funding[];
  /** For the refund that may come. */
  readonly refundDescription: string;
}

export interface Funding {
  readonly batch: BatchOrigin;
  readonly points: number;
}

export interface CanceledOutcome {
  readonly status: 'canceled';
  readonly reason: CancelReason;
  readonly revision: number;
  readonly atMs: number;
  /** Of an expired hold: what a late confirm goes by. */
  readonly expired: OpenHold | null;
  /** The late confirm, once it has come. */
  readonly late: LateConfirm | null;
}

export interface LateConfirm {
  readonly holdId: string;
  readonly requested: number;
  readonly revision: number;
}

/** Most ids (commands and settled holds) that an account remembers. */
export const REMEMBERED_IDS_MAX = 10_000;

/** An account before its first event. Each call gives one that shares nothing with any other account. */
export function freshAccount(rememberedIdsMax: number = REMEMBERED_IDS_MAX): Account {
  return {
    revision: -1,
    lastEventMs: 0,
    batches: [],
    debts: [],
    balance: 0,
    held: 0,
    debt: 0,
    frozen: false,
    memberships: [],
    freeUse: { day: '', inDay: 0, inMonth: 0 },
    latestPrice: null,
    openHolds: emptyMap(),
    settledHolds: emptyMap(),
    recordIds: emptyMap(),
    commands: emptyMap(),
    refunds: emptyMap(),
    sources: emptyMap(),
    orders: emptyMap(),
    memory: emptyMemory(rememberedIdsMax),
  };
}

/** The identity of a batch, without what is left of it. */
export function originOf(batch: BatchOrigin): BatchOrigin {
  const { batchId, kind, points, createdMs, expiresMs, sourceRef, originBatchId } = batch;
  return { batchId, kind, points, createdMs, expiresMs, sourceRef, originBatchId };
}
