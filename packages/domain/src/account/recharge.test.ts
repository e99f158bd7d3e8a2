import { describe, expect, it } from 'vitest';
import { createAuditor } from '../testing/auditor.ts';
import { type Book, confirm, eventsOf, hold, openBook, recharge, uuidAt } from '../testing/book.ts';
import { MAX_POINTS } from '../pricing/price-use.ts';
import { DAY_MS, HOUR_MS, LAST_TIME_MS, formatTime } from '../time.ts';
import type { Expiry } from './commands.ts';
import { MAX_BALANCE } from './batches.ts';

function audited(book: Book): void {
  const auditor = createAuditor();
  for (const event of book.events) auditor.check(event);
}

/** An account that owes 3 and then 4, to the holds returned. */
function inDebt(): { book: Book; debts: string[] } {
  const book = openBook();
  recharge(book, 2);
  const debts = [uuidAt(book.nowMs), uuidAt(book.nowMs)];
  for (const holdId of debts) hold(book, 1, { holdId });
  confirm(book, debts[0] ?? '', 4);
  confirm(book, debts[1] ?? '', 5);
  return { book, debts };
}

describe('batches of a recharge', () => {
  it.each([
    { source: 'order' as const, points: 100, bonus: 20, batches: ['paid 100', 'bonus 20'] },
    { source: 'order' as const, points: 100, bonus: 0, batches: ['paid 100'] },
    { source: 'order' as const, points: 0, bonus: 20, batches: ['bonus 20'] },
    { source: 'admin' as const, points: 1, bonus: 1, batches: ['paid 1', 'bonus 1'] },
    { source: 'import' as const, points: 1, bonus: 0, batches: ['paid 1'] },
    { source: 'reward' as const, points: 7, bonus: 0, batches: ['reward 7'] },
  ])('$source of $points and $bonus: $batches', ({ source, points, bonus, batches }) => {
    const book = openBook();
    const commandId = uuidAt(book.nowMs);
    recharge(book, points, { source, bonus, context: { commandId } });
    const [recharged] = eventsOf(book, 'PointsRecharged');
    expect(recharged?.batches.map((batch) => `${batch.kind} ${batch.points}`)).toEqual(batches);
    expect(recharged?.batches.map((batch) => batch.batch_id)).toEqual(
      batches.map((_, n) => `${commandId}:${n}`),
    );
    expect(recharged).toMatchObject({ balance_before: 0, balance_after: points + bonus, source });
    audited(book);
  });

  it.each<{ expiry: Expiry; expires_at: string | null }>([
    { expiry: { kind: 'never' }, expires_at: null },
    { expiry: { kind: 'at', atMs: Date.UTC(2026, 5, 1) }, expires_at: '2026-06-01T00:00:00.000Z' },
    // The clock says 2026-01-02 00:30 in Shanghai.
    { expiry: { kind: 'days', days: 0 }, expires_at: '2026-01-02T15:59:59.999Z' },
    { expiry: { kind: 'days', days: 365 }, expires_at: '2027-01-02T15:59:59.999Z' },
  ])('expire at $expires_at', ({ expiry, expires_at }) => {
    const book = openBook(Date.UTC(2026, 0, 1, 16, 30));
    recharge(book, 5, { bonus: 1, expiry });
    const [recharged] = eventsOf(book, 'PointsRecharged');
    expect(recharged?.batches.map((batch) => batch.expires_at)).toEqual([expires_at, expires_at]);
    audited(book);
  });

  it('keep the order number when there is one', () => {
    const book = openBook();
    const context = book.context();
    const command = {
      source: 'order',
      sourceRef: 'pay-1',
      points: 5,
      bonusPoints: 0,
      expiry: { kind: 'never' },
      description: 'd',
    } as const;
    book.run({ kind: 'Recharge', context, ...command, orderNo: 'no-1' });
    expect(eventsOf(book, 'PointsRecharged')).toMatchObject([
      { source_ref: 'pay-1', order_no: 'no-1', description: 'd' },
    ]);
    recharge(book, 5);
    expect(eventsOf(book, 'PointsRecharged')[1]).not.toHaveProperty('order_no');
  });
});

