import type { Result } from '@points/contracts/ledger-replies';
import type { Account } from '@points/domain/account/account';
import { mapGet } from '@points/domain/persistent-map';
import type { CommandInLog } from './account-log.ts';
import { type AccountVerb, confirmedHoldId, resultOf } from './account-results.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import { placesAt } from './recall.ts';

/** The result of a command that stands in the log. Rejects with `ReadTablesError`. */
export async function resultInLog(
  accountId: string,
  verb: AccountVerb,
  { events }: CommandInLog,
  account: Account,
  holdId: string | undefined,
  deps: LedgerDeps,
): Promise<Result> {
  if (verb !== 'confirm') return resultOf(verb, events, { holdId });
  const confirmed = confirmedHoldId(events, holdId);
  const recordId =
    rememberedRecordId(account, confirmed) ??
    (await forgottenRecordId(accountId, confirmed, account, deps));
  return resultOf(verb, events, { holdId, recordId });
}

/** Null when the account does not remember the hold, and of a tombstone. */
export function rememberedRecordId(account: Account, holdId: string): number | null {
  const hold = mapGet(account.openHolds, holdId) ?? mapGet(account.settledHolds, holdId);
  return hold?.recordId ?? null;
}

async function forgottenRecordId(
  accountId: string,
  holdId: string,
  account: Account,
  deps: LedgerDeps,
): Promise<number | undefined> {
  const { hold } = await placesAt({ accountId, hold: { holdId } }, account.revision, deps);
  return hold?.record_id ?? undefined;
}
