import { charged, hold, openBook, recharge, uuidAt } from '@points/domain/testing/book';
import { DAY_MS, formatTime } from '@points/domain/time';
import { expect, it } from 'vitest';
import { balanceAsOf } from './balance-as-of.ts';
import { balanceText } from './balance-text.ts';
import { sealed } from './testing/sealed.ts';

/** 10 points for a day, 3 of them held, and 5 for ever. */
function textAfter(days: number): Promise<string> {
  const book = openBook();
  recharge(book, 10, { expiry: { kind: 'at', atMs: book.nowMs + DAY_MS } });
  recharge(book, 5, { expiry: { kind: 'never' } });
  hold(book, 3, { holdId: uuidAt(book.nowMs), terms: charged(3) });
  const asOf = formatTime(book.nowMs + days * DAY_MS);
  return balanceAsOf('ada', sealed('ada', book.events), { asOf, position: 99n }).then(balanceText);
}

it('tells what an account had, and of each batch what is left and until when', async () => {
  const text = await textAfter(0);
  expect(text).toMatch(/^Account ada, 2026-01-01T08:00:00.000\+08:00\nrevision 2 at position 23;/);
  expect(text).toMatch(/^ {2}balance +15\n {2}held +3\n {2}available +12\n/m);
  expect(text).toMatch(/ paid {2}10 of 10 left, 3 held, expires 2026-01-02T08:00:00.000\+08:00$/m);
  expect(text).toMatch(/ paid {2}5 of 5 left, 0 held, expires never$/m);
  expect(text).not.toContain('due');
});

it('marks batches that are due and not expired by an event, and why less is available', async () => {
  const text = await textAfter(1);
  expect(text).toMatch(/^ {2}held +3\n {2}due +7, not available: .*\n {2}available +5\n/m);
  expect(text).toMatch(
    / 10 of 10 left, 3 held, due since 2026-01-02T08:00:00.000\+08:00, no event has expired it yet$/m,
  );
});
