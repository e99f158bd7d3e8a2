import type { LedgerEvent } from '@points/contracts/stored-events';
import { batchKey, holdKey } from './working-set.ts';

/** Collects the keys of the rows that events read or change, new ones too: a row that is there already is noticed. */
export function createTouched() {
  const accounts = new Set<string>();
  const models = new Set<string>();
  const holds = new Map<string, [string, string]>();
  const batches = new Map<string, [string, string]>();
  const addBatch = (accountId: string, batchId: string): void => {
    batches.set(batchKey(accountId, batchId), [accountId, batchId]);
  };
  const addParts = (accountId: string, parts: readonly { batch_id: string }[]): void => {
    for (const part of parts) addBatch(accountId, part.batch_id);
  };
  const addHold = (accountId: string, holdId: string): void => {
    holds.set(holdKey(accountId, holdId), [accountId, holdId]);
  };

  function addAccountEvent({ accountId, event }: LedgerEvent & { category: 'account' }): void {
    accounts.add(accountId);
    switch (event.type) {
      case 'PointsRecharged':
        addParts(accountId, event.data.debt_repaid);
        addParts(accountId, event.data.batches);
        return;
      case 'PointsHeld':
        addHold(accountId, event.data.hold_id);
        addParts(accountId, event.data.allocations);
        return;
      case 'HoldConfirmed':
        addHold(accountId, event.data.hold_id);
        addParts(accountId, event.data.allocations);
        addParts(accountId, event.data.debt_repaid);
        return;
      case 'HoldCanceled':
        addHold(accountId, event.data.hold_id);
        addParts(accountId, event.data.debt_repaid);
        addParts(accountId, event.data.grace);
        return;
      case 'BatchExpired':
        addBatch(accountId, event.data.batch_id);
        return;
      case 'RechargeReversed':
      case 'HoldExtended':
      case 'PointsRefunded':
      case 'PointsAdjusted':
      case 'AccountFrozen':
      case 'AccountUnfrozen':
      case 'MembershipGranted':
      case 'MembershipRevoked':
        return;
      default:
        event satisfies never;
    }
  }

  return {
    addBatch,
    add(ledgerEvent: LedgerEvent): void {
      if (ledgerEvent.category === 'account') addAccountEvent(ledgerEvent);
      if (ledgerEvent.category === 'aiModel') models.add(ledgerEvent.modelId);
    },
    accounts: () => [...accounts].map((id) => [id]),
    models: () => [...models].map((id) => [id]),
    holds: () => [...holds.values()],
    batches: () => [...batches.values()],
  };
}
