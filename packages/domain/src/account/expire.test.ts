import { describe, expect, it } from 'vitest';
import { createAuditor } from '../testing/auditor.ts';
import {
  type Book,
  cancel,
  confirm,
  consume,
  eventsOf,
  hold,
  openBook,
  recharge,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, formatTime } from '../time.ts';
import { freeOf, isDue, summarize } from './batches.ts';
import type { Decision } from './decide.ts';
import { MAX_CANCELED_HOLDS, MAX_EXPIRED_BATCHES } from './expire.ts';

function audited(book: Book): void {
  const auditor = createAuditor();
  for (const event of book.events) auditor.check(event);
}

function placed(book: Book, amount: number, ttlMs = HOUR_MS): string {
  const holdId = uuidAt(book.nowMs);
  expect(hold(book, amount, { holdId, request: { ttlMs } }).outcome).toBe('accepted');
  return holdId;
}

/** One batch of so many points that is due in an hour. */
function withDue(points: number): Book {
  const book = openBook();
  recharge(book, points, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
  return book;
}

function typesOf(decision: Decision): string[] {
  return decision.outcome === 'accepted'
    ? decision.events.map((each) => each.event.type)
    : [decision.outcome];
}

describe('due batches', () => {
  it('are due from their expiry on, not before', () => {
    const book = withDue(10);
    book.nowMs += HOUR_MS - 1;
    expect(typesOf(sweep(book))).toEqual([]);
    expect(summarize(book.account, book.nowMs).available).toBe(10);
    book.nowMs += 1;
    expect(summarize(book.account, book.nowMs)).toEqual({
      balance: 0,
      held: 0,
      available: 0,
      debt: 0,
    });
    expect(typesOf(sweep(book))).toEqual(['BatchExpired']);
    expect(eventsOf(book, 'BatchExpired')).toMatchObject([
      {
        points: 10,
        expired_at: formatTime(book.nowMs),
        pinned_left: 0,
        balance_before: 10,
        balance_after: 0,
      },
    ]);
    audited(book);
  });

  it('keep what holds pin; the sweep comes back for what was released', () => {
    const book = withDue(10);
    const holdId = placed(book, 6, 3 * HOUR_MS);
    book.nowMs += HOUR_MS;
    sweep(book);
    expect(typesOf(sweep(book))).toEqual([]);
    expect(summarize(book.account, book.nowMs)).toEqual({
      balance: 6,
      held: 6,
      available: 0,
      debt: 0,
    });
    expect(typesOf(confirm(book, holdId, 1))).toEqual(['HoldConfirmed', 'BatchExpired']);
    expect(book.account.balance).toBe(0);
    audited(book);
  });

  it.each([
    { what: 'a recharge', run: (book: Book) => recharge(book, 1), then: ['PointsRecharged'] },
    { what: 'a hold', run: (book: Book) => hold(book, 0), then: ['PointsHeld'] },
    {
      what: 'a consume',
      run: (book: Book) => consume(book, 0),
      then: ['PointsHeld', 'HoldConfirmed'],
    },
    {
      what: 'a tombstone',
      run: (book: Book) => cancel(book, uuidAt(book.nowMs)),
      then: ['HoldCanceled'],
    },
  ])('$what expires them first', ({ run, then }) => {
    const book = withDue(10);
    book.nowMs += HOUR_MS;
    expect(typesOf(run(book))).toEqual(['BatchExpired', ...then]);
    audited(book);
  });

  it.each([
    { what: 'a confirm', run: confirm, then: 'HoldConfirmed' },
    { what: 'a cancel', run: cancel, then: 'HoldCanceled' },
  ])('$what expires them first', ({ run, then }) => {
    const book = withDue(10);
    const holdId = placed(book, 4);
    book.nowMs += HOUR_MS;
    expect(typesOf(run(book, holdId)).slice(0, 2)).toEqual(['BatchExpired', then]);
    audited(book);
  });

  it('a refusal expires nothing', () => {
    const book = withDue(10);
    book.nowMs += HOUR_MS;
    const before = book.account;
    expect(typesOf(hold(book, 1))).toEqual(['refused']);
    expect(book.account).toBe(before);
  });
});

describe('many due batches', () => {
  const COUNT = 2 * MAX_EXPIRED_BATCHES + 50;

  /** So many due batches of one point, 5 points that stay, and an open hold of 2 that pins the last two due ones. */
  function given(): { book: Book; holdId: string } {
    const book = openBook();
    const last = uuidAt(book.nowMs);
    recharge(book, 2, { expiry: { kind: 'at', atMs: book.nowMs + 2 * HOUR_MS } });
    hold(book, 2, { holdId: last });
    recharge(book, 5);
    for (let i = 0; i < COUNT; i++)
      recharge(book, 1, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    book.nowMs += 2 * HOUR_MS;
    return { book, holdId: last };
  }

  it.each([
    { what: 'sweep', run: ({ book }: { book: Book }) => sweep(book) },
    { what: 'recharge', run: ({ book }: { book: Book }) => recharge(book, 1) },
    { what: 'hold', run: ({ book }: { book: Book }) => hold(book, 5) },
    { what: 'consume', run: ({ book }: { book: Book }) => consume(book, 5, {}, 3) },
    {
      what: 'confirm',
      run: ({ book, holdId }: { book: Book; holdId: string }) => confirm(book, holdId, 1),
    },
    {
      what: 'cancel',
      run: ({ book, holdId }: { book: Book; holdId: string }) => cancel(book, holdId),
    },
    { what: 'tombstone', run: ({ book }: { book: Book }) => cancel(book, uuidAt(book.nowMs)) },
  ])('one $what expires at most a hundred of them, and counts none of them', ({ run }) => {
    const { book, holdId } = given();
    expect(summarize(book.account, book.nowMs).available).toBe(5);
    const types = typesOf(run({ book, holdId }));
    expect(types.filter((type) => type === 'BatchExpired').length).toBe(MAX_EXPIRED_BATCHES);
    audited(book);
  });

  it('further sweeps expire the rest', () => {
    const { book } = given();
    expect([1, 2, 3, 4].map(() => typesOf(sweep(book)).length)).toEqual([100, 100, 50, 0]);
    expect(
      book.account.batches.every((batch) => freeOf(batch) === 0 || !isDue(batch, book.nowMs)),
    ).toBe(true);
    audited(book);
  });
});

describe('overdue holds', () => {
  /** A hold of 5 for a second; then so long after its expiry, and the watermark so long after. */
  function swept(afterMs: number, watermarkMs: number | null, holdGraceMs = MINUTE_MS): string[] {
    const book = openBook();
    book.limits = { ...book.limits, openHolds: 1_000, holdGraceMs };
    recharge(book, 10);
    placed(book, 5, SECOND_MS);
    const expiry = book.nowMs + SECOND_MS;
    book.nowMs = expiry + afterMs;
    book.watermarkMs = watermarkMs === null ? null : expiry + watermarkMs;
    return typesOf(sweep(book));
  }

  it.each([
    { what: 'grace over', after: MINUTE_MS, watermark: MINUTE_MS, events: ['HoldCanceled'] },
    { what: 'grace not over', after: MINUTE_MS - 1, watermark: HOUR_MS, events: [] },
    { what: 'watermark behind', after: HOUR_MS, watermark: MINUTE_MS - 1, events: [] },
    { what: 'watermark ahead', after: MINUTE_MS, watermark: HOUR_MS, events: ['HoldCanceled'] },
    { what: 'watermark unknown', after: DAY_MS, watermark: null, events: [] },
  ])('$what: $events', ({ after, watermark, events }) => {
    expect(swept(after, watermark)).toEqual(events);
  });

  it('the grace is a setting', () => {
    expect(swept(SECOND_MS, SECOND_MS, SECOND_MS)).toEqual(['HoldCanceled']);
    expect(swept(SECOND_MS - 1, SECOND_MS, SECOND_MS)).toEqual([]);
  });

  it('the oldest expiry goes first, at most a hundred at a time', () => {
    const book = openBook();
    book.nowMs += 1;
    recharge(book, 1_000);
    const ids = Array.from({ length: MAX_CANCELED_HOLDS + 30 }, (_, i) =>
      placed(book, 1, HOUR_MS - i * SECOND_MS),
    );
    book.nowMs += 2 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    sweep(book);
    expect(eventsOf(book, 'HoldCanceled').map((each) => each.hold_id)).toEqual(
      ids.toReversed().slice(0, MAX_CANCELED_HOLDS),
    );
    sweep(book);
    expect(eventsOf(book, 'HoldCanceled').length).toBe(ids.length);
    expect(summarize(book.account, book.nowMs)).toMatchObject({ held: 0, available: 1_000 });
    audited(book);
  });

  it('one decision stays within what one append may hold', () => {
    const book = openBook();
    recharge(book, 150);
    for (let i = 0; i < 150; i++) placed(book, 1, SECOND_MS);
    for (let i = 0; i < 250; i++)
      recharge(book, 1, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    book.nowMs += DAY_MS;
    book.watermarkMs = book.nowMs;
    const types = typesOf(consume(book, 100, {}, 120));
    expect(types.length).toBe(MAX_EXPIRED_BATCHES + MAX_CANCELED_HOLDS + 2);
    audited(book);
  });
});

describe('time that runs backwards', () => {
  it('the account’s time never does: an older clock counts as the last event’s time', () => {
    const book = withDue(10);
    book.nowMs += HOUR_MS;
    sweep(book);
    const sweptAt = formatTime(book.nowMs);
    book.nowMs -= MINUTE_MS;
    expect(summarize(book.account, book.nowMs).available).toBe(0);
    expect(hold(book, 1)).toMatchObject({ refusal: { code: 'insufficient_points' } });
    recharge(book, 5, { expiry: { kind: 'at', atMs: book.nowMs + MINUTE_MS + 1 } });
    expect(book.events.at(-1)?.context.occurred_at).toBe(sweptAt);
    expect(
      recharge(book, 5, { expiry: { kind: 'at', atMs: book.nowMs + MINUTE_MS } }),
    ).toMatchObject({
      refusal: { code: 'invalid_argument', details: { field: 'expires_at' } },
    });
    audited(book);
  });

  it('what was due at the last event stays due, also what that event left for the next sweep', () => {
    const book = openBook();
    recharge(book, 5);
    for (let i = 0; i < MAX_EXPIRED_BATCHES + 1; i++)
      recharge(book, 1, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    book.nowMs += HOUR_MS;
    sweep(book);
    book.nowMs -= MINUTE_MS;
    expect(summarize(book.account, book.nowMs)).toMatchObject({ balance: 5, available: 5 });
    expect(hold(book, 6)).toMatchObject({ refusal: { details: { available: 5, shortfall: 1 } } });
  });
});
