import type { FailurePolicy, OveragePolicy } from '../account/events.ts';
import type { Rounding } from './decimal.ts';

/** What operations cost: the validated content of `config/points-config.yaml`, stored as an event when it changes. */
export interface PricingConfig {
  readonly version: number;
  readonly timezone: string;
  readonly expiry: { readonly default_days: number; readonly expiring_soon_days: number };
  readonly holds: { readonly ttl_seconds: number; readonly max_open_per_user: number };
  readonly overdraft: {
    /** Most debt by overage; null = no floor. */ readonly floor: number | null;
  };
  readonly operations: Readonly<Record<string, Operation>>;
  /** Source types that never cost anything. */
  readonly free_services: readonly string[];
  readonly membership: {
    /** Free uses of a member; null = no cap. */
    readonly fair_use: { readonly per_day: number | null; readonly per_month: number | null };
  };
}

/** Prices are numbers that `String` writes with at most 6 decimal places and no exponent. */
export type Operation = OperationPolicies &
  (
    | { readonly mode: 'fixed'; readonly points: number; readonly per: 'call' | 'quantity' }
    | {
        readonly mode: 'duration';
        readonly points_per_second: number;
        readonly rounding: Rounding;
        readonly min_points: number;
      }
    | { readonly mode: 'free' }
    /** Priced by the model that the hold names; without a model there is no price. */
    | { readonly mode: 'catalog' }
  );

export interface OperationPolicies {
  readonly hold_ttl_seconds?: number | undefined;
  readonly overage?: OveragePolicy | undefined;
  readonly failure_policy?: FailurePolicy | undefined;
  readonly member_free?: boolean | undefined;
  /** `{key}` is replaced by the hold's metadata value of that key. */
  readonly description?: string | undefined;
  readonly refund_description?: string | undefined;
}

/** The event of `pricingConfig-ledger`. Storage format. */
export interface ConfigLoadedEvent {
  readonly type: 'ConfigLoaded';
  readonly data: {
    /** SHA-256 (hex) of the canonical JSON of `content`. */
    readonly version: string;
    readonly content: PricingConfig;
  };
}
