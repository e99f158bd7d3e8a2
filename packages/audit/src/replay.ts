import { createHash } from 'node:crypto';
import { UnreadableEventError } from '@points/contracts/stored-events';
import { parseStream } from '@points/contracts/streams';
import { canonicalJson } from '@points/event-store/canonical-json';
import type { JsonObject } from '@points/event-store/event-log';
import type { AuditEvent } from './audit-event.ts';
import { type AccountBooks, openAccountBooks } from './books/account-books.ts';
import { decodeEvent } from './books/decode.ts';
import type { BooksOptions } from './books/ledger.ts';
import { type ForgottenHolds, createSettledHolds } from './books/settled-holds.ts';
import { WrongBooksError } from './books/wrong-books.ts';
import { type Finding, type FindingKind, findingAt } from './finding.ts';
import { MOVEMENT_KINDS, type Movement, noMovement } from './movement.ts';

/** Where the whole ledger stands, folded from its log alone. Points; times ISO-8601 UTC; positions decimal. */
export interface ReplayReport {
  readonly report: 'replay';
  /** Where the log was pinned; null = it was empty. */
  readonly position: string | null;
  /** Events after it do not count; null = all up to the pin. */
  readonly as_of: string | null;
  /** Events of accounts that were folded. */
  readonly events: number;
  /** Accounts with at least one event, without those whose events are wrong. */
  readonly accounts: number;
  /** Accounts whose events are wrong: they are in no sum and not in the hash. */
  readonly broken_accounts: number;
  readonly totals: Movement;
  readonly balance: number;
  readonly held: number;
  readonly debt: number;
  /** SHA-256 over the canonical JSON (RFC 8785) of every account's end state, each with a line feed, in order of account id. */
  readonly state_hash: string;
  /** There are no findings. */
  readonly holds: boolean;
  readonly finding_count: number;
  /** The first of them, at most 100. */
  readonly findings: readonly Finding[];
}

export interface ReplayOptions {
  /** The whole log up to the pin, in its order. */
  readonly events: AsyncIterable<AuditEvent> | Iterable<AuditEvent>;
  /** One account's events up to the pin: for those that go back to more settled holds than are remembered. */
  readonly account: (accountId: string) => AsyncIterable<AuditEvent> | Iterable<AuditEvent>;
  /** Where the log was pinned. */
  readonly position: bigint | null;
  /** ISO-8601 UTC with milliseconds; null = all events. */
  readonly asOf: string | null;
  /** Settled holds that are remembered over all accounts. */
  readonly settledHoldsMax?: number;
  /** Is given every account's end state as canonical JSON without a line feed, in order of account id. */
  readonly onState?: (line: string) => void;
}

const MAX_FINDINGS = 100;

/**
 * Folds the whole log by the audit's own books, which judge every event of an account by those before it. In memory are
 * the books of every account (its batches and what is open) and a bounded number of settled holds; an account that goes
 * back to a forgotten one is folded a second time, alone.
 *
 * Hashes, chains and what may happen only once in the whole ledger are `verify`'s. Throws what the readers throw.
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { position, asOf } = options;
  const accounts = new Map<string, ReplayedAccount>();
  const again = new Set<string>();
  const settledHolds = createSettledHolds(options.settledHoldsMax);
  const findings: Finding[] = [];
  let findingCount = 0;
  const found = (finding: Finding): void => {
    findingCount += 1;
    if (findings.length < MAX_FINDINGS) findings.push(finding);
  };
  const openAccount = (accountId: string): ReplayedAccount => {
    const forgotten: ForgottenHolds = {
      forget: ignored,
      // Whoever has paid for a charge matters only when it is refunded.
      goBack: (_, { kind }) => void (kind === 'repaid' || again.add(accountId)),
    };
    const account = replayedAccount({ settledHolds, forgotten, onUse: ignored });
    accounts.set(accountId, account);
    return account;
  };
  for await (const stored of options.events) {
    if (!counts(stored, asOf)) continue;
    const owner = parseStream(stored.stream);
    if (owner?.category !== 'account') {
      const finding = judgeOther(stored, owner !== null);
      if (finding !== null) found(finding);
      continue;
    }
    const account = accounts.get(owner.accountId) ?? openAccount(owner.accountId);
    const finding = account.apply(stored);
    if (finding !== null) found(finding);
  }
  for (const accountId of [...again].sort()) {
    if (accounts.get(accountId)?.isBroken() !== false) continue;
    const account = replayedAccount({ onUse: ignored });
    for await (const stored of options.account(accountId)) {
      const finding = counts(stored, asOf) ? account.apply(stored) : null;
      if (finding !== null) found(finding);
    }
    accounts.set(accountId, account);
  }

  const hash = createHash('sha256');
  const totals = noMovement();
  const sums = { events: 0, accounts: 0, broken_accounts: 0, balance: 0, held: 0, debt: 0 };
  for (const accountId of [...accounts.keys()].sort()) {
    const account = accounts.get(accountId);
    if (account === undefined) continue;
    const { books } = account;
    sums.events += account.revision() + 1;
    if (account.isBroken()) {
      sums.broken_accounts += 1;
      continue;
    }
    sums.accounts += 1;
    for (const kind of MOVEMENT_KINDS) totals[kind] += books.totals[kind];
    sums.balance += books.balance();
    sums.held += books.held();
    sums.debt += books.debt();
    const line = canonicalJson(endState(accountId, account, asOf));
    hash.update(`${line}\n`);
    options.onState?.(line);
  }
  return {
    report: 'replay',
    position: position === null ? null : String(position),
    as_of: asOf,
    ...sums,
    totals,
    state_hash: hash.digest('hex'),
    holds: findingCount === 0,
    finding_count: findingCount,
    findings,
  };
}

interface ReplayedAccount {
  readonly books: AccountBooks;
  /** What is wrong with the account's next event; null = nothing, or it was wrong before. */
  apply(stored: AuditEvent): Finding | null;
  /** Of the last event that was right; −1 = none. */
  revision(): number;
  isBroken(): boolean;
}

