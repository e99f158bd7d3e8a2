import {
  charged,
  confirm,
  consume,
  freeze,
  grantMembership,
  hold,
  openBook,
  recharge,
  reverseRecharge,
  uuidAt,
} from '@points/domain/testing/book';
import { histories } from '@points/domain/testing/history';
import { mapValues } from '@points/domain/persistent-map';
import { evolve } from '@points/domain/account/evolve';
import { freshAccount } from '@points/domain/account/account';
import { DAY_MS, formatTime } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BalanceAsOf, balanceAsOf } from './balance-as-of.ts';
import { liveOut } from './books/testing/lives.ts';
import { BrokenHistoryError } from './decode-account.ts';
import { sealed } from './testing/sealed.ts';

const ALL = { asOf: null, position: 999n };

/** A part of two batches is spent, one is due, one hold is open, the account is frozen. */
function busy() {
  const book = openBook();
  recharge(book, 10, { bonus: 5, sourceRef: 'first' });
  recharge(book, 4, { expiry: { kind: 'at', atMs: book.nowMs + DAY_MS }, source: 'reward' });
  grantMembership(book, 3);
  consume(book, 6);
  hold(book, 2, { holdId: uuidAt(book.nowMs), terms: charged(2, { description: 'a picture' }) });
  book.nowMs += 2 * DAY_MS;
  freeze(book);
  return book;
}

describe('the balance as of a time', () => {
  it('of an account that never had an event is nothing', async () => {
    const none = await balanceAsOf('nobody', sealed('ada', busy().events), ALL);
    expect(none).toMatchObject({
      account_id: 'nobody',
      position: '999',
      revision: -1,
      last_position: null,
      at: null,
      balance: 0,
      available: 0,
      batches: [],
      open_holds: [],
      membership: null,
      frozen: false,
    });
    expect(await balanceAsOf('nobody', [], { asOf: null, position: null })).toMatchObject({
      position: null,
      balance: 0,
    });
    await expect(balanceAsOf('no id', [], ALL)).rejects.toThrow(RangeError);
  });

  it('tells batches, holds, membership and freeze', async () => {
    const book = busy();
    const now = await balanceAsOf('ada', sealed('ada', book.events), ALL);
    expect(now).toMatchObject({
      balance: 13,
      held: 2,
      available: 11,
      debt: 0,
      frozen: true,
      frozen_since: formatTime(book.nowMs),
      at: formatTime(book.nowMs),
      membership: { membership_type: 'month' },
      totals: { paid: 10, bonus: 5, rewarded: 4, consumed: 6, held: 2 },
    });
    expect(now.batches.map(({ kind, remaining, held }) => [kind, remaining, held])).toEqual([
      ['paid', 10, 0],
      ['bonus', 3, 2],
    ]);
    expect(now.open_holds).toMatchObject([{ amount: 2, description: 'a picture' }]);
    expect(now.revision).toBe(book.events.length - 1);
  });

  it('counts no due batch as available, and no membership that has ended, whatever was recorded', async () => {
    const book = openBook();
    recharge(book, 4, { expiry: { kind: 'at', atMs: book.nowMs + DAY_MS } });
    grantMembership(book, 3);
    const log = sealed('ada', book.events);
    const at = (ms: number) =>
      balanceAsOf('ada', log, { asOf: formatTime(book.nowMs + ms), position: 999n });
    expect(await at(DAY_MS - 1)).toMatchObject({ balance: 4, available: 4 });
    expect(await at(DAY_MS)).toMatchObject({ balance: 4, available: 0, membership: {} });
    expect((await at(DAY_MS - 1)).batches).toMatchObject([{ remaining: 4, due: false }]);
    expect((await at(DAY_MS)).batches).toMatchObject([{ remaining: 4, due: true }]);
    expect(await at(3 * DAY_MS)).toMatchObject({ membership: null });
    expect(await at(-1)).toMatchObject({ revision: -1, balance: 0, available: 0 });
  });

  it('has less available than balance less held by just the free points of due batches', async () => {
    await fc.assert(
      fc.asyncProperty(histories(60), fc.nat(400), async (history, days) => {
        const { events } = liveOut(history);
        const last = events.at(-1)?.context.occurred_at;
        if (last === undefined) return;
        const asOf = formatTime(Date.parse(last) + days * DAY_MS);
        const told = await balanceAsOf('ada', sealed('ada', events), { asOf, position: 999n });
        const due = told.batches.filter((batch) => batch.due);
        const lost = due.reduce((sum, { remaining, held }) => sum + remaining - held, 0);
        expect(told.available).toBe(told.balance - told.held - lost);
      }),
      { numRuns: 40 },
    );
  });

  it('tells debts, oldest first', async () => {
    const book = openBook();
    recharge(book, 10, { sourceRef: 'first' });
    const holdId = uuidAt(book.nowMs);
    hold(book, 10, { holdId });
    confirm(book, holdId, 12);
    reverseRecharge(book, 'first');
    expect(await balanceAsOf('ada', sealed('ada', book.events), ALL)).toMatchObject({
      balance: -12,
      debt: 12,
      debts: [
        { debt_ref: holdId, points: 2 },
        { debt_ref: 'reversal:first', points: 10 },
      ],
    });
  });

  it('is what the domain folds of the events up to then, for any history and any time', async () => {
    await fc.assert(
      fc.asyncProperty(histories(80), fc.nat(), async (history, cut) => {
        const { events } = liveOut(history);
        const last = events[cut % Math.max(1, events.length)];
        if (last === undefined) return;
        const asOf = last.context.occurred_at;
        const counted = events.filter(({ context }) => context.occurred_at <= asOf);
        const account = counted.reduce(evolve, freshAccount());
        const told = await balanceAsOf('ada', sealed('ada', events), { asOf, position: 999n });
        expect(told).toMatchObject({
          revision: counted.length - 1,
          balance: account.balance,
          held: account.held,
          debt: account.debt,
          frozen: account.frozen,
        });
        expect(leftIn(told)).toEqual(
          account.batches
            .map(({ batchId, remaining, pinned }) => `${batchId} ${remaining} ${pinned}`)
            .toSorted(),
        );
        expect(told.open_holds.map((each) => each.hold_id).toSorted()).toEqual(
          mapValues(account.openHolds)
            .map(({ holdId }) => holdId)
            .toSorted(),
        );
      }),
      { numRuns: 40 },
    );
  });
});

