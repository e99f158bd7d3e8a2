import type {
  Allocation,
  CancelReason,
  FailurePolicy,
  PointsHeld,
} from '@points/domain/account/events';
import type { GoingBack } from './going-back.ts';

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
      /** Of an expired hold only: what a late confirm has to repeat. */
      readonly placed: Pick<PointsHeld, 'late_confirm' | 'price' | 'owner' | 'charge_mode'> | null;
      /** The hold that a late confirm placed for it. */
      lateHold: string | null;
    };

/** The settled holds of one account. */
export interface AccountMemory {
  readonly holds: Map<string, SettledHold>;
  /** Whether any of them had to make room. */
  hasForgotten: boolean;
  readonly forgotten: ForgottenHolds | undefined;
}

/** Told of the settled holds of one account that had to make room, and of events that go back to them. */
export interface ForgottenHolds {
  forget(holdId: string, hold: SettledHold): void;
  /** What the event says adds up; whether it is right can only be told by the hold, with `goBack`. There may never have been one. */
  goBack(holdId: string, back: GoingBack): void;
}

/** Settled holds that a process keeps over all of its accounts, about 400 bytes each. */
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
      forget(accounts[oldest], holdIds[oldest]);
      accounts[oldest] = account;
      holdIds[oldest] = holdId;
      oldest = (oldest + 1) % max;
    },
  };
}

function forget(account: AccountMemory | undefined, holdId: string | undefined): void {
  if (account === undefined || holdId === undefined) return;
  const hold = account.holds.get(holdId);
  if (hold === undefined) return;
  account.holds.delete(holdId);
  account.hasForgotten = true;
  account.forgotten?.forget(holdId, hold);
}
