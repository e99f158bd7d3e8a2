import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordedAccountEvent } from '@points/domain/account/events';
import { histories } from '@points/domain/testing/history';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { openAccountBooks } from '../books/account-books.ts';
import { type SettledHold, createSettledHolds } from '../books/settled-holds.ts';
import { changeOne } from '../books/testing/change-one.ts';
import { liveOut, withData } from '../books/testing/lives.ts';
import { WrongBooksError } from '../books/wrong-books.ts';
import { createSpilledHolds } from './spilled-holds.ts';

const RUNS = Number(process.env['BOOKS_RUNS'] ?? 150);
const folder = mkdtempSync(join(tmpdir(), 'spilled-holds-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Events = readonly RecordedAccountEvent[];
type Options = Parameters<typeof openAccountBooks>[0];

/** Place of the first event that is refused, or that uses a command or a hold id again. */
function verdict(events: Events, options: Options, onLine = (_line: number): void => {}) {
  const used = new Set<string>();
  let isAgain = false;
  const books = openAccountBooks({
    ...options,
    onUse(kind, key) {
      isAgain ||= used.has(`${kind} ${key}`);
      used.add(`${kind} ${key}`);
    },
  });
  for (const [line, event] of events.entries()) {
    onLine(line);
    try {
      books.apply(event);
    } catch (error) {
      if (!(error instanceof WrongBooksError)) throw error;
      return line;
    }
    if (isAgain) return line;
  }
  return Number.POSITIVE_INFINITY;
}

/** The same with a memory of one settled hold, and the others on disk. */
function verdictWithSpill(events: Events) {
  const spilled = createSpilledHolds(folder);
  let line = 0;
  const forgotten = {
    forget: (holdId: string, hold: SettledHold) =>
      spilled.forget('account-ada', holdId, line, hold),
    goBack: (holdId: string, back: Parameters<typeof spilled.goBack>[3]) =>
      spilled.goBack('account-ada', holdId, line, back),
  };
  const atOnce = verdict(events, { settledHolds: createSettledHolds(1), forgotten }, (number) => {
    line = number;
  });
  const later = spilled.wrong();
  expect(later.length).toBeLessThanOrEqual(1);
  return { place: Math.min(atOnce, later[0]?.line ?? atOnce), isLater: later.length > 0 };
}

/** The same with a refund or a late confirm that only its hold can tell to be wrong. */
function goingBackWrongly(events: Events, place: number): Events[] {
  const recorded = events[place];
  if (recorded === undefined) return [];
  const { event } = recorded;
  const wrong = (data: RecordedAccountEvent['event']['data']): Events =>
    events.with(place, withData(recorded, data));
  // Holds that do not exist yet, but will when everything is judged.
  const later = events
    .slice(place)
    .flatMap((each) => (each.event.type === 'HoldConfirmed' ? [each.event.data.hold_id] : []))
    .slice(0, 3);
  if (event.type === 'PointsRefunded') {
    const { data } = event;
    return [moreRefunded(data), ...later.map((hold_id) => ({ ...data, hold_id }))].map(wrong);
  }
  if (event.type !== 'PointsHeld' || event.data.late_of === undefined) return [];
  const { data } = event;
  return [{ ...data, owner: 'another' }, ...later.map((late_of) => ({ ...data, late_of }))].map(
    wrong,
  );
}

function moreRefunded<Data extends { refunded_total: number }>(data: Data): Data {
  return { ...data, refunded_total: data.refunded_total + 1 };
}

it('judges any history as a memory without bounds does', { timeout: 0 }, () => {
  let foundLater = 0;
  fc.assert(
    fc.property(
      histories(120),
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 6, maxLength: 6 }),
      (history, changes) => {
        const { events } = liveOut(history);
        expect(verdictWithSpill(events)).toEqual({
          place: Number.POSITIVE_INFINITY,
          isLater: false,
        });
        if (events.length === 0) return;
        const wrong = [
          ...changes.map(([where, what, how]) => changeOne(events, where, what, how)),
          ...events.flatMap((_, place) => goingBackWrongly(events, place)),
        ];
        for (const changed of wrong) {
          const { place, isLater } = verdictWithSpill(changed);
          expect(place).toBe(verdict(changed, {}));
          if (isLater) foundLater += 1;
        }
      },
    ),
    { numRuns: RUNS },
  );
  expect(foundLater).toBeGreaterThan(0);
});

it('does not take a hold that is settled later for the one that was refunded before', () => {
  const spilled = createSpilledHolds(join(folder, 'before'));
  spilled.goBack('account-ada', 'h', 5, refund(2, 2));
  spilled.forget('account-ada', 'h', 9, settled());
  spilled.forget('account-bob', 'h', 9, settled());
  spilled.goBack('account-bob', 'h', 9, refund(2, 2));
  expect(spilled.wrong()).toEqual([{ stream: 'account-ada', holdId: 'h', line: 5 }]);
});

const settled = (): SettledHold => ({
  status: 'confirmed',
  failurePolicy: 'cancel',
  charged: 5,
  refunded: 0,
  funding: [{ batch_id: 'b:0', points: 5 }],
  debt: 0,
});

const refund = (points: number, refunded_total: number) => ({
  kind: 'refunded' as const,
  now: '2026-01-01T00:00:00.000Z',
  data: {
    hold_id: 'h',
    points,
    refunded_total,
    returns: [{ from: 'b:0', to: 'b:0', points }],
    grace: [],
    reopened: [],
    debt_canceled: 0,
    debt_repaid: [],
    as_failure: false,
    reason: 'r',
    description: '',
    balance_before: 0,
    balance_after: 0,
    available_after: 0,
    debt_after: 0,
  },
});

it('names the first wrong event of every stream among more holds than wait in memory', () => {
  const spilled = createSpilledHolds(join(folder, 'many'));
  const streams = ['account-ada', 'account-\u00e4\t"'];
  for (let hold = 0; hold < 40_000; hold += 1)
    for (const stream of streams) {
      spilled.forget(stream, `h${hold}`, hold * 2, settled());
      spilled.goBack(stream, `h${hold}`, hold * 2, refund(2, 2));
      // Of the charge of 5 are 3 left, and none was ever refunded twice.
      if (hold % 10_000 === 7) spilled.goBack(stream, `h${hold}`, hold * 2 + 1, refund(4, 6));
    }
  spilled.goBack('account-eve', 'never', 9, refund(1, 1));
  spilled.goBack('account-bob', 'adjust:c', 9, { kind: 'repaid', batchId: 'b:0', points: 1 });
  const wrong = spilled.wrong().toSorted((one, other) => (one.stream < other.stream ? -1 : 1));
  expect(wrong).toEqual([
    { stream: 'account-ada', holdId: 'h7', line: 15 },
    { stream: 'account-eve', holdId: 'never', line: 9 },
    { stream: 'account-\u00e4\t"', holdId: 'h7', line: 15 },
  ]);
});
