import { adjust, charged, consume, hold, openBook, recharge } from '@points/domain/testing/book';
import { expect, it } from 'vitest';
import { sealed } from './testing/sealed.ts';
import { type TrialBalanceBy, trialBalance } from './trial-balance.ts';
import { trialBalanceCsv, trialBalanceTable } from './trial-balance-text.ts';

function events(sourceType = 'image') {
  const book = openBook();
  recharge(book, 10_000, { bonus: 2 });
  consume(book, 7, { terms: charged(7), request: { sourceType } });
  hold(book, 5);
  adjust(book, -20_000, { forced: true });
  return sealed('ada', book.events);
}

const of = (by: TrialBalanceBy, log = events()) =>
  trialBalance(() => log, { from: null, asOf: null, position: 33n, by });

it('is a table of two sides with their sums, and a verdict', async () => {
  const text = trialBalanceTable(await of('none'));
  expect(text).toMatch(/^ {2}paid +10,000$/m);
  expect(text).toMatch(/^ {2}adjusted down +20,000$/m);
  expect(text.match(/^ {2}sum +([\d,]+) +\1$/gm)).toHaveLength(2);
  expect(text).toContain('read up to position 33');
  expect(text.endsWith('\nIt sums to zero.\n')).toBe(true);
});

it('has readable names for people, and those of the JSON for machines', async () => {
  for (const by of ['none', 'day', 'source'] as const) {
    const result = await of(by);
    expect(trialBalanceTable(result)).not.toContain('_');
    expect(trialBalanceTable(result)).toContain('debt incurred');
    expect(trialBalanceCsv(result)).toContain('debt_incurred');
  }
  expect(trialBalanceTable(await of('none'))).toMatch(/^ {2}user points {2,}/m);
  expect(trialBalanceTable(await of('day'))).toMatch(/ {2}change of held {2}.* {2}held after$/m);
});

it('of a period shows its opening, what moved and its closing, and says that they add up', async () => {
  const log = events();
  const from = log.at(-1)?.metadata['occurred_at'] ?? '';
  const request = { position: 33n, by: 'none' as const };
  const inDebt = trialBalanceTable(
    await trialBalance(() => log, { ...request, from: '2030-01-01T00:00:00.000Z', asOf: null }),
  );
  expect(inDebt).toContain('Trial balance from 2030-01-01T08:00:00.000+08:00, read up to');
  expect(inDebt).toContain('events of 1 accounts, 0 of them in the period;');
  expect(inDebt).toMatch(/^ {2}opening points +5$/m);
  expect(inDebt).toMatch(/^ {2}opening debts +10,010$/m);
  expect(inDebt).toMatch(/^opening +-10,005 +10,010 +5$/m);
  expect(inDebt).toMatch(/^moved +0 +0 +0$/m);
  expect(inDebt).toMatch(/^closing +-10,005 +10,010 +5$/m);
  expect(inDebt).toContain('\nOpening + movements = closing.\n');
  expect(inDebt).toContain('waived in the period 0');
  expect(inDebt.endsWith('\nIt sums to zero.\n')).toBe(true);
  const all = trialBalanceTable(
    await trialBalance(() => log, { ...request, from: '2020-01-01T00:00:00.000Z', asOf: from }),
  );
  expect(all).toMatch(/^moved +-10,005 +10,010 +5$/m);
});

it('of a period that does not add up says so', async () => {
  const log = events().map((event, place, all) =>
    place === all.length - 1 ? { ...event, data: { ...event.data, balance_after: 1 } } : event,
  );
  const from = '2020-01-01T00:00:00.000Z';
  const text = trialBalanceTable(
    await trialBalance(() => log, { from, asOf: null, position: 33n, by: 'none' }),
  );
  expect(text).toContain('\nOPENING + MOVEMENTS IS NOT CLOSING.\n');
  expect(text).toContain('\nIT DOES NOT HOLD.\n');
});

it('names what does not hold', async () => {
  const log = events();
  log.splice(1, 1);
  const text = trialBalanceTable(await of('none', log));
  expect(text).toContain('IT DOES NOT HOLD.');
  expect(text).toContain('event 2 of account-ada comes where revision 1 should');
});

it('shows days and sources, without the columns that say nothing', async () => {
  const days = trialBalanceTable(await of('day'));
  expect(days).toMatch(/^day +paid +bonus +consumed +adjusted down +debt incurred/m);
  expect(days).toMatch(/^2026-01-01 +10,000 +2 +7/m);
  expect(trialBalanceTable(await of('source'))).toMatch(/^use +image +7$/m);
});

it('is CSV with BOM and header, in which a name cannot be a formula', async () => {
  const csv = trialBalanceCsv(await of('none'));
  expect(csv.startsWith('\u{FEFF}section,name,debit,credit\r\npoints,paid,10000,0\r\n')).toBe(true);
  const sources = trialBalanceCsv(await of('source', events('=1+1')));
  expect(sources).toContain("use,'=1+1,,");
  expect(trialBalanceCsv(await of('day'))).toContain('\r\n2026-01-01,10000,2,');
});
