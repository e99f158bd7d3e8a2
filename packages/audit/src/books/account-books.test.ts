import type { RecordedAccountEvent } from '@points/domain/account/events';
import { mapValues } from '@points/domain/persistent-map';
import { histories } from '@points/domain/testing/history';
import { formatTime } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccountBooks, openAccountBooks } from './account-books.ts';
import { type BooksOptions } from './ledger.ts';
import { goBack } from './going-back.ts';
import { type SettledHold, createSettledHolds } from './settled-holds.ts';
import { changeOne } from './testing/change-one.ts';
import { liveOut, naiveVerdict } from './testing/lives.ts';
import { WrongBooksError } from './wrong-books.ts';

const RUNS = Number(process.env['BOOKS_RUNS'] ?? 60);
const MAX_STEPS = 120;

/** Place of the first event that the books refuse; null = they accept them all. */
function verdict(
  events: readonly RecordedAccountEvent[],
  books: AccountBooks = openAccountBooks(),
): number | null {
  for (const [place, event] of events.entries()) {
    try {
      books.apply(event);
    } catch (error) {
      if (!(error instanceof WrongBooksError)) throw error;
      return place;
    }
  }
  return null;
}

function keptBooks(events: readonly RecordedAccountEvent[], options: BooksOptions = {}) {
  const books = openAccountBooks(options);
  for (const event of events) books.apply(event);
  return books;
}

describe('random histories', () => {
  it('are accepted, and give the state that the domain folds', () => {
    fc.assert(
      fc.property(histories(MAX_STEPS), (history) => {
        const { events, account } = liveOut(history);
        const books = keptBooks(events);
        const now = formatTime(account.lastEventMs);
        expect({
          balance: books.balance(),
          held: books.held(),
          debt: books.debt(),
          frozen: books.frozen,
          available: books.available(now),
        }).toEqual({
          balance: account.balance,
          held: account.held,
          debt: account.debt,
          frozen: account.frozen,
          available: availableOf(account, account.lastEventMs),
        });
        const left = [...books.batches.values()].filter(({ remaining }) => remaining > 0);
        expect(sorted(left.map((batch) => [batch.batchId, batch.remaining, batch.pinned]))).toEqual(
          sorted(account.batches.map((batch) => [batch.batchId, batch.remaining, batch.pinned])),
        );
        expect([...books.openHolds.keys()].toSorted()).toEqual(
          mapValues(account.openHolds)
            .map(({ holdId }) => holdId)
            .toSorted(),
        );
        expect(books.debts.map(({ debt_ref, points }) => [debt_ref, points])).toEqual(
          account.debts.map(({ debtRef, points }) => [debtRef, points]),
        );
        for (const batch of books.batches.values()) expect(leftOf(batch)).toBe(batch.remaining);
      }),
      { numRuns: RUNS },
    );
  });

  it('are accepted with a memory of one settled hold, use nothing twice, and tell what goes back to a forgotten one', () => {
    fc.assert(
      fc.property(histories(MAX_STEPS), (history) => {
        const { events } = liveOut(history);
        const used = new Set<string>();
        const forgotten = new Map<string, SettledHold>();
        const books = keptBooks(events, {
          settledHolds: createSettledHolds(1),
          forgotten: {
            forget(holdId, hold) {
              expect(forgotten.has(holdId)).toBe(false);
              forgotten.set(holdId, hold);
            },
            goBack(holdId, back) {
              const hold = forgotten.get(holdId);
              if (hold === undefined) return expect(back.kind).toBe('repaid');
              forgotten.set(holdId, goBack(hold, back));
            },
          },
          onUse(kind, key) {
            expect(used.has(`${kind} ${key}`)).toBe(false);
            used.add(`${kind} ${key}`);
          },
        });
        expect(books.totals).toEqual(keptBooks(events).totals);
      }),
      { numRuns: RUNS },
    );
  });

  it('with one thing changed are refused where the naive auditor refuses', { timeout: 0 }, () => {
    const told = new Map<string, number>();
    fc.assert(
      fc.property(
        histories(MAX_STEPS),
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 20, maxLength: 20 }),
        (history, changes) => {
          const { events } = liveOut(history);
          if (events.length === 0) return;
          for (const [where, what, how] of changes) {
            const changed = changeOne(events, where, what, how);
            const naive = naiveVerdict(changed);
            const ours = verdict(changed);
            if (naive !== null) told.set('refused', (told.get('refused') ?? 0) + 1);
            if (naive === null) continue;
            if (ours === null || ours > naive) {
              const event = changed[naive];
              expect.fail(
                `naive refuses ${naive}, the books ${ours}: ${JSON.stringify(event)} of ${events.length}`,
              );
            }
          }
        },
      ),
      { numRuns: RUNS },
    );
    expect(told.get('refused') ?? 0).toBeGreaterThan(RUNS * 5);
  });
});

function availableOf(
  account: {
    readonly batches: readonly { remaining: number; pinned: number; expiresMs: number | null }[];
    readonly debt: number;
  },
  nowMs: number,
): number {
  let free = 0;
  for (const batch of account.batches)
    if (batch.expiresMs === null || batch.expiresMs > nowMs) free += batch.remaining - batch.pinned;
  return free - account.debt;
}

function sorted(rows: readonly (readonly unknown[])[]): string[] {
  return rows.map((row) => row.join(' ')).toSorted();
}

/** N3, by its own words. */
function leftOf(batch: {
  points: number;
  consumed: number;
  repaid: number;
  reversed: number;
  adjusted: number;
  expired: number;
  refunded: number;
  movedOut: number;
}): number {
  const used = batch.consumed + batch.repaid + batch.reversed + batch.adjusted;
  return batch.points - used - batch.expired - batch.movedOut + batch.refunded;
}
