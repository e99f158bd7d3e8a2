import type {
  Allocation,
  CancelReason,
  FailurePolicy,
  PointsHeld,
} from '@points/domain/account/events';

/** What is kept of a hold that has its outcome: as much as a refund or a late confirm is judged by. */
export type SettledHold =
  | {
      readonly status: 'confirmed';
      readonly failurePolicy: FailurePolicy;
      readonly charged: number;
      refunded: number;
      /** Who paid, in that order: the charge's allocations, then repayments of its debt; without what was refunded. */
      funding: Allocation[];
      /** What of the charge is still debt. */
      debt: number;
    }
  | {
      readonly status: 'canceled';
      readonly reason: CancelReason;
      readonly at: string;
      /** Of an expired hold only. */
      readonly placed: PointsHeld | null;
      /** The hold that a late confirm placed for it. */
      lateHold: string | null;
    };

/** The settled holds of one account. */
export interface AccountMemory {
  readonly holds: Map<string, SettledHold>;
  /** Whether any of them had to make room. */
  hasForgotten: boolean;
}

/** Settled holds that a process keeps over all of its accounts, about 200 bytes each. */
export const SETTLED_HOLDS_MAX = 100_000;

/** Bounds what many accounts remember together: the hold that settled first makes room for the newest. */
export interface SettledHolds {
  keep(account: AccountMemory, holdId: string): void;
}

export function createSettledHolds(max: number = SETTLED_HOLDS_MAX): SettledHolds {
  const accounts: AccountMemory[] = [];
  const holdIds: string[] = [];
  let oldest = 0;
  return {
    keep(account, holdId) {
      if (accounts.length < max) {
        accounts.push(account);
        holdIds.push(holdId);
        return;
      }
      const loser = accounts[oldest];
      const lost = holdIds[oldest];
      if (loser !== undefined && lost !== undefined) {
        loser.holds.delete(lost);
        loser.hasForgotten = true;
      }
      accounts[oldest] = account;
      holdIds[oldest] = holdId;
      oldest = (oldest + 1) % max;
    },
  };
}
