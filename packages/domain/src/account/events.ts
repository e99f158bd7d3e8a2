/**
 * The events of one account, exactly as they are stored in `account-<accountId>`.
 *
 * Type names and field names are storage format: never rename one, never change a meaning. A new shape is a new
 * optional field or an upcast in `packages/contracts`.
 *
 * Units: points are integers (safe integers, at most 1e12 per command); times are ISO-8601 UTC with milliseconds;
 * names ending in `_ms` are milliseconds; `unit_price` is a decimal string in points.
 */
export type AccountEvent =
  | { readonly type: 'PointsRecharged'; readonly data: PointsRecharged }
  | { readonly type: 'RechargeReversed'; readonly data: RechargeReversed }
  | { readonly type: 'PointsHeld'; readonly data: PointsHeld }
  | { readonly type: 'HoldConfirmed'; readonly data: HoldConfirmed }
  | { readonly type: 'HoldCanceled'; readonly data: HoldCanceled }
  | { readonly type: 'HoldExtended'; readonly data: HoldExtended }
  | { readonly type: 'BatchExpired'; readonly data: BatchExpired }
  | { readonly type: 'PointsRefunded'; readonly data: PointsRefunded }
  | { readonly type: 'PointsAdjusted'; readonly data: PointsAdjusted }
  | { readonly type: 'AccountFrozen'; readonly data: AccountFrozen }
  | { readonly type: 'AccountUnfrozen'; readonly data: AccountFrozen }
  | { readonly type: 'MembershipGranted'; readonly data: MembershipGranted }
  | { readonly type: 'MembershipRevoked'; readonly data: MembershipRevoked };

export type AccountEventType = AccountEvent['type'];

/** What the log knows of an event beside its data: who asked for it and when it was decided. */
export interface EventContext {
  readonly command_id: string;
  /** SHA-256 (hex) of the request, see account rules §2.3. */
  readonly request_hash: string;
  /** Place among the events of its command, from 0. */
  readonly index: number;
  /** ISO-8601 UTC; never earlier than the account's previous event. */
  readonly occurred_at: string;
}

/** An account event together with its context: what `evolve` folds. */
export interface RecordedAccountEvent {
  readonly event: AccountEvent;
  readonly context: EventContext;
}

/** Carried by every event, so that each says by itself where the account stands. */
export interface BalanceFields {
  readonly balance_before: number;
  readonly balance_after: number;
  readonly available_after: number;
  readonly debt_after: number;
}

export interface Allocation {
  readonly batch_id: string;
  readonly points: number;
}

export interface DebtRepayment {
  readonly debt_ref: string;
  readonly batch_id: string;
  readonly points: number;
}

export type BatchKind = 'paid' | 'bonus' | 'reward' | 'grace' | 'adjust';

export interface NewBatch {
  readonly batch_id: string;
  readonly kind: BatchKind;
  readonly points: number;
  /** null = never expires. */
  readonly expires_at: string | null;
}

/** Points of a due batch that a release gave back for a few more days. */
export interface GraceBatch {
  readonly batch_id: string;
  readonly points: number;
  readonly expires_at: string;
  readonly origin_batch_id: string;
  /** The recharge that the points once came with; absent when they came with none (an adjustment). */
  readonly source_ref?: string;
}

export type RechargeSource = 'order' | 'reward' | 'admin' | 'import';

export interface PointsRecharged extends BalanceFields {
  readonly source: RechargeSource;
  /** Unique per account over all sources, for ever. */
  readonly source_ref: string;
  readonly batches: readonly NewBatch[];
  readonly debt_repaid: readonly DebtRepayment[];
  readonly description: string;
  readonly order_no?: string;
}

/** A recharge is taken back: from its own batches' free points, then any free points; the rest is debt. */
export interface RechargeReversed extends BalanceFields {
  readonly source_ref: string;
  /** What was owed: credited by that source less what of it has expired. */
  readonly points: number;
  readonly expired_not_owed: number;
  readonly allocations: readonly Allocation[];
  readonly debt_added: number;
  /** `reversal:<source_ref>`. */
  readonly debt_ref: string;
  readonly reason: string;
  readonly operator: string;
}

export type ChargeMode = 'charged' | 'free' | 'member_free';
export type OveragePolicy = 'debt' | 'cap' | 'reject';
export type FailurePolicy = 'cancel' | 'charge_then_refund';

/** The price as it was resolved for one hold; confirm uses this and nothing else. */
export interface HoldPrice {
  readonly mode: 'fixed' | 'duration' | 'free' | 'amount';
  readonly unit: 'call' | 'quantity' | 'second';
  /** Decimal string, at most 6 places. */
  readonly unit_price: string;
  /** Least charge when anything at all was used. */
  readonly min_points: number;
  readonly rounding: 'ceil' | 'floor' | 'half_up';
  /** Where the price came from: `model:<model_id>`, `operation:<source_type>` or `amount`. */
  readonly source: string;
  /** Version of the pricing config in force; empty for `amount`. */
  readonly config_version: string;
}

