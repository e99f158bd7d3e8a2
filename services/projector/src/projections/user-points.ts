import type { BalanceFields } from '@points/domain/account/events';
import type { AccountRow } from '../rows.ts';
import { ProjectionError, sourceKey } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `user_points`: one row per account, its balance and the totals that make it. */
export const userPoints: AccountProjection = {
  PointsRecharged(set, data, place) {
    const account = moved(set, data, place);
    const points = data.balance_after - data.balance_before;
    if (data.source === 'reward') account.total_rewarded += points;
    else account.total_recharged += points;
  },
  PointsHeld(set, data, place) {
    moved(set, data, place).held += data.amount;
  },
  HoldConfirmed(set, data, place) {
    const account = moved(set, data, place);
    account.held -= data.held_amount;
    account.total_consumed += data.actual_amount;
  },
  HoldCanceled(set, data, place) {
    moved(set, data, place).held -= data.released;
  },
  BatchExpired(set, data, place) {
    moved(set, data, place).total_expired += data.points;
  },
  // What was taken back counts as never given: a total is the sum of its rows in the statement.
  RechargeReversed(set, data, place) {
    const account = moved(set, data, place);
    const { source } = set.sources.change(sourceKey(place.accountId, data.source_ref));
    account.total_reversed += data.points;
    if (source === 'reward') account.total_rewarded -= data.points;
    else account.total_recharged -= data.points;
  },
  HoldExtended(set, data, place) {
    moved(set, data, place);
  },
  PointsRefunded(set, data, place) {
    moved(set, data, place).total_refunded += data.points;
  },
  PointsAdjusted(set, data, place) {
    moved(set, data, place).total_adjusted += data.delta;
  },
  AccountFrozen(set, data, place) {
    moved(set, data, place).frozen_at ??= place.context.occurred_at;
  },
  AccountUnfrozen(set, data, place) {
    moved(set, data, place).frozen_at = null;
  },
  MembershipGranted(set, data, place) {
    moved(set, data, place);
  },
  MembershipRevoked(set, data, place) {
    moved(set, data, place);
  },
};

/** The account's row after the event's own account of the balance, which must go on from ours. */
function moved(set: WorkingSet, data: BalanceFields, place: AccountPlace): AccountRow {
  const account = nextRevision(set, place);
  if (account.balance !== data.balance_before) {
    throw new ProjectionError(
      `the balance is ${account.balance}, the event says it was ${data.balance_before}`,
    );
  }
  account.balance = data.balance_after;
  account.debt = data.debt_after;
  account.updated_at = place.context.occurred_at;
  return account;
}

/** The account's row at its next revision; refuses an event that leaves a gap or comes twice. */
function nextRevision(set: WorkingSet, place: AccountPlace): AccountRow {
  if (set.accounts.find(place.accountId) === undefined) {
    set.accounts.add(place.accountId, newAccount(place));
  }
  const account = set.accounts.change(place.accountId);
  if (place.revision !== account.ledger_version + 1) {
    throw new ProjectionError(
      `gap: the last event applied of this account is ${account.ledger_version}, not ${place.revision - 1}`,
    );
  }
  account.ledger_version = place.revision;
  return account;
}

function newAccount({ accountId, position, context }: AccountPlace): AccountRow {
  return {
    user_id: accountId,
    id: String(position),
    balance: 0,
    held: 0,
    debt: 0,
    total_recharged: 0,
    total_rewarded: 0,
    total_reversed: 0,
    total_adjusted: 0,
    total_consumed: 0,
    total_refunded: 0,
    total_expired: 0,
    frozen_at: null,
    ledger_version: -1,
    updated_at: context.occurred_at,
  };
}
