import { hash } from 'node:crypto';
import { parseStream } from '@points/contracts/streams';
import type { HoldConfirmed } from '@points/domain/account/events';
import type { PricingConfig } from '@points/domain/pricing/config';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { JsonObject } from '@points/event-store/event-log';
import type { AuditEvent } from './audit-event.ts';
import {
  type AccountLedgerEvent,
  BrokenHistoryError,
  decodeAccountEvent,
} from './decode-account.ts';
import { findingAt } from './finding.ts';
import { type HeldUse, type OtherPrice, priceAgain, useOf } from './other-price.ts';

export interface WhatIfRequest {
  readonly config: PricingConfig;
  /** Uses that were confirmed at or after this time (ISO-8601 UTC with milliseconds); null = since ever. */
  readonly from: string | null;
  /** Inclusive; null = no end. */
  readonly to: string | null;
  /** Only told: `events` are those of this account alone; null = of all. */
  readonly accountId: string | null;
  /** Log position up to which `events` go; null = the log is empty. */
  readonly position: bigint | null;
}

/** Points. */
export interface UseSums {
  uses: number;
  /** What was charged, whatever was refunded later. */
  charged: number;
  /** Cost by list, and was not charged. */
  waived: number;
  /** Of priced uses and of those that callers priced. */
  would_be_charged: number;
  /** would_be_charged − charged − waived, of the same uses. */
  difference: number;
}

export interface OperationSums extends UseSums {
  /** Empty = the hold named none. */
  readonly source_type: string;
  readonly model: string;
  readonly outcome: Outcome;
}

export interface AccountSums extends UseSums {
  readonly account_id: string;
  /** Of its uses, those that have no price under the other list: in `uses`, `charged` and `waived`, not in the rest. */
  uses_without_price: number;
  /** Given back in that time, of whatever charge; by persons, so it is told as it was. */
  refunded: number;
}

export type Outcome = OtherPrice['outcome'];

export interface WhatIfReport {
  /** Decimal; null = the log is empty. */
  readonly position: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly account_id: string | null;
  /** Of the other list, as `ConfigLoaded` would have it: SHA-256 of its content's canonical JSON. */
  readonly config_version: string;
  /** By source_type, model, outcome. */
  readonly operations: readonly OperationSums[];
  /** By account id. */
  readonly accounts: readonly AccountSums[];
  readonly totals: { readonly [Each in Outcome]: UseSums } & { readonly all: UseSums };
  /** Work that failed: charged and given back in one append, and so in no other number here. */
  readonly failed: { readonly uses: number; readonly charged: number };
  readonly refunded: number;
}

/**
 * The uses of a log under another price list: what every confirmed hold would have cost, by list. `events` are those of
 * whole accounts from their first on, in the order of the log.
 *
 * Both sides are prices by list: it does not ask whether the user could have paid, whether a floor or cap would have
 * waived something, a fair-use limit refused, or whether anybody would have used as much. So with the list that was in
 * force every difference is 0. What a caller priced itself stays as it is. Models cost what they cost then: the config
 * has no prices of models. Refunds are told as they were.
 *
 * In memory are the accounts, the operations, open holds, and expired ones that may still be confirmed late. Throws
 * `BrokenHistoryError` at an event that cannot be read, or that confirms a hold which was never placed.
 */
export async function whatIf(
  events: AsyncIterable<AuditEvent> | Iterable<AuditEvent>,
  request: WhatIfRequest,
): Promise<WhatIfReport> {
  const uses = collectUses(request);
  for await (const stored of events) {
    const name = parseStream(stored.stream);
    if (name !== null && name.category !== 'account') continue;
    uses.apply(stored, decodeAccountEvent(stored));
  }
  return uses.report();
}

