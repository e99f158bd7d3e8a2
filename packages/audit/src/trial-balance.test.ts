import type { RecordedAccountEvent } from '@points/domain/account/events';
import {
  type Book,
  adjust,
  charged,
  confirm,
  consume,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  sweep,
  uuidAt,
} from '@points/domain/testing/book';
import { type History, histories } from '@points/domain/testing/history';
import { narrate } from '@points/domain/testing/narrate';
import { DAY_MS } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from './audit-event.ts';
import { stored } from './books/testing/lives.ts';
import { BrokenHistoryError, decodeAccountEvent } from './decode-account.ts';
import { MOVEMENT_KINDS, balanceOf, debtOf, noMovement } from './movement.ts';
import { type TrialBalanceRequest, trialBalance } from './trial-balance.ts';
import { createSourceSums } from './trial-balance-sources.ts';

const ALL: TrialBalanceRequest = { asOf: null, position: 99n, by: 'none' };

/** A log of these accounts' events, one account after the other. */
function logOf(accounts: Readonly<Record<string, readonly RecordedAccountEvent[]>>): AuditEvent[] {
  return Object.entries(accounts)
    .flatMap(([id, events]) =>
      events.map((event, revision) => ({ ...stored(event, revision), stream: `account-${id}` })),
    )
    .map((event, place) => ({ ...event, position: BigInt(place * 10 + 3) }));
}

/** A life with every kind of movement, over three days. */
function busy(): Book {
  const book = openBook();
  recharge(book, 10, { bonus: 2, sourceRef: 'first' });
  recharge(book, 3, {
    source: 'reward',
    expiry: { kind: 'at', atMs: book.nowMs + DAY_MS },
  });
  const holdId = uuidAt(book.nowMs);
  hold(book, 6, { holdId, terms: charged(6), request: { sourceType: 'image', model: 'sora' } });
  confirm(book, holdId, 18);
  book.nowMs += DAY_MS;
  recharge(book, 5, { sourceRef: 'second' });
  refund(book, holdId, 4);
  consume(book, 1, { request: { sourceType: 'tts' } });
  recharge(book, 2, { expiry: { kind: 'at', atMs: book.nowMs + 1_000 } });
  book.nowMs += DAY_MS;
  sweep(book);
  reverseRecharge(book, 'first');
  adjust(book, 7);
  adjust(book, -9, { forced: true });
  return book;
}

function lived(history: History): RecordedAccountEvent[] {
  const narrator = narrate(history);
  const book = openBook();
  for (const step of history.steps) {
    const command = narrator.next(step);
    if (command !== null) book.run(command);
  }
  return book.events;
}

