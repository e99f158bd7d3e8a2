import {
  type Book,
  charged,
  confirm,
  consume,
  eventsOf,
  hold,
  openBook,
  recharge,
  refund,
  sweep,
  uuidAt,
} from '@points/domain/testing/book';
import { histories } from '@points/domain/testing/history';
import { DAY_MS, formatTime } from '@points/domain/time';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liveOut } from './books/testing/lives.ts';
import { type StatementPart, type StatementRequest, statement } from './statement.ts';
import { statementCsv } from './statement-csv.ts';
import { statementJson } from './statement-json.ts';
import type { StatementLine } from './statement-line.ts';
import { type ReportLanguage, lineSentences } from './statement-words.ts';
import { sealed } from './testing/sealed.ts';

const ALL: StatementRequest = { from: null, to: null, position: 999n };

async function partsOf(
  events: Book['events'],
  request: Partial<StatementRequest> = {},
): Promise<StatementPart[]> {
  return collect(statement('ada', sealed('ada', events), { ...ALL, ...request }));
}

async function linesOf(...given: Parameters<typeof partsOf>): Promise<StatementLine[]> {
  return (await partsOf(...given)).filter((part) => part.part === 'line');
}

const closingOf = (parts: readonly StatementPart[]) => {
  const last = parts.at(-1);
  if (last?.part !== 'closing') throw new Error('no closing');
  return last;
};

const csvOf = async (events: Book['events'], lang: ReportLanguage = 'en') =>
  (await collect(statementCsv(statement('ada', sealed('ada', events), ALL), lang))).join('');

/** Golden example 4, then 5: overage into debt, repaid by a recharge, refunded in two parts. */
function examples4And5(): Book {
  const book = openBook();
  recharge(book, 10);
  const holdId = uuidAt(book.nowMs);
  hold(book, 6, { holdId });
  confirm(book, holdId, 13);
  recharge(book, 5, { sourceRef: 'five' });
  refund(book, holdId, 8);
  refund(book, holdId, 5);
  return book;
}

