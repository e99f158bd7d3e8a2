import { consume, recharge } from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectedAccount } from './testing/expected-account.ts';
import { eventsOf, pick, projected } from './testing/projected.ts';
import { createRandom, randomStep } from './testing/random-history.ts';
import type { WorkingSet } from './working-set.ts';

describe('any history', () => {
  it('gives the rows that the fold of the same events gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 150 }), async (seed, steps) => {
        const books = new Map<string, Book>();
        const events = await eventsOf((writer) => {
          const random = createRandom(seed);
          for (const id of ['a', 'b']) books.set(id, writer.book(id));
          for (let step = 0; step < steps; step += 1) {
            randomStep(writer.book(random() < 0.7 ? 'a' : 'b'), random);
          }
        });
        const set = projected(events);
        for (const [accountId, book] of books) {
          if (book.events.length === 0) continue;
          expect(actualAccount(set, accountId)).toEqual(expectedAccount(book));
        }
        for (const batch of set.batches.changed()) {
          expect(batch.held).toBeGreaterThanOrEqual(0);
          expect(batch.remaining).toBeGreaterThanOrEqual(batch.held);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('what cannot follow is refused', () => {
  const history = () =>
    eventsOf((writer) => {
      const book = writer.book('a');
      recharge(book, 10);
      consume(book, 6);
      recharge(book, 1);
    });

  it.each([
    ['a gap', [0, 2], /gap: .* is 0, not 1/],
    ['a missing beginning', [1], /gap: .* is -1, not 0/],
    ['an event that comes twice', [0, 1, 1], /gap: .* is 1, not 0/],
  ])('%s', async (_, order, message) => {
    const events = await history();
    expect(() => projected(pick(events, order))).toThrow(message);
  });

  it('a balance that does not go on from ours', async () => {
    const [first, second] = await history();
    if (first === undefined || second === undefined) throw new Error('no history');
    const other = { ...second, data: { ...second.data, balance_before: 11 } };
    expect(() => projected([first, other])).toThrow('the balance is 10, the event says it was 11');
  });

  it('a settlement of a hold that is not there, or no longer open', async () => {
    const events = await history();
    const again = events.map((event) =>
      event.revision === 3
        ? {
            ...event,
            type: 'HoldConfirmed',
            metadata: { ...event.metadata, schema: 'HoldConfirmed.v1' },
            data: { ...events[2]?.data, balance_before: 4 },
          }
        : event,
    );
    expect(() => projected(again)).toThrow(/is confirmed already/);
  });
});

function actualAccount(set: WorkingSet, accountId: string) {
  const {
    user_id: _,
    id: __,
    updated_at: ___,
    frozen_at: ____,
    ...row
  } = set.accounts.change(accountId);
  const own = <Row extends { user_id: string }>(rows: Row[]) =>
    rows.filter((each) => each.user_id === accountId);
  return {
    row,
    batches: own(set.batches.changed())
      .filter((batch) => batch.remaining > 0)
      .map(({ batch_id, kind, points, remaining, held }) => ({
        batch_id,
        kind,
        points,
        remaining,
        held,
      }))
      .sort((a, b) => (a.batch_id < b.batch_id ? -1 : 1)),
    pendingHolds: own(set.holds.changed())
      .filter((each) => each.status === 'pending')
      .map(({ hold_id, amount }) => ({ hold_id, amount }))
      .sort((a, b) => (a.hold_id < b.hold_id ? -1 : 1)),
    deltas: own(set.transactions).map((transaction) => transaction.delta),
    commands: set.commands.filter((command) => command.account_id === accountId).length,
  };
}