describe('the trial balance', () => {
  it('of an empty log is nothing, and sums', async () => {
    const empty = await trialBalance(() => [], { ...ALL, position: null });
    expect(empty).toMatchObject({
      position: null,
      events: 0,
      debit: 0,
      credit: 0,
      sums_to_zero: true,
    });
  });

  it('sums, agrees with the accounts, and is the same again', async () => {
    const book = busy();
    const log = logOf({ a: book.events });
    const first = await trialBalance(() => log, { ...ALL, by: 'source' });
    expect(first).toMatchObject({ sums_to_zero: true, accounts: 1, position: '99', findings: [] });
    expect(first.debit).toBe(first.credit);
    expect(first.balance).toBe(book.events.at(-1)?.event.data.balance_after);
    const again = await trialBalance(() => log, { ...ALL, by: 'source' });
    expect(JSON.stringify(again)).toBe(JSON.stringify(first));
  });

  it('by source names how points came and what used them', async () => {
    const { sources, totals } = await trialBalance(() => logOf({ a: busy().events }), {
      ...ALL,
      by: 'source',
    });
    const names = sources.map(({ group, source, model }) =>
      [group, source, model].join(' ').trim(),
    );
    expect(names).toEqual([
      'adjustment',
      'expiry',
      'recharge order',
      'recharge reward',
      'use image sora',
      'use tts',
    ]);
    expect(sources.find(({ model }) => model === 'sora')).toMatchObject({
      consumed: 18,
      refunded: 4,
    });
    expect(sources.find(({ source }) => source === 'order')).toMatchObject({ reversed: 12 });
    for (const kind of MOVEMENT_KINDS)
      expect(
        sources.reduce((sum, row) => sum + row[kind], 0),
        kind,
      ).toBe(totals[kind]);
  });

  it('by day ends each day where the accounts then stood', async () => {
    const { days, balance, debt, held } = await trialBalance(() => logOf({ a: busy().events }), {
      ...ALL,
      by: 'day',
    });
    expect(days.map(({ day }) => day)).toEqual(['2026-01-01', '2026-01-02', '2026-01-03']);
    expect(days.at(-1)).toMatchObject({ balance, debt, held_after: held });
  });

  it('as of a time between two events counts those before it', async () => {
    const book = busy();
    const asOf = '2026-01-01T00:00:00.001Z';
    const day = book.events.filter(({ context }) => context.occurred_at <= asOf);
    const then = await trialBalance(() => logOf({ a: book.events }), { ...ALL, asOf });
    expect(then).toMatchObject({ events: day.length, sums_to_zero: true });
    expect(then.balance).toBe(day.at(-1)?.event.data.balance_after);
  });

  it('of random ledgers sums, in all three ways', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(histories(40), { minLength: 1, maxLength: 3 }), async (lives) => {
        const accounts = Object.fromEntries(lives.map((life, place) => [`u${place}`, lived(life)]));
        const log = logOf(accounts);
        for (const by of ['day', 'source'] as const) {
          const report = await trialBalance(() => log, { ...ALL, by });
          expect(report.findings).toEqual([]);
          expect(report.sums_to_zero).toBe(true);
          const rows = by === 'day' ? report.days : report.sources;
          const sum = noMovement();
          for (const row of rows) for (const kind of MOVEMENT_KINDS) sum[kind] += row[kind];
          expect(sum).toEqual(report.totals);
          expect([balanceOf(sum), debtOf(sum)]).toEqual([report.balance, report.debt]);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('a log that is not right', () => {
  const changed = (place: number, data: object) =>
    logOf({ a: busy().events }).map((event, at) =>
      at === place ? { ...event, data: { ...event.data, ...data } } : event,
    );

  it('a number that was raised does not sum, and the event is named', async () => {
    const report = await trialBalance(() => changed(0, { balance_after: 13 }), ALL);
    expect(report.sums_to_zero).toBe(false);
    expect(report.findings[0]).toMatchObject({
      kind: 'wrong_books',
      stream: 'account-a',
      revision: 0,
      message: 'event 0 of account-a says balance_after 13, it moved 0 by 12',
    });
  });

  it('an account whose end is raised no longer equals what was moved', async () => {
    const log = logOf({ a: busy().events });
    const last = log.at(-1)?.data['balance_after'];
    const report = await trialBalance(
      () => changed(log.length - 1, { balance_after: Number(last) + 1 }),
      ALL,
    );
    expect(report.debit).not.toBe(report.credit);
    expect(report.sums_to_zero).toBe(false);
  });

  it('an event that is gone is missed', async () => {
    const log = logOf({ a: busy().events }).filter(({ revision }) => revision !== 2);
    const report = await trialBalance(() => log, ALL);
    expect(report.findings[0]).toMatchObject({ kind: 'missing_events', revision: 3 });
  });

  it('an event of an unknown type stops it, by name', async () => {
    const log = logOf({ a: busy().events }).map((event) => ({ ...event, type: 'PointsStolen' }));
    const failed = trialBalance(() => log, ALL);
    await expect(failed).rejects.toThrow(BrokenHistoryError);
    await expect(failed).rejects.toThrow(/event 0 of account-a \(PointsStolen\)/);
  });
});

it('sources that were forgotten are found in a second reading', () => {
  const log = logOf({ a: busy().events });
  const sums = (remembered?: number) => {
    const made = createSourceSums(remembered);
    for (const event of log) made.add(decodeAccountEvent(event));
    const missed = made.isMissing();
    for (const event of log) made.recall(event);
    return { missed, rows: made.rows() };
  };
  const remembering = sums();
  const forgetful = sums(1);
  expect([remembering.missed, forgetful.missed]).toEqual([false, true]);
  expect(forgetful.rows).toEqual(remembering.rows);
});