describe('the statement of one account', () => {
  it('of golden examples 4 and 5 shows overage, debt, repayment and refunds', async () => {
    const parts = await partsOf(examples4And5().events);
    const lines = parts.filter((part) => part.part === 'line');
    expect(lines.map(({ kind, delta, balance_after }) => [kind, delta, balance_after])).toEqual([
      ['recharge', 10, 10],
      ['hold', 0, 10],
      ['charge', -13, -3],
      ['recharge', 5, 2],
      ['refund', 8, 10],
      ['refund', 5, 15],
    ]);
    expect(lines[2]).toMatchObject({
      requested: 13,
      held_amount: 6,
      overage: 7,
      debt_added: 3,
      held_before: 6,
      held_after: 0,
      task_no: lines[1]?.task_no,
    });
    expect(lines[2]?.batches.map(({ use, points }) => [use, points])).toEqual([
      ['taken', 6],
      ['taken', 4],
    ]);
    expect(lines[3]).toMatchObject({ debt_repaid: 3, debt_before: 3, debt_after: 0 });
    expect(lines[3]?.batches.map(({ use, points }) => [use, points])).toEqual([
      ['added', 5],
      ['repaid', 3],
    ]);
    expect(
      lines[4]?.batches.map(({ use, points, source_ref }) => [use, points, source_ref]),
    ).toEqual(
      [
        ['returned', 3, 'five'],
        ['returned', 5, lines[0]?.source_ref],
      ].filter(([, points]) => points !== 0),
    );
    expect(parts[0]).toMatchObject({ part: 'opening', balance: 0, position: '999' });
    expect(closingOf(parts)).toMatchObject({
      balance: 15,
      delta: 15,
      lines: 6,
      adds_up: true,
      sums: { paid: 15, consumed: 13, refunded: 13, debt_incurred: 3, debt_repaid: 3 },
    });
    expect(lineSentences(lines[3] ?? never(), 'en').join('; ')).toMatch(
      /from order five; 5 new paid batch .* \(never expires\); 3 repaid debt from paid batch .* \(for /,
    );
    expect(lineSentences(lines[2] ?? never(), 'zh')).toContain('预扣 6 点，应收 13 点，实收 13 点');
  });

  it('says how a price came to its number', async () => {
    const book = openBook();
    recharge(book, 100);
    const price = {
      mode: 'duration',
      unit: 'second',
      unit_price: '1',
      min_points: 1,
      rounding: 'ceil',
      source: 'operation:tts',
      config_version: 'v7',
    } as const;
    const holdId = uuidAt(book.nowMs);
    hold(book, 20, {
      holdId,
      terms: charged(20, { price }),
      request: { estimatedDurationMs: 20_000 },
    });
    confirm(book, holdId, { kind: 'duration', durationMs: 12_300 });
    const [, placed, charge] = await linesOf(book.events);
    expect(placed?.price).toMatchObject({ duration_ms: 20_000, points: 20, basis: 'measured' });
    expect(lineSentences(charge ?? never(), 'en')[0]).toBe(
      'price 1 (by duration) × 12.3 s, rounded up, at least 1 → 13 (operation:tts, config v7)',
    );
    expect(lineSentences(charge ?? never(), 'zh')[0]).toBe(
      '单价 1（按时长）× 12.3 秒，向上取整，最低 1 → 13 点（operation:tts，配置 v7）',
    );
  });

  it('of no events, and of a time before all events, opens and closes with nothing', async () => {
    for (const parts of [
      await partsOf([]),
      await partsOf(examples4And5().events, { to: '2020-01-01T00:00:00.000Z' }),
    ]) {
      expect(parts).toHaveLength(2);
      expect(parts[0]).toMatchObject({ part: 'opening', balance: 0, held: 0, debt: 0 });
      expect(closingOf(parts)).toMatchObject({ balance: 0, lines: 0, adds_up: true, revision: -1 });
    }
    const after = await partsOf(examples4And5().events, { from: '2050-01-01T00:00:00.000Z' });
    expect(after[0]).toMatchObject({ balance: 15 });
    expect(closingOf(after)).toMatchObject({ balance: 15, lines: 0, adds_up: true });
  });

  it('adds up for any history and any cut of the time, and begins where the one before ended', async () => {
    await fc.assert(
      fc.asyncProperty(histories(80), fc.nat(), fc.nat(), async (history, a, b) => {
        const { events, account } = liveOut(history);
        if (events.length === 0) return;
        const timeAt = (place: number) => events[place % events.length]?.context.occurred_at ?? '';
        const [from = '', to = ''] = [timeAt(a), timeAt(b)].toSorted();
        const before = new Date(Date.parse(from) - 1).toISOString();
        const past = closingOf(await partsOf(events, { to: before }));
        const parts = await partsOf(events, { from, to });
        const [opening] = parts;
        const closing = closingOf(parts);
        expect(opening).toMatchObject({ balance: past.balance, held: past.held, debt: past.debt });
        expect(closing.adds_up && past.adds_up).toBe(true);
        let balance = past.balance;
        for (const part of parts) {
          if (part.part !== 'line') continue;
          expect(part.balance_before).toBe(balance);
          balance += part.delta;
          expect(lineSentences(part, 'en').join().includes('undefined')).toBe(false);
        }
        expect(balance).toBe(closing.balance);
        const whole = closingOf(await partsOf(events));
        expect([whole.balance, whole.held, whole.debt]).toEqual([
          account.balance,
          account.held,
          account.debt,
        ]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('as CSV', () => {
  it('has BOM, header, times of Shanghai, and a delta whose sum is closing less opening', async () => {
    const csv = await csvOf(examples4And5().events);
    const rows = csv.split('\r\n');
    expect(rows[0]).toMatch(/^\u{FEFF}time,type,name,task_no/u);
    expect(rows[1]).toMatch(/^,opening,Opening,/);
    expect(rows[2]).toMatch(/^2026-01-01T08:00:00.000\+08:00,recharge,Recharge,/);
    expect(rows.at(-2)).toMatch(/closing.*opening \+ lines = closing; paid 15; consumed 13/);
    expect(rows.at(-1)).toBe('');
    expect(await csvOf(examples4And5().events.slice(0, 0), 'zh')).toContain('期初');
  });

  it('has every line once, also of more than go into one piece', async () => {
    const book = openBook();
    for (let points = 1; points <= 150; points += 1) recharge(book, points);
    const rows = (await csvOf(book.events)).trimEnd().split('\r\n').slice(2, -1);
    const delta = 'time,type,name,task_no,record_id,hold_id,source_ref,order_no,description'.split(
      ',',
    ).length;
    expect(rows.map((row) => Number(row.split(',')[delta]))).toEqual(
      Array.from({ length: 150 }, (_, place) => place + 1),
    );
  });

  it.each(['=1+1', '+1', '-1', '@sum', '\t=1', ' =1', '＝1'])(
    'is no formula where a description is %j',
    async (description) => {
      const book = openBook();
      recharge(book, 10);
      consume(book, 3, { request: { description } as never, terms: charged(3, { description }) });
      const csv = await csvOf(book.events);
      expect(csv).toContain(`,'${description},`);
      expect(csv).not.toContain(`,${description},`);
      expect(csv).toContain(',-3,10,7,');
    },
  );
});

describe('as JSON', () => {
  it('is one document, the same bytes each time', async () => {
    const book = examples4And5();
    const once = async () =>
      (await collect(statementJson(statement('ada', sealed('ada', book.events), ALL)))).join('');
    const text = await once();
    expect(await once()).toBe(text);
    const { report, opening, lines, closing } = JSON.parse(text);
    expect([report, opening.account_id, lines.length, closing.adds_up]).toEqual([
      'statement',
      'ada',
      6,
      true,
    ]);
  });

  it('shows expiry and what came of a failure', async () => {
    const book = openBook();
    recharge(book, 10, { expiry: { kind: 'at', atMs: book.nowMs + DAY_MS } });
    const holdId = uuidAt(book.nowMs);
    hold(book, 4, { holdId });
    book.nowMs += 2 * DAY_MS;
    sweep(book);
    const lines = await linesOf(book.events, { from: formatTime(book.nowMs) });
    expect(lines[0]).toMatchObject({ kind: 'expiry', delta: -6, balance_after: 4, held_after: 4 });
    expect(eventsOf(book, 'BatchExpired')).toHaveLength(1);
  });
});

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function never(): never {
  throw new Error('no such line');
}
