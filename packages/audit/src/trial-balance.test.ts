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
import { type TrialBalance, type TrialBalanceRequest, trialBalance } from './trial-balance.ts';
import { createSourceSums } from './trial-balance-sources.ts';

const ALL: TrialBalanceRequest = { from: null, asOf: null, position: 99n, by: 'none' };

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

describe('the trial balance of a period', () => {
  const SECOND_DAY = '2026-01-02T00:00:00.000Z';
  const log = logOf({ a: busy().events });
  const of = (request: Partial<TrialBalanceRequest>) =>
    trialBalance(() => log, { ...ALL, ...request });

  it('begins where the accounts stood, moves, and ends where they stand', async () => {
    const before = await of({ asOf: '2026-01-01T23:59:59.999Z' });
    const all = await of({});
    const period = await of({ from: SECOND_DAY });
    expect(period).toMatchObject({
      from: SECOND_DAY,
      sums_to_zero: true,
      events: all.events,
      balance: all.balance,
      period: {
        events: all.events - before.events,
        opening: { balance: before.balance, held: before.held, debt: before.debt },
        closing: { balance: all.balance, held: all.held, debt: all.debt },
        adds_up: true,
      },
    });
    expect(before.debt).toBeGreaterThan(0);
    for (const kind of MOVEMENT_KINDS)
      expect(period.totals[kind], kind).toBe(all.totals[kind] - before.totals[kind]);
    expect(period.entries.filter(({ name }) => name.startsWith('opening'))).toEqual([
      { section: 'points', name: 'opening_points', debit: before.balance + before.debt, credit: 0 },
      { section: 'points', name: 'opening_debts', debit: 0, credit: before.debt },
      { section: 'debts', name: 'opening_debts', debit: before.debt, credit: 0 },
    ]);
  });

  it('is none unless it was asked for', async () => {
    const report = await of({});
    const { entries } = report;
    expect(report).not.toHaveProperty('from');
    expect(report).not.toHaveProperty('period');
    expect(entries.filter(({ name }) => name.startsWith('opening'))).toEqual([]);
  });

  it('in which nothing happened moves nothing', async () => {
    const all = await of({});
    const later = await of({ from: '2030-01-01T00:00:00.000Z', by: 'source' });
    expect(later).toMatchObject({
      totals: noMovement(),
      sources: [],
      sums_to_zero: true,
      balance: all.balance,
      held: all.held,
      period: { events: 0, opening: { balance: all.balance }, adds_up: true },
    });
  });

  it('has the days and the sources of the period alone, also of what began before it', async () => {
    const { days } = await of({ from: SECOND_DAY, by: 'day' });
    const [, ...allDays] = (await of({ by: 'day' })).days;
    expect(days).toEqual(allDays);
    const { sources } = await of({ from: SECOND_DAY, by: 'source' });
    expect(sources.map(({ group, source }) => [group, source].join(' ').trim())).toEqual([
      'adjustment',
      'expiry',
      'recharge order',
      'use image',
      'use tts',
    ]);
    expect(sources.find(({ model }) => model === 'sora')).toMatchObject({
      consumed: 0,
      refunded: 4,
    });
  });

  it('remembers what began before it, and so reads the log once', async () => {
    let readings = 0;
    const read = () => {
      readings += 1;
      return log;
    };
    await trialBalance(read, { ...ALL, from: SECOND_DAY, by: 'source' });
    expect(readings).toBe(1);
  });

  it('does not add up when what an account has at the end is not what was moved', async () => {
    const last = Number(log.at(-1)?.data['balance_after']);
    const raised = log.map((event, place) =>
      place === log.length - 1
        ? { ...event, data: { ...event.data, balance_after: last + 1 } }
        : event,
    );
    const report = await trialBalance(() => raised, { ...ALL, from: SECOND_DAY });
    expect(report).toMatchObject({ sums_to_zero: false, period: { adds_up: false } });
    expect(report.debit).not.toBe(report.credit);
  });

  it('begins with the event at its first instant and ends with that at its last', async () => {
    const from = log[4]?.metadata['occurred_at'] ?? '';
    const at = (time: string) => log.filter(({ metadata }) => metadata['occurred_at'] === time);
    const instant = await of({ from, asOf: from });
    expect(instant.period?.events).toBe(at(from).length);
    expect(at(from).length).toBeGreaterThan(0);
    const nextMs = new Date(Date.parse(from) + 1).toISOString();
    const rest = await of({ from: nextMs });
    expect(rest.period?.opening).toEqual(instant.period?.closing);
  });

  it('of random ledgers is the difference of two reports, wherever it begins and ends', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(histories(40), { minLength: 1, maxLength: 3 }),
        fc.nat(),
        fc.nat(),
        async (lives, ...cuts) => {
          const accounts = lives.map((life, place) => [`u${place}`, lived(life)] as const);
          const random = logOf(Object.fromEntries(accounts));
          const [one, other] = cuts.map(
            (cut) => random[cut % Math.max(1, random.length)]?.metadata['occurred_at'],
          );
          if (one === undefined || other === undefined) return;
          const [from, asOf] = one < other ? [one, other] : [other, one];
          const beforeMs = new Date(Date.parse(from) - 1).toISOString();
          const before = await trialBalance(() => random, { ...ALL, asOf: beforeMs });
          const end = await trialBalance(() => random, { ...ALL, asOf });
          for (const by of ['day', 'source'] as const) {
            const report = await trialBalance(() => random, { ...ALL, from, asOf, by });
            expect(report.period).toEqual({
              events: end.events - before.events,
              opening: standing(before),
              closing: standing(end),
              adds_up: true,
            });
            expect(report.period?.events).toBeGreaterThan(0);
            expect(report.sums_to_zero).toBe(true);
            const sum = noMovement();
            for (const row of by === 'day' ? report.days : report.sources)
              for (const kind of MOVEMENT_KINDS) sum[kind] += row[kind];
            expect(sum).toEqual(report.totals);
            for (const kind of MOVEMENT_KINDS)
              expect(before.totals[kind] + sum[kind], kind).toBe(end.totals[kind]);
            expect(before.balance + balanceOf(sum)).toBe(end.balance);
            expect(before.debt + debtOf(sum)).toBe(end.debt);
            expect(before.held + sum.held).toBe(end.held);
            if (by === 'day')
              expect(report.days.at(-1)).toMatchObject({
                balance: end.balance,
                debt: end.debt,
                held_after: end.held,
              });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  function standing({ balance, held, debt }: TrialBalance) {
    return { balance, held, debt };
  }
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

it.each([0, 4])(
  'sources that were forgotten are found in a second reading, from event %i',
  (from) => {
    const log = logOf({ a: busy().events });
    const sums = (remembered?: number) => {
      const made = createSourceSums(remembered);
      for (const event of log.slice(0, from)) made.remember(decodeAccountEvent(event));
      for (const event of log.slice(from)) made.add(decodeAccountEvent(event));
      const missed = made.isMissing();
      for (const event of log) made.recall(event);
      return { missed, rows: made.rows() };
    };
    const remembering = sums();
    const forgetful = sums(1);
    expect([remembering.missed, forgetful.missed]).toEqual([false, true]);
    expect(forgetful.rows).toEqual(remembering.rows);
  },
);