function replayedAccount(options: BooksOptions): ReplayedAccount {
  const books = openAccountBooks(options);
  let revision = -1;
  let isBroken = false;
  const judge = (stored: AuditEvent): [FindingKind, string] | null => {
    if (stored.revision !== revision + 1)
      return ['missing_events', `comes where revision ${revision + 1} should`];
    try {
      const decoded = decodeEvent(stored);
      if (decoded.category !== 'account') return ['unreadable_event', 'is not of an account'];
      books.apply(decoded);
      return null;
    } catch (error) {
      if (error instanceof UnreadableEventError)
        return ['unreadable_event', `cannot be read: ${error.message}`];
      if (!(error instanceof WrongBooksError)) throw error;
      return ['wrong_books', `cannot be right: ${error.message}`];
    }
  };
  return {
    books,
    apply(stored) {
      if (isBroken) return null;
      const problem = judge(stored);
      if (problem === null) {
        revision += 1;
        return null;
      }
      isBroken = true;
      return findingAt(stored, ...problem);
    },
    revision: () => revision,
    isBroken: () => isBroken,
  };
}

function judgeOther(stored: AuditEvent, isLedgerStream: boolean): Finding | null {
  if (!isLedgerStream)
    return findingAt(stored, 'not_a_ledger_stream', 'is of no stream of the ledger');
  try {
    decodeEvent(stored);
    return null;
  } catch (error) {
    if (!(error instanceof UnreadableEventError)) throw error;
    return findingAt(stored, 'unreadable_event', `cannot be read: ${error.message}`);
  }
}

/** An account's times never run backwards, so what counts is a beginning of its stream. */
function counts(stored: AuditEvent, asOf: string | null): boolean {
  return asOf === null || (stored.metadata['occurred_at'] ?? '') <= asOf;
}

/** One account's line. `available` is told for `as_of`, else for the time of the account's last event. */
function endState(
  account_id: string,
  { books, revision }: ReplayedAccount,
  asOf: string | null,
): JsonObject {
  return {
    account_id,
    revision: revision(),
    last_at: books.lastAt,
    balance: books.balance(),
    held: books.held(),
    available: books.available(asOf ?? books.lastAt ?? ''),
    debt: books.debt(),
    debts: books.debts.map(({ debt_ref, points }) => ({ debt_ref, points })),
    batches: [...books.batches.values()]
      .filter(({ remaining }) => remaining > 0)
      .map(({ batchId, kind, remaining, pinned, expiresAt }) => ({
        batch_id: batchId,
        kind,
        remaining,
        held: pinned,
        expires_at: expiresAt,
      })),
    open_holds: [...books.openHolds].map(([hold_id, { placed, expiresAt }]) => ({
      hold_id,
      amount: placed.amount,
      expires_at: expiresAt,
    })),
    frozen_since: books.frozenSince,
    memberships: books.memberships.map(({ membershipType, startsAt, endsAt }) => ({
      membership_type: membershipType,
      starts_at: startsAt,
      ends_at: endsAt,
    })),
    totals: { ...books.totals },
  };
}

/** What may happen only once is `verify`'s to watch: the books would keep every command's id. */
function ignored(): void {}
