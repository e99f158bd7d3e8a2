import type { HoldTerms } from '../pricing/resolve-price.ts';
import type { CancelReason, RechargeSource } from './events.ts';

/**
 * What can be asked of an account. Ids, time and policy arrive in the command: the domain makes nothing up.
 * Times are milliseconds since the epoch, points are integers.
 */
export type AccountCommand = Recharge | HoldPoints | ConfirmHold | CancelHold | Consume | ExpireDue;

export interface CommandContext {
  readonly commandId: string;
  /** SHA-256 (hex) over client, verb and body. */
  readonly requestHash: string;
  /** Who asks: the owner of the holds it places. */
  readonly client: string;
  /** May settle holds of other clients. */
  readonly admin: boolean;
  readonly nowMs: number;
  /** Every settlement queued before this time has been decided; null = unknown, and then no hold is overdue. */
  readonly watermarkMs: number | null;
  readonly limits: AccountLimits;
}

export interface AccountLimits {
  /** Open holds an account may have. */
  readonly openHolds: number;
  /** How long after its expiry a hold becomes overdue. */
  readonly holdGraceMs: number;
}

export const DEFAULT_LIMITS: AccountLimits = { openHolds: 1_000, holdGraceMs: 60_000 };

/** When new points expire. */
export type Expiry =
  | { readonly kind: 'never' }
  | { readonly kind: 'at'; readonly atMs: number }
  /** 23:59:59.999 Asia/Shanghai, so many days after today. */
  | { readonly kind: 'days'; readonly days: number };

export interface Recharge {
  readonly kind: 'Recharge';
  readonly context: CommandContext;
  readonly source: RechargeSource;
  readonly sourceRef: string;
  readonly points: number;
  readonly bonusPoints: number;
  readonly expiry: Expiry;
  readonly description: string;
  readonly orderNo?: string;
}

export interface HoldRequest {
  readonly holdId: string;
  readonly recordId: number;
  /** The resolved price and policies, or why there is none; a refusal counts only when the price's turn comes. */
  readonly terms: HoldTerms | Refusal;
  /** Overrides the terms' life of a hold. */
  readonly ttlMs?: number;
  /** The most the caller agrees to; more is refused as `price_changed`. */
  readonly maxAmount?: number;
  readonly sourceType?: string;
  readonly model?: string;
  readonly bizType?: string;
  readonly bizId?: string;
  readonly quantity?: number;
  readonly estimatedDurationMs?: number;
  readonly description?: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface HoldPoints {
  readonly kind: 'HoldPoints';
  readonly context: CommandContext;
  readonly hold: HoldRequest;
}

export type HoldReference = { readonly holdId: string } | { readonly recordId: number };

/** What was really used, in the hold's own unit or in points. */
export type ActualUse =
  | { readonly kind: 'as_held' }
  | { readonly kind: 'points'; readonly points: number }
  | { readonly kind: 'quantity'; readonly quantity: number }
  | { readonly kind: 'duration'; readonly durationMs: number };

export interface ConfirmHold {
  readonly kind: 'ConfirmHold';
  readonly context: CommandContext;
  readonly hold: HoldReference;
  readonly actual: ActualUse;
  readonly description?: string;
}

export interface CancelHold {
  readonly kind: 'CancelHold';
  readonly context: CommandContext;
  readonly hold: HoldReference;
  readonly reason: Exclude<CancelReason, 'expired' | 'tombstone'>;
  readonly note?: string;
}

/** Hold and confirm in one append. */
export interface Consume {
  readonly kind: 'Consume';
  readonly context: CommandContext;
  readonly hold: HoldRequest;
  readonly actual: ActualUse;
}

/** Expires due batches and cancels overdue holds, a bounded number each. */
export interface ExpireDue {
  readonly kind: 'ExpireDue';
  readonly context: CommandContext;
}

/** A business refusal: nothing was appended. `details` are numbers and names for the caller, never prose. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly details?: Readonly<Record<string, string | number>>;
}

export type RefusalCode =
  | 'insufficient_points'
  | 'price_not_found'
  | 'model_disabled'
  | 'price_changed'
  | 'invalid_argument'
  | 'hold_not_found'
  | 'hold_already_confirmed'
  | 'hold_already_canceled'
  | 'hold_expired'
  | 'command_id_reused'
  | 'hold_id_reused'
  | 'source_ref_reused'
  | 'command_too_old'
  | 'hold_id_too_old'
  | 'id_in_future'
  | 'forbidden'
  | 'too_many_open_holds'
  | 'overage_rejected';
