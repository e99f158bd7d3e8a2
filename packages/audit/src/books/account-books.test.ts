import type { RecordedAccountEvent } from '@points/domain/account/events';
import { mapValues } from '@points/domain/persistent-map';
import { histories } from '@points/domain/testing/history';
import { formatTime } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccountBooks, openAccountBooks } from './account-books.ts';
import { type BooksOptions } from './ledger.ts';
import { createSettledHolds } from './settled-holds.ts';
import { liveOut, naiveVerdict, withData } from './testing/lives.ts';
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

  it('are accepted with a memory of one settled hold, and whatever was forgotten is told', () => {
    fc.assert(
      fc.property(histories(MAX_STEPS), (history) => {
        const { events } = liveOut(history);
        const forgotten = new Set<string>();
        const used = new Set<string>();
        const options = {
          settledHolds: createSettledHolds(1),
          onUse: (kind: string, key: string) => {
            expect(used.has(`${kind} ${key}`)).toBe(false);
            used.add(`${kind} ${key}`);
          },
        };
        const once = keptBooks(events, {
          ...options,
          onForgotten: (holdId) => forgotten.add(holdId),
        });
        const twice = keptBooks(events, {
          settledHolds: createSettledHolds(1),
          remember: (holdId) => forgotten.has(holdId),
          onForgotten: () => expect.fail('forgotten again'),
        });
        expect(once.totals).toEqual(twice.totals);
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

/** One event left out, doubled, swapped with the next, or with one value of its data or context changed. */
function changeOne(
  events: readonly RecordedAccountEvent[],
  where: number,
  what: number,
  how: number,
): RecordedAccountEvent[] {
  const changed = [...events];
  const place = where % events.length;
  const event = changed[place];
  const other = events[how % events.length];
  if (event === undefined || other === undefined) return changed;
  if (what % 16 === 0) changed.splice(place, 1);
  else if (what % 16 === 1) changed.splice(place, 0, event);
  else if (what % 16 === 2)
    changed.splice(place, 2, ...events.slice(place, place + 2).toReversed());
  else if (what % 16 === 3)
    changed[place] = { ...event, context: changeContext(event, other, how) };
  else {
    const data = structuredClone(event.event.data);
    changeLeaf(data, other.event.data, what, how);
    changed[place] = withData(event, data);
  }
  return changed;
}

function changeContext(
  { context }: RecordedAccountEvent,
  other: RecordedAccountEvent,
  how: number,
) {
  const changes = [
    { index: context.index + 1 },
    { index: 0 },
    { command_id: other.context.command_id },
    { occurred_at: other.context.occurred_at },
    { occurred_at: formatTime(Date.parse(context.occurred_at) - 1) },
    { request_hash: 'other' },
  ];
  return { ...context, ...changes[how % changes.length] };
}

/** Changes one value, wherever in the data it is, to another of its kind: of the same event, or of another one. */
function changeLeaf(data: object, other: object, what: number, how: number): void {
  const leaves = leavesOf(data);
  const leaf = leaves[what % leaves.length];
  if (leaf === undefined) return;
  const { holder, key } = leaf;
  const value: unknown = holder[key];
  const others = [...leavesOf(other), ...leaves]
    .map((each): unknown => each.holder[each.key])
    .filter((each) => typeof each === typeof value && each !== value && !Array.isArray(each));
  if (Array.isArray(value)) {
    if (how % 3 === 0) value.reverse();
    else if (how % 3 === 1) value.pop();
    else if (value.length > 0) value.push(structuredClone(value[0]));
  } else if (typeof value === 'number')
    holder[key] =
      how % 4 < 2
        ? value + 1
        : how % 4 === 2
          ? value - 1
          : (others[how % others.length] ?? 0 - value);
  else if (typeof value === 'boolean') holder[key] = !value;
  else if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value))
    holder[key] = formatTime(Math.max(0, Date.parse(value) + (how % 2 === 0 ? 1 : -1)));
  else holder[key] = others[how % Math.max(1, others.length)] ?? 'other';
}

function leavesOf(data: object): { holder: Record<string, unknown>; key: string }[] {
  const holder = data as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => {
    const value = holder[key];
    const inner = typeof value === 'object' && value !== null ? leavesOf(value) : [];
    return value === null || (typeof value === 'object' && !Array.isArray(value))
      ? inner
      : [...inner, { holder, key }];
  });
}
