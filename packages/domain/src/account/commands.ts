import type { HoldTerms } from '../pricing/resolve-price.ts';
import type { FirstAnswer, SettledHold, Source } from './account.ts';
import type { CancelReason, RechargeSource } from './events.ts';

/**
 * What can be asked of an account. Ids, time and policy arrive in the command: the domain makes nothing up.
 * Times are milliseconds since the epoch, points are integers.
 */
export type AccountCommand =
  | Recharge
  | ReverseRecharge
  | HoldPoints
  | ConfirmHold
  | CancelHold
  | ExtendHold
  | Consume
  | RefundCharge
  | Adjust
  | Freeze
  | Unfreeze
  | GrantMembership
  | RevokeMembership
  | ExpireDue;

export interface CommandContext {
  readonly commandId: string;
  /** SHA-256 (hex) over client, verb and body. */
  readonly requestHash: string;
  /** Who asks: the owner of the holds it places. */
  readonly client: string;
  /** May settle holds of other clients. */
  readonly admin: boolean;
  readonly nowMs: number;
  /**
   * When the command was taken over from its sender: `nowMs`, but for one that waited in a queue. The times inside ids
   * are judged against this.
   */
  readonly receivedMs: number;
  /** Every settlement queued before this time has been decided; null = unknown, and then no hold is overdue. */
  readonly watermarkMs: number | null;
  readonly limits: AccountLimits;
  /** Given when this command is decided again after the outcome `recall`. */
  readonly recalled?: Recalled;
}

/** What the log still knows of the ids in a command that the account itself no longer remembers; null = nothing. */
export interface Recalled {
  /** It was looked up where the account's events were known up to this revision. */
  readonly appliedRevision: number;
  readonly command: FirstAnswer | null;
  /** The settled hold that the command names. */
  readonly hold: SettledHold | null;
  readonly source: Source | null;
  /** The membership grant with the command's order_no. */
  readonly order: FirstAnswer | null;
}

export interface AccountLimits {
  /** Open holds an account may have. */
  readonly openHolds: number;
  /** How long after its expiry a hold becomes overdue. */
  readonly holdGraceMs: number;
  /** Free uses of a member in a day and a month (Asia/Shanghai); null = no cap. */
  readonly fairUse: { readonly perDay: number | null; readonly perMonth: number | null };
}

export const DEFAULT_LIMITS: AccountLimits = {
  openHolds: 1_000,
  holdGraceMs: 60_000,
  fairUse: { perDay: null, perMonth: null },
};

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

/** Takes a recharge (or reward) back, once. */
export interface ReverseRecharge {
  readonly kind: 'ReverseRecharge';
  readonly context: CommandContext;
  readonly sourceRef: string;
  readonly reason: string;
  readonly operator: string;
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
  /** The ids of the hold that is placed when this comes late, after the named one expired. */
  readonly late: { readonly holdId: string; readonly recordId: number };
}

export interface CancelHold {
  readonly kind: 'CancelHold';
  readonly context: CommandContext;
  readonly hold: HoldReference;
  readonly reason: Exclude<CancelReason, 'expired' | 'tombstone'>;
  readonly note?: string;
}

/** Moves the expiry of an open hold; never back, never beyond its longest life. */
export interface ExtendHold {
  readonly kind: 'ExtendHold';
  readonly context: CommandContext;
  readonly hold: HoldReference;
  readonly ttlMs: number;
}

/** Hold and confirm in one append. */
export interface Consume {
  readonly kind: 'Consume';
  readonly context: CommandContext;
  readonly hold: HoldRequest;
  readonly actual: ActualUse;
}

/** Gives back a charge or a part of it. */
export interface RefundCharge {
  readonly kind: 'RefundCharge';
  readonly context: CommandContext;
  readonly hold: HoldReference;
  /** All that is left of the charge when absent. */
  readonly points?: number;
  readonly reason: string;
  readonly operator?: string;
}

/** A correction by a person, up or down. */
export interface Adjust {
  readonly kind: 'Adjust';
  readonly context: CommandContext;
  readonly delta: number;
  readonly reason: string;
  readonly operator: string;
  /** A negative one may go into debt. */
  readonly forced: boolean;
}

/** Refuses new holds and consumes; what is open can be settled. */
export interface Freeze {
  readonly kind: 'Freeze';
  readonly context: CommandContext;
  readonly reason: string;
  readonly operator: string;
}

export interface Unfreeze {
  readonly kind: 'Unfreeze';
  readonly context: CommandContext;
  readonly reason: string;
  readonly operator: string;
}

/** Adds so many days of membership after the present ones. */
export interface GrantMembership {
  readonly kind: 'GrantMembership';
  readonly context: CommandContext;
  readonly membershipType: string;
  readonly durationDays: number;
  readonly orderNo: string;
}

/** Ends the membership now, with all that was granted for later. */
export interface RevokeMembership {
  readonly kind: 'RevokeMembership';
  readonly context: CommandContext;
  readonly reason: string;
  readonly operator: string;
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
  | 'overage_rejected'
  | 'account_frozen'
  | 'usage_cap_reached'
  | 'refund_exceeds_charge'
  | 'recharge_not_found';