export interface PointsHeld extends BalanceFields {
  readonly hold_id: string;
  readonly record_id: number;
  readonly amount: number;
  /** The points pinned in each batch, in spend order. */
  readonly allocations: readonly Allocation[];
  readonly price: HoldPrice;
  readonly charge_mode: ChargeMode;
  /** What the use would have cost without `free` and `member_free`. */
  readonly list_price: number;
  readonly source_type?: string;
  readonly model?: string;
  readonly biz_type?: string;
  readonly biz_id?: string;
  readonly task_no: string;
  readonly quantity?: number;
  readonly estimated_duration_ms?: number;
  readonly overage: OveragePolicy;
  /** Most debt the account may reach by overage; null = no floor. */
  readonly debt_floor: number | null;
  readonly failure_policy: FailurePolicy;
  /** Whether a confirm after expiry may still charge what is available. */
  readonly late_confirm: 'if_available' | 'reject';
  /** The expired hold that a late confirm charges after all; this one is confirmed in the same append. */
  readonly late_of?: string;
  readonly description: string;
  readonly refund_description?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly expires_at: string;
  readonly max_expires_at: string;
  /** The client that placed the hold; only it (or an admin) may settle it. */
  readonly owner: string;
}

export interface HoldConfirmed extends BalanceFields {
  readonly hold_id: string;
  readonly held_amount: number;
  /** What the use cost by the hold's price, before any cap or floor. */
  readonly requested_amount: number;
  readonly actual_amount: number;
  /** Where the charge came from: the hold's own pins first, then free points. */
  readonly allocations: readonly Allocation[];
  readonly released: number;
  /** Charged beyond the held amount (from free points and as debt). */
  readonly overage: number;
  readonly debt_added: number;
  readonly waived: number;
  readonly debt_repaid: readonly DebtRepayment[];
  /** See `PointsHeld.late_of`. */
  readonly late_of?: string;
  readonly quantity?: number;
  readonly duration_ms?: number;
  readonly description: string;
}

export type CancelReason = 'caller' | 'failed' | 'client_abort' | 'expired' | 'admin' | 'tombstone';

export interface HoldCanceled extends BalanceFields {
  readonly hold_id: string;
  readonly reason: CancelReason;
  readonly note?: string;
  readonly released: number;
  readonly debt_repaid: readonly DebtRepayment[];
  readonly grace: readonly GraceBatch[];
}

export interface BatchExpired extends BalanceFields {
  readonly batch_id: string;
  readonly points: number;
  /** When the batch became due. */
  readonly expired_at: string;
  /** Points of the batch that open holds still pin. */
  readonly pinned_left: number;
}

export interface HoldExtended extends BalanceFields {
  readonly hold_id: string;
  readonly previous_expires_at: string;
  readonly expires_at: string;
}

/** One part of a refund: what had paid for the charge, and where it goes. `debt` or a batch id. */
export interface RefundReturn {
  readonly from: string;
  readonly to: string;
  readonly points: number;
}

/** A batch that had been spent to the last point and gets some back. */
export interface ReopenedBatch extends NewBatch {
  readonly created_at: string;
  readonly source_ref?: string;
  readonly origin_batch_id?: string;
}

export interface PointsRefunded extends BalanceFields {
  readonly hold_id: string;
  readonly points: number;
  /** Of this charge so far, with this refund. */
  readonly refunded_total: number;
  /** In the order undone: what is still debt, then the latest repayment first, then the last allocation first. */
  readonly returns: readonly RefundReturn[];
  /** New batches for parts whose batch is due. */
  readonly grace: readonly GraceBatch[];
  readonly reopened: readonly ReopenedBatch[];
  readonly debt_canceled: number;
  readonly debt_repaid: readonly DebtRepayment[];
  /** The work failed: the charge before it in the same append never stood, and the hold counts as canceled. */
  readonly as_failure: boolean;
  readonly reason: string;
  readonly operator?: string;
  readonly description: string;
}

export interface PointsAdjusted extends BalanceFields {
  /** Signed, never 0. */
  readonly delta: number;
  readonly reason: string;
  readonly operator: string;
  /** May go into debt. */
  readonly forced: boolean;
  /** The new batch of a positive adjustment. */
  readonly batch: NewBatch | null;
  readonly allocations: readonly Allocation[];
  readonly debt_added: number;
  /** `adjust:<command_id>`. */
  readonly debt_ref: string;
  readonly debt_repaid: readonly DebtRepayment[];
}

/** Also of AccountUnfrozen. */
export interface AccountFrozen extends BalanceFields {
  readonly reason: string;
  readonly operator: string;
}

export interface MembershipGranted extends BalanceFields {
  readonly membership_type: string;
  readonly starts_at: string;
  readonly ends_at: string;
  /** Where the membership ended before; null = there was none. */
  readonly previous_ends_at: string | null;
  /** Unique per account, for ever. */
  readonly order_no: string;
}

export interface MembershipRevoked extends BalanceFields {
  readonly reason: string;
  readonly operator: string;
  readonly ended_at: string;
}
