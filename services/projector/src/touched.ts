import type { LedgerEvent } from '@points/contracts/stored-events';
import type { DebtRepayment, GraceBatch } from '@points/domain/account/events';
import type { PriceKind } from '@points/domain/price-list/events';
import { returnedTo } from './projections/batches.ts';
import { repaidHolds } from './projections/holds.ts';
import type { BatchRow, HoldRow } from './rows.ts';
import { batchKey } from './working-set.ts';

/** Collects the keys of the rows that events read or change, new ones too: a row that is there already is noticed. */
export function createTouched() {
  const accounts = new Set<string>();
  const models = new Set<string>();
  const prices = { credits: new Set<string>(), membership: new Set<string>() };
  const members = new Set<string>();
  const holds = createKeys();
  const batches = createKeys();
  const sources = createKeys();
  const memberships = createKeys();
  /** By `batchKey`. */
  const expired = new Set<string>();
  /** Of the grace batches that these events make; by `batchKey`. */
  const graceSources = new Map<string, string>();

  function addParts(accountId: string, parts: readonly { batch_id: string }[]): void {
    for (const part of parts) batches.add(accountId, part.batch_id);
  }

  function addRepaid(accountId: string, repayments: readonly DebtRepayment[]): void {
    addParts(accountId, repayments);
    for (const holdId of repaidHolds(repayments)) holds.add(accountId, holdId);
  }

  function addGrace(accountId: string, grace: readonly GraceBatch[]): void {
    addParts(accountId, grace);
    for (const { batch_id, source_ref } of grace) {
      if (source_ref !== undefined) graceSources.set(batchKey(accountId, batch_id), source_ref);
    }
  }

  function addExpired(accountId: string, batchId: string): void {
    const key = batchKey(accountId, batchId);
    const source = graceSources.get(key);
    batches.add(accountId, batchId);
    if (source === undefined) expired.add(key);
    else sources.add(accountId, source);
  }

  function addAccountEvent({ accountId, event }: LedgerEvent & { category: 'account' }): void {
    accounts.add(accountId);
    switch (event.type) {
      case 'PointsRecharged':
        sources.add(accountId, event.data.source_ref);
        addParts(accountId, event.data.batches);
        addRepaid(accountId, event.data.debt_repaid);
        return;
      case 'RechargeReversed':
        sources.add(accountId, event.data.source_ref);
        addParts(accountId, event.data.allocations);
        return;
      case 'PointsHeld':
        holds.add(accountId, event.data.hold_id);
        if (event.data.late_of !== undefined) holds.add(accountId, event.data.late_of);
        addParts(accountId, event.data.allocations);
        return;
      case 'HoldConfirmed':
        holds.add(accountId, event.data.hold_id);
        if (event.data.late_of !== undefined) holds.add(accountId, event.data.late_of);
        addParts(accountId, event.data.allocations);
        addRepaid(accountId, event.data.debt_repaid);
        return;
      case 'HoldCanceled':
        if (event.data.reason === 'tombstone') return;
        holds.add(accountId, event.data.hold_id);
        addGrace(accountId, event.data.grace);
        addRepaid(accountId, event.data.debt_repaid);
        return;
      case 'HoldExtended':
        holds.add(accountId, event.data.hold_id);
        return;
      case 'BatchExpired':
        addExpired(accountId, event.data.batch_id);
        return;
      case 'PointsRefunded':
        holds.add(accountId, event.data.hold_id);
        addParts(accountId, returnedTo(event.data));
        addGrace(accountId, event.data.grace);
        addRepaid(accountId, event.data.debt_repaid);
        return;
      case 'PointsAdjusted':
        if (event.data.batch !== null) addParts(accountId, [event.data.batch]);
        addParts(accountId, event.data.allocations);
        addRepaid(accountId, event.data.debt_repaid);
        return;
      case 'MembershipGranted':
        memberships.add(accountId, event.data.order_no);
        return;
      case 'MembershipRevoked':
        members.add(accountId);
        return;
      case 'AccountFrozen':
      case 'AccountUnfrozen':
        return;
      default:
        event satisfies never;
    }
  }

  return {
    add(ledgerEvent: LedgerEvent): void {
      if (ledgerEvent.category === 'account') addAccountEvent(ledgerEvent);
      if (ledgerEvent.category === 'aiModel') models.add(ledgerEvent.modelId);
      if (ledgerEvent.category === 'priceList')
        prices[ledgerEvent.kind].add(ledgerEvent.event.data.price_id);
    },
    /** What settles an open hold releases its pins. */
    foundHold({ user_id, status, allocations }: HoldRow): void {
      if (status === 'pending') addParts(user_id, allocations);
    },
    /** What expires of a batch is noted at the recharge that it came with. */
    foundBatch({ user_id, batch_id, source_ref }: BatchRow): void {
      if (source_ref !== null && expired.has(batchKey(user_id, batch_id)))
        sources.add(user_id, source_ref);
    },
    accounts: () => [...accounts].map((id) => [id]),
    models: () => [...models].map((id) => [id]),
    prices: (kind: PriceKind) => [...prices[kind]].map((id) => [id]),
    holds: holds.all,
    /** Complete when every hold was found. */
    batches: batches.all,
    /** Complete when every batch was found. */
    sources: sources.all,
    memberships: memberships.all,
    /** Accounts of which every membership is touched. */
    members: () => [...members].map((id) => [id]),
  };
}

/** A set of account id and id. */
function createKeys() {
  const ids = new Map<string, Set<string>>();
  return {
    add(accountId: string, id: string): void {
      const known = ids.get(accountId);
      if (known === undefined) ids.set(accountId, new Set([id]));
      else known.add(id);
    },
    all: (): [string, string][] =>
      [...ids].flatMap(([accountId, own]) =>
        [...own].map((id): [string, string] => [accountId, id]),
      ),
  };
}
