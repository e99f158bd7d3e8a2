import type { WorkingSet } from '../working-set.ts';
import type { AccountPlace, AccountProjection } from './account-projection.ts';

/** `point_commands`: where the first answer to each command that appended something stands. */
export const commands: AccountProjection = {
  PointsRecharged: remember,
  PointsHeld: remember,
  HoldConfirmed: remember,
  HoldCanceled: remember,
  BatchExpired: remember,
  RechargeReversed: remember,
  HoldExtended: remember,
  PointsRefunded: remember,
  PointsAdjusted: remember,
  AccountFrozen: remember,
  AccountUnfrozen: remember,
  MembershipGranted: remember,
  MembershipRevoked: remember,
};

function remember(set: WorkingSet, _data: unknown, place: AccountPlace): void {
  if (place.context.index !== 0) return;
  set.commands.push({
    account_id: place.accountId,
    command_id: place.context.command_id,
    request_hash: place.context.request_hash,
    revision: place.revision,
  });
}
