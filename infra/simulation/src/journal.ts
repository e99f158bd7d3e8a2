import { strict as assert } from 'node:assert';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import type { RecordedAccountEvent } from '@points/domain/account/events';
import { type Auditor, createAuditor } from '@points/domain/testing/auditor';
import type { StoredEvent } from '@points/event-store/event-log';
import { GENESIS_HASH, verifyEvent } from '@points/event-store/hash-chain';

/** What the log says of one account, event by event as it became durable. */
export interface AccountJournal {
  readonly auditor: Auditor;
  readonly events: RecordedEvent[];
  /** Where each command's events stand, by command id. */
  readonly commands: Map<string, { readonly first: number; last: number }>;
}

export interface RecordedEvent extends RecordedAccountEvent {
  readonly stored: StoredEvent;
  /** What the account looked like after it. */
  readonly after: Moment;
}

/** As much of an account at one revision as answers are compared with. */
export interface Moment {
  readonly balance: number;
  readonly held: number;
  readonly debt: number;
  /** Batches with free points. */
  readonly free: readonly { readonly points: number; readonly expiresAt: string | null }[];
  /** Expiries of open holds. */
  readonly holdExpiries: readonly string[];
  readonly at: string;
}

/** Follows the log: every event must follow the one before it, be readable, and be accepted by the auditor. */
export interface Journal {
  /** Throws AssertionError. */
  record(stored: StoredEvent): void;
  account(accountId: string): AccountJournal;
  /** Those that have events. */
  accountIds(): string[];
  /** All events of all accounts, in log order. */
  readonly all: readonly { readonly accountId: string; readonly stored: StoredEvent }[];
}

export function createJournal(): Journal {
  const accounts = new Map<string, AccountJournal>();
  const chains = new Map<string, { revision: number; hash: string }>();
  const all: { accountId: string; stored: StoredEvent }[] = [];

  function account(accountId: string): AccountJournal {
    const known = accounts.get(accountId);
    if (known !== undefined) return known;
    const journal = { auditor: createAuditor(), events: [], commands: new Map() };
    accounts.set(accountId, journal);
    return journal;
  }

  return {
    all,
    account,
    accountIds: () => [...accounts.keys()].filter((id) => account(id).events.length > 0),
    record(stored) {
      const chain = chains.get(stored.stream) ?? { revision: -1, hash: GENESIS_HASH };
      assert.equal(stored.revision, chain.revision + 1, `${stored.stream}: revision`);
      assert.equal(verifyEvent(stored, chain.hash), null, `${stored.stream}: hash chain`);
      chains.set(stored.stream, {
        revision: stored.revision,
        hash: stored.metadata['hash'] ?? '',
      });
      const decoded = decodeStoredEvent(stored);
      if (decoded.category !== 'account') return;
      const { accountId, event, context } = decoded;
      const journal = account(accountId);
      journal.auditor.check({ event, context });
      const after = look(journal.auditor, context.occurred_at);
      journal.events.push({ stored, event, context, after });
      all.push({ accountId, stored });
      const place = journal.commands.get(context.command_id);
      if (place === undefined)
        journal.commands.set(context.command_id, { first: stored.revision, last: stored.revision });
      else place.last = stored.revision;
    },
  };
}

function look({ books, balance }: Auditor, at: string): Moment {
  const batches = [...books.batches.values()];
  return {
    balance: balance(),
    held: [...books.open.values()].reduce((sum, { placed }) => sum + placed.amount, 0),
    debt: books.debts.reduce((sum, { points }) => sum + points, 0),
    free: batches
      .filter((batch) => batch.remaining > batch.pinned)
      .map(({ remaining, pinned, expiresAt }) => ({ points: remaining - pinned, expiresAt })),
    holdExpiries: [...books.open.values()].map((hold) => hold.expiresAt),
    at,
  };
}

export function availableAt({ free, debt }: Moment, now: string): number {
  return (
    free
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
      .reduce((sum, { points }) => sum + points, 0) - debt
  );
}
