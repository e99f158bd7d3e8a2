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
import { DAY_MS, HOUR_MS, MINUTE_MS, formatTime } from '../time.ts';
import { summarize } from './batches.ts';

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

describe('points released by a batch that is due', () => {
  it.each([
    { reason: 'caller' as const, comesBack: false },
    { reason: 'client_abort' as const, comesBack: false },
    { reason: 'failed' as const, comesBack: true },
    { reason: 'admin' as const, comesBack: true },
    { reason: 'expired' as const, comesBack: true },
  ])('$reason: come back for 7 days: $comesBack', ({ reason, comesBack }) => {
    const book = withDue(10);
    const holdId = placed(book, 6, 2 * HOUR_MS);
    const origin = book.account.batches[0]?.batchId;
    book.nowMs += 2 * HOUR_MS + MINUTE_MS;
    book.watermarkMs = book.nowMs;
    const commandId = uuidAt(book.nowMs);
    if (reason === 'expired') book.run({ kind: 'ExpireDue', context: book.context({ commandId }) });
    else cancel(book, holdId, reason, { commandId });
    const [canceled] = eventsOf(book, 'HoldCanceled');
    const grace = {
      batch_id: `${commandId}:0`,
      points: 6,
      expires_at: formatTime(book.nowMs + 7 * DAY_MS),
      origin_batch_id: origin,
    };
    expect(canceled).toMatchObject({ reason, released: 6, grace: comesBack ? [grace] : [] });
    expect(eventsOf(book, 'BatchExpired').map((each) => each.points)).toEqual(
      comesBack ? [4] : [4, 6],
    );
    expect(book.account.balance).toBe(comesBack ? 6 : 0);
    audited(book);
  });

  it('only the due part comes back, and only what debt leaves', () => {
    const book = withDue(4);
    recharge(book, 6);
    const over = placed(book, 1);
    const holdId = placed(book, 9, 2 * HOUR_MS);
    confirm(book, over, 3);
    book.nowMs += 2 * HOUR_MS;
    cancel(book, holdId, 'failed');
    const [due, never] = eventsOf(book, 'PointsRecharged').map((each) => each.batches[0]?.batch_id);
    expect(eventsOf(book, 'HoldCanceled')).toMatchObject([
      {
        released: 9,
        debt_repaid: [{ debt_ref: over, batch_id: due, points: 2 }],
        grace: [{ points: 1, origin_batch_id: due }],
      },
    ]);
    expect(
      book.account.batches.map((batch) => [batch.batchId === never, batch.kind, batch.remaining]),
    ).toEqual([
      [false, 'grace', 1],
      [true, 'paid', 6],
    ]);
    expect(summarize(book.account, book.nowMs).available).toBe(7);
    audited(book);
  });

  it('a grace batch is spent like any other, and expires for good', () => {
    const book = withDue(10);
    const holdId = placed(book, 6);
    book.nowMs += HOUR_MS;
    cancel(book, holdId, 'failed');
    consume(book, 2);
    book.nowMs += 7 * DAY_MS;
    sweep(book);
    expect(eventsOf(book, 'BatchExpired').map((each) => each.points)).toEqual([4, 4]);
    expect(book.account).toMatchObject({ balance: 0, batches: [] });
    audited(book);
  });
});