describe('refused', () => {
  const now = Date.UTC(2026, 0, 1);

  it.each<{ what: string; points: number; bonus?: number; expiry?: Expiry; details: object }>([
    {
      what: 'an expiry now',
      points: 5,
      expiry: { kind: 'at', atMs: now },
      details: { field: 'expires_at' },
    },
    {
      what: 'an expiry before now',
      points: 5,
      expiry: { kind: 'at', atMs: now - 1 },
      details: { field: 'expires_at' },
    },
    {
      what: 'an expiry that no event can hold',
      points: 5,
      expiry: { kind: 'at', atMs: LAST_TIME_MS + 1 },
      details: { field: 'expires_at' },
    },
    {
      what: 'validity beyond the last year',
      points: 5,
      expiry: { kind: 'days', days: 3_000_000 },
      details: { field: 'expires_at' },
    },
    {
      what: 'validity beyond all dates',
      points: 5,
      expiry: { kind: 'days', days: 1e15 },
      details: { field: 'expires_at' },
    },
    { what: 'nothing at all', points: 0, details: { field: 'points' } },
    {
      what: 'more than 1e12',
      points: MAX_POINTS + 1,
      details: { field: 'points', max: MAX_POINTS },
    },
    {
      what: 'more than 1e12 with its bonus',
      points: MAX_POINTS,
      bonus: 1,
      details: { field: 'points', max: MAX_POINTS },
    },
  ])('$what', ({ points, bonus = 0, expiry = { kind: 'never' }, details }) => {
    const book = openBook(now);
    expect(recharge(book, points, { bonus, expiry })).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'invalid_argument', details },
    });
    expect(book.events).toEqual([]);
  });

  it('an account holds up to 9e15 points, debt counted beside them', () => {
    const { book } = inDebt();
    book.account = { ...book.account, balance: MAX_BALANCE - MAX_POINTS - 8 };
    expect(recharge(book, MAX_POINTS)).toMatchObject({ outcome: 'accepted' });
    expect(recharge(book, 9)).toMatchObject({ outcome: 'refused' });
    expect(recharge(book, 8)).toMatchObject({ outcome: 'accepted' });
  });

  it('the largest expiry fits', () => {
    const book = openBook(now);
    expect(recharge(book, 1, { expiry: { kind: 'at', atMs: LAST_TIME_MS } }).outcome).toBe(
      'accepted',
    );
    expect(book.account.batches[0]?.expiresMs).toBe(LAST_TIME_MS);
    expect(formatTime(LAST_TIME_MS)).toBe('9999-12-31T23:59:59.999Z');
  });
});

describe('debt', () => {
  it.each([
    { points: 2, bonus: 0, repaid: ['first paid 2'], debt: 5, balance: -5 },
    { points: 3, bonus: 0, repaid: ['first paid 3'], debt: 4, balance: -4 },
    { points: 5, bonus: 0, repaid: ['first paid 3', 'second paid 2'], debt: 2, balance: -2 },
    {
      points: 5,
      bonus: 4,
      repaid: ['first bonus 3', 'second bonus 1', 'second paid 3'],
      debt: 0,
      balance: 2,
    },
    { points: 7, bonus: 0, repaid: ['first paid 3', 'second paid 4'], debt: 0, balance: 0 },
  ])('$points and $bonus repay the oldest first, in spend order: $repaid', (row) => {
    const { book, debts } = inDebt();
    recharge(book, row.points, { bonus: row.bonus });
    const last = eventsOf(book, 'PointsRecharged').at(-1);
    const kinds = new Map(last?.batches.map((batch) => [batch.batch_id, batch.kind]));
    const repaid = last?.debt_repaid.map(
      (part) =>
        `${part.debt_ref === debts[0] ? 'first' : 'second'} ${kinds.get(part.batch_id)} ${part.points}`,
    );
    expect(repaid).toEqual(row.repaid);
    expect(book.account).toMatchObject({ debt: row.debt, balance: row.balance });
    expect(last).toMatchObject({
      balance_before: -7,
      balance_after: row.balance,
      debt_after: row.debt,
    });
    audited(book);
  });

  it('no points of a due batch repay it: they are gone', () => {
    const book = openBook();
    recharge(book, 5, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    recharge(book, 1);
    const holdId = uuidAt(book.nowMs);
    hold(book, 6, { holdId });
    confirm(book, holdId, 7);
    expect(book.account.debt).toBe(1);
    book.nowMs += DAY_MS;
    recharge(book, 3);
    expect(eventsOf(book, 'PointsRecharged').at(-1)?.debt_repaid).toMatchObject([
      { debt_ref: holdId, points: 1 },
    ]);
    audited(book);
  });
});
