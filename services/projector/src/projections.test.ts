import {
  adjust,
  cancel,
  consume,
  grantMembership,
  hold,
  recharge,
  START_MS,
  sweep,
  uuidAt,
} from '@points/domain/testing/book';
import type { Book } from '@points/domain/testing/book';
import { histories } from '@points/domain/testing/history';
import type { History } from '@points/domain/testing/history';
import { narrate } from '@points/domain/testing/narrate';
import type { StoredEvent } from '@points/event-store/event-log';
import { DAY_MS, HOUR_MS } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { project } from './projections.ts';
import { SOURCES } from './rows.ts';
import { actualAccount } from './testing/actual-account.ts';
import { expectedAccount } from './testing/expected-account.ts';
import { createMemoryTables } from './testing/memory-tables.ts';
import { eventsOf, pick, placeOf, projected } from './testing/projected.ts';
import { createRandom, randomStep } from './testing/random-history.ts';
import { loadTouched, saveChanged } from './touched-rows.ts';

const RUNS = 25;

describe('any history gives the rows that the fold gives, however the events are divided', () => {
  it('as it shrinks well', { timeout: 0 }, async () => {
    const two = fc.record({ a: histories(150), b: histories(150) });
    await fc.assert(
      fc.asyncProperty(two, batchSizes, async ({ a, b }, sizes) => {
        await expectRowsAgree({ a: storyLife(a), b: storyLife(b) }, sizes);
      }),
      { numRuns: RUNS },
    );
  });

  it('as it is full of holds and debts', { timeout: 0 }, async () => {
    const lives = fc.tuple(fc.integer(), fc.integer({ min: 1, max: 150 }));
    await fc.assert(
      fc.asyncProperty(lives, batchSizes, async ([seed, steps], sizes) => {
        const random = createRandom(seed);
        const busy: Life = (book, step) => step < steps && (randomStep(book, random), true);
        await expectRowsAgree({ a: busy, b: busy }, sizes);
      }),
      { numRuns: RUNS },
    );
  });
});

it('a grace batch that comes and expires in one batch of events is noted at its old source', async () => {
  const events = await eventsOf((writer) => {
    const book = writer.book('a');
    recharge(book, 1, { sourceRef: 'old', expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
    const holdId = uuidAt(START_MS);
    hold(book, 1, { holdId });
    book.nowMs += 2 * HOUR_MS;
    cancel(book, holdId, 'failed');
    book.nowMs += 8 * DAY_MS;
    sweep(book);
  });
  const tables = await applied(events, [2]);
  expect(await tables.read(SOURCES, [['a', 'old']])).toMatchObject([{ revisions: [0, 3] }]);
});

const batchSizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });

/** Does the step of this number, from 0; false = there is none. */
type Life = (book: Book, step: number) => boolean;

function storyLife(story: History): Life {
  const narrator = narrate(story);
  return (book, number) => {
    const step = story.steps[number];
    if (step === undefined) return false;
    book.limits = story.limits;
    const command = narrator.next(step);
    if (command !== null) book.run(command);
    return true;
  };
}

/** The accounts live side by side; with stories they have the same ids in them. */
async function expectRowsAgree(
  lives: Readonly<Record<string, Life>>,
  sizes: readonly number[],
): Promise<void> {
  const accounts = Object.entries(lives);
  const books = new Map<string, Book>();
  const events = await eventsOf(async (writer) => {
    for (const [accountId] of accounts) books.set(accountId, writer.book(accountId));
    for (let step = 0; ; step += 1) {
      const alive = accounts.map(([accountId, life]) => life(writer.book(accountId), step));
      if (!alive.includes(true)) return;
      await writer.flush();
    }
  });
  const oneGo = await applied(events, [Math.max(1, events.length)]);
  expect((await applied(events, [1])).dump()).toEqual(oneGo.dump());
  expect((await applied(events, sizes)).dump()).toEqual(oneGo.dump());
  for (const [accountId, book] of books) {
    const actual = await actualAccount(oneGo.read, accountId, book);
    expect(actual).toEqual(book.events.length === 0 ? null : expectedAccount(book));
  }
}

/** Tables to which the events were applied in batches of these sizes, again and again. */
async function applied(events: readonly StoredEvent[], sizes: readonly number[]) {
  const tables = createMemoryTables();
  let next = 0;
  for (let batch = 0; next < events.length; batch += 1) {
    const size = sizes[batch % sizes.length] ?? 1;
    const placed = events.slice(next, next + size).map(placeOf);
    next += size;
    const set = await loadTouched(tables.read, placed);
    for (const each of placed) project(set, each);
    await saveChanged(tables.write, set);
  }
  return tables;
}

describe('a row that is there already is noticed, though another batch of events made it', () => {
  it.each<[what: string, act: (book: Book) => void, change?: object]>([
    ['batch', (book) => void recharge(book, 1)],
    ['batch', (book) => void adjust(book, 1)],
    ['source', (book) => void recharge(book, 1), { batches: [] }],
    ['hold', (book) => void hold(book, 0)],
    ['membership', (book) => void grantMembership(book, 1)],
  ])('%s', async (what, act, change = {}) => {
    const [event] = await eventsOf((writer) => act(writer.book('a')));
    if (event === undefined) throw new Error('no event');
    const data = { ...event.data, balance_before: event.data['balance_after'], ...change };
    await expect(applied([event, { ...event, revision: 1, data }], [1])).rejects.toThrow(
      `there is already a ${what}`,
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
