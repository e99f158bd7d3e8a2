import { accountStream } from '@points/contracts/streams';
import { GENESIS_HASH } from '@points/event-store/hash-chain';
import type { AuditEvent } from './audit-event.ts';
import { type AccountBooks, openAccountBooks } from './books/account-books.ts';
import { WrongBooksError } from './books/wrong-books.ts';
import {
  type AccountLedgerEvent,
  BrokenHistoryError,
  decodeAccountEvent,
} from './decode-account.ts';
import { type FindingKind, findingAt } from './finding.ts';
import { problemOfEvent } from './seal.ts';

/** An account's events in order, from wherever: its stream, an export, or memory. Those of other streams are passed over. */
export type AccountEvents = AsyncIterable<AuditEvent> | Iterable<AuditEvent>;

/** One event of an account and the books around it. */
export interface HistoryStep extends AccountLedgerEvent {
  readonly stored: AuditEvent;
  readonly before: Standing;
  /** After this event. They go on changing with the next step. */
  readonly books: AccountBooks;
}

/** Where an account stands. Points. */
export interface Standing {
  readonly balance: number;
  readonly held: number;
  readonly debt: number;
}

/**
 * One account from its first event: revisions without a gap, hash chain, event ids, and every event judged by those
 * before it. So whatever a report shows has been checked on the way to it. Memory: the account's batches, holds and
 * command ids, some 300 bytes for each event at the most.
 *
 * Throws BrokenHistoryError at the first event that cannot be right; RangeError when `accountId` is not an id.
 */
export async function* accountHistory(
  accountId: string,
  events: AccountEvents,
): AsyncGenerator<HistoryStep, void> {
  const stream = accountStream(accountId);
  const books = openAccountBooks();
  let previousHash = GENESIS_HASH;
  let revision = 0;
  for await (const stored of events) {
    if (stored.stream !== stream) continue;
    if (stored.revision !== revision)
      throw broken(stored, 'missing_events', `comes where revision ${revision} should`);
    const problem = problemOfEvent(stored);
    if (problem !== null) throw broken(stored, problem.kind, problem.message);
    if (stored.metadata['prev_hash'] !== previousHash)
      throw broken(stored, 'broken_chain', 'does not follow the event before it');
    previousHash = stored.metadata['hash'] ?? '';
    revision += 1;
    const before = standingOf(books);
    const decoded = decodeAccountEvent(stored);
    applyTo(books, decoded, stored);
    yield { ...decoded, stored, before, books };
  }
}

export function standingOf(books: AccountBooks): Standing {
  return { balance: books.balance(), held: books.held(), debt: books.debt() };
}

/** An account's times never run backwards: the first event after `to` is the end. */
export async function* until(
  events: AccountEvents,
  to: string | null,
): AsyncGenerator<AuditEvent, void> {
  for await (const stored of events) {
    if (to !== null && (stored.metadata['occurred_at'] ?? '') > to) return;
    yield stored;
  }
}

function applyTo(books: AccountBooks, decoded: AccountLedgerEvent, stored: AuditEvent): void {
  try {
    books.apply(decoded);
  } catch (error) {
    if (!(error instanceof WrongBooksError)) throw error;
    throw broken(stored, 'wrong_books', `cannot be right: ${error.message}`);
  }
}

function broken(stored: AuditEvent, kind: FindingKind, what: string): BrokenHistoryError {
  return new BrokenHistoryError(findingAt(stored, kind, what));
}