function leftIn({ batches }: BalanceAsOf): string[] {
  return batches
    .map(({ batch_id, remaining, held }) => `${batch_id} ${remaining} ${held}`)
    .toSorted();
}

describe('an account whose events cannot be right', () => {
  const told = async (change: (log: ReturnType<typeof sealed>) => unknown) => {
    const log = sealed('ada', busy().events);
    change(log);
    const error = await balanceAsOf('ada', log, ALL).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BrokenHistoryError);
    return (error as BrokenHistoryError).finding;
  };

  it('has no balance; the first place is named', async () => {
    expect(await told((log) => log.splice(2, 1))).toMatchObject({
      kind: 'missing_events',
      stream: 'account-ada',
      revision: 3,
    });
    expect(await told((log) => log.splice(0, 1))).toMatchObject({ kind: 'missing_events' });
    expect(
      await told((log) => {
        Object.assign(log[1]?.data ?? {}, { description: 'another' });
      }),
    ).toMatchObject({ kind: 'wrong_hash', revision: 1 });
    const other = openBook();
    recharge(other, 1);
    expect(await told((log) => log.splice(0, 1, ...sealed('ada', other.events)))).toMatchObject({
      kind: 'broken_chain',
      revision: 1,
    });
  });

  it('also when whoever changed them has sealed them anew', async () => {
    const events = busy().events.map((event) => structuredClone(event));
    Object.assign(events[0]?.event.data ?? {}, { balance_after: 16 });
    const error = await balanceAsOf('ada', sealed('ada', events), ALL).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ finding: { kind: 'wrong_books', revision: 0 } });
  });
});