function collectUses(request: WhatIfRequest) {
  const accounts = new Map<string, AccountUses>();
  const operations = new Map<string, OperationSums>();
  const accountSums = new Map<string, AccountSums>();
  const failed = { uses: 0, charged: 0 };

  function apply(stored: AuditEvent, { accountId, event, context }: AccountLedgerEvent): void {
    const account = openUses(accountId);
    if (account.settled !== null && account.settled.commandId !== context.command_id)
      count(account, accountId);
    dropExpired(account, context.occurred_at);
    switch (event.type) {
      case 'MembershipGranted':
        account.memberships.push({ from: event.data.starts_at, to: event.data.ends_at });
        return;
      case 'MembershipRevoked':
        account.memberships = account.memberships
          .map(({ from, to }) => ({ from, to: earlier(to, event.data.ended_at) }))
          .filter(({ from, to }) => from < to);
        return;
      case 'PointsHeld': {
        const { hold_id, late_of } = event.data;
        const late = late_of === undefined ? undefined : account.expired.get(late_of)?.use;
        account.open.set(
          hold_id,
          late ?? useOf(event.data, isMember(account, context.occurred_at), request.config),
        );
        return;
      }
      case 'HoldCanceled': {
        const use = account.open.get(event.data.hold_id);
        account.open.delete(event.data.hold_id);
        if (use !== undefined && event.data.reason === 'expired')
          account.expired.set(event.data.hold_id, { use, at: context.occurred_at });
        return;
      }
      case 'HoldConfirmed': {
        const use = account.open.get(event.data.hold_id);
        if (use === undefined)
          throw new BrokenHistoryError(
            findingAt(
              stored,
              'wrong_books',
              `confirms hold ${event.data.hold_id}, which is not open`,
            ),
          );
        account.open.delete(event.data.hold_id);
        if (event.data.late_of !== undefined) account.expired.delete(event.data.late_of);
        const { command_id: commandId, occurred_at: at } = context;
        account.settled = { use, confirmed: event.data, commandId, at };
        return;
      }
      case 'PointsRefunded':
        if (event.data.as_failure && account.settled !== null) {
          if (isAsked(account.settled.at)) {
            failed.uses += 1;
            failed.charged += account.settled.confirmed.actual_amount;
          }
          account.settled = null;
        } else if (isAsked(context.occurred_at)) sumsOf(accountId).refunded += event.data.points;
        return;
      case 'PointsRecharged':
      case 'RechargeReversed':
      case 'PointsAdjusted':
      case 'BatchExpired':
      case 'HoldExtended':
      case 'AccountFrozen':
      case 'AccountUnfrozen':
        return;
      default:
        event satisfies never;
    }
  }

  function openUses(accountId: string): AccountUses {
    let account = accounts.get(accountId);
    if (account === undefined) {
      account = { open: new Map(), expired: new Map(), memberships: [], settled: null };
      accounts.set(accountId, account);
    }
    return account;
  }

  function isAsked(at: string): boolean {
    return (
      (request.from === null || at >= request.from) && (request.to === null || at <= request.to)
    );
  }

  /** Only when the command that settled it is over: a failure takes the charge back in the same append. */
  function count(account: AccountUses, accountId: string): void {
    const { settled } = account;
    account.settled = null;
    if (settled === null || !isAsked(settled.at)) return;
    const { use, confirmed } = settled;
    const other = priceAgain(use, confirmed);
    const { sourceType: source_type, model } = use;
    const key = JSON.stringify([source_type, model, other.outcome]);
    const operation = operations.get(key) ?? {
      source_type,
      model,
      outcome: other.outcome,
      ...noUses(),
    };
    operations.set(key, operation);
    add(operation, confirmed, other.points);
    const sums = sumsOf(accountId);
    add(sums, confirmed, other.points);
    if (other.points === null) sums.uses_without_price += 1;
  }

  function sumsOf(accountId: string): AccountSums {
    const sums = accountSums.get(accountId) ?? {
      account_id: accountId,
      ...noUses(),
      uses_without_price: 0,
      refunded: 0,
    };
    accountSums.set(accountId, sums);
    return sums;
  }

  return {
    apply,
    report(): WhatIfReport {
      for (const [accountId, account] of accounts) count(account, accountId);
      const rows = [...operations.values()];
      const byAccount = [...accountSums.values()];
      const content = request.config as unknown as JsonObject;
      return {
        position: request.position === null ? null : String(request.position),
        from: request.from,
        to: request.to,
        account_id: request.accountId,
        config_version: hash('sha256', canonicalJson(content), 'hex'),
        operations: rows.toSorted(
          (a, b) =>
            compare(a.source_type, b.source_type) ||
            compare(a.model, b.model) ||
            compare(a.outcome, b.outcome),
        ),
        accounts: byAccount.toSorted((a, b) => compare(a.account_id, b.account_id)),
        totals: {
          priced: total(rows, 'priced'),
          named_by_caller: total(rows, 'named_by_caller'),
          price_not_found: total(rows, 'price_not_found'),
          not_measured: total(rows, 'not_measured'),
          too_large: total(rows, 'too_large'),
          all: total(rows, null),
        },
        failed,
        refunded: byAccount.reduce((sum, { refunded }) => sum + refunded, 0),
      };
    },
  };
}

interface AccountUses {
  readonly open: Map<string, HeldUse>;
  /** In the order in which they expired. */
  readonly expired: Map<string, { readonly use: HeldUse; readonly at: string }>;
  memberships: Period[];
  /** A charge whose command may not be over. */
  settled: Settled | null;
}

interface Period {
  /** Inclusive. */
  readonly from: string;
  /** Exclusive. */
  readonly to: string;
}

interface Settled {
  readonly use: HeldUse;
  readonly confirmed: HoldConfirmed;
  readonly commandId: string;
  readonly at: string;
}

/** An expired hold can be confirmed for so long. */
const LATE_CONFIRM_MS = 24 * 60 * 60_000;

function dropExpired({ expired }: AccountUses, now: string): void {
  if (expired.size === 0) return;
  const oldest = Date.parse(now) - LATE_CONFIRM_MS;
  for (const [holdId, { at }] of expired) {
    if (Date.parse(at) > oldest) return;
    expired.delete(holdId);
  }
}

function isMember({ memberships }: AccountUses, at: string): boolean {
  return memberships.some(({ from, to }) => from <= at && at < to);
}

function earlier(a: string, b: string): string {
  return a < b ? a : b;
}

function noUses(): UseSums {
  return { uses: 0, charged: 0, waived: 0, would_be_charged: 0, difference: 0 };
}

function add(sums: UseSums, { actual_amount, waived }: HoldConfirmed, points: number | null): void {
  sums.uses += 1;
  sums.charged += actual_amount;
  sums.waived += waived;
  if (points === null) return;
  sums.would_be_charged += points;
  sums.difference += points - actual_amount - waived;
}

function total(rows: readonly OperationSums[], outcome: Outcome | null): UseSums {
  const sums = noUses();
  for (const row of rows) {
    if (outcome !== null && row.outcome !== outcome) continue;
    sums.uses += row.uses;
    sums.charged += row.charged;
    sums.waived += row.waived;
    sums.would_be_charged += row.would_be_charged;
    sums.difference += row.difference;
  }
  return sums;
}

/** By UTF-16 code units, the same everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
