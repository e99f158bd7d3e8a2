import { describe, expect, it } from 'vitest';
import {
  type Book,
  adjust,
  cancel,
  confirm,
  consume,
  dump,
  eventsOf,
  extend,
  freeze,
  grantMembership,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  revokeMembership,
  unfreeze,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time.ts';
import type { AccountCommand, CommandContext } from './commands.ts';
import type { Decision } from './decide.ts';

/** Ids carry their time and are remembered: what is too old, too new, the same again, or the same with other words. */

type Run = (book: Book, context: Partial<CommandContext>) => Decision;

const COMMANDS: Record<AccountCommand['kind'], Run> = {
  Recharge: (book, context) => recharge(book, 5, { sourceRef: 'ref', context }),
  HoldPoints: (book, context) => hold(book, 5, { context }),
  ConfirmHold: (book, context) => confirm(book, openHoldOf(book), 3, context),
  CancelHold: (book, context) => cancel(book, openHoldOf(book), 'caller', context),
  ReverseRecharge: (book, context) => reverseRecharge(book, 'first', context),
  ExtendHold: (book, context) => extend(book, openHoldOf(book), HOUR_MS, context),
  RefundCharge: (book, context) => refund(book, chargeOf(book), 1, context),
  Adjust: (book, context) => adjust(book, -1, { context }),
  Freeze: (book, context) => freeze(book, context),
  Unfreeze: (book, context) => unfreeze(book, context),
  GrantMembership: (book, context) => grantMembership(book, 30, { orderNo: 'order', context }),
  RevokeMembership: (book, context) => revokeMembership(book, context),
  Consume: (book, context) => consume(book, 5, { context }),
  ExpireDue: (book, context) => book.run({ kind: 'ExpireDue', context: book.context(context) }),
};
const commands = Object.entries(COMMANDS).map(([kind, run]) => ({ kind, run }));

/** 20 points, an open hold of 5, and a point that is due: every command has something to append. */
function given(): Book {
  const book = openBook();
  recharge(book, 20, { sourceRef: 'first' });
  consume(book, 2);
  hold(book, 5);
  grantMembership(book, 1);
  recharge(book, 1, { expiry: { kind: 'at', atMs: book.nowMs + MINUTE_MS } });
  book.nowMs += MINUTE_MS;
  return book;
}

function chargeOf(book: Book): string {
  return eventsOf(book, 'HoldConfirmed')[0]?.hold_id ?? '';
}

function openHoldOf(book: Book): string {
  const held = book.events.findLast((each) => each.event.type === 'PointsHeld')?.event;
  if (held?.type !== 'PointsHeld') throw new Error('no hold');
  return held.data.hold_id;
}

function codeOf(decision: Decision): string {
  return decision.outcome === 'refused' ? decision.refusal.code : decision.outcome;
}

describe('time of a command id', () => {
  const times = [
    { made: '5 min ahead', offsetMs: 5 * MINUTE_MS, outcome: 'accepted' },
    { made: 'more than 5 min ahead', offsetMs: 5 * MINUTE_MS + 1, outcome: 'id_in_future' },
    { made: '7 days ago', offsetMs: -7 * DAY_MS, outcome: 'accepted' },
    { made: 'more than 7 days ago', offsetMs: -7 * DAY_MS - 1, outcome: 'command_too_old' },
  ];
  const rows = commands.flatMap((command) => times.map((time) => ({ ...command, ...time })));

  it.each(rows)('$kind made $made: $outcome', ({ run, offsetMs, outcome }) => {
    const book = given();
    expect(codeOf(run(book, { commandId: uuidAt(book.nowMs + offsetMs) }))).toBe(outcome);
  });

  it('is judged by the clock, not by the time of the last event', () => {
    const book = given();
    const commandId = uuidAt(book.nowMs);
    book.nowMs -= 6 * MINUTE_MS;
    expect(recharge(book, 1, { context: { commandId } })).toEqual({
      outcome: 'refused',
      refusal: { code: 'id_in_future', details: { field: 'command_id' } },
    });
  });

  it('is judged before the look-up: a remembered command that grew too old is too old', () => {
    const book = given();
    const context = { commandId: uuidAt(book.nowMs), requestHash: 'same' };
    expect(codeOf(recharge(book, 1, { context }))).toBe('accepted');
    book.nowMs += 7 * DAY_MS;
    expect(codeOf(recharge(book, 1, { context }))).toBe('duplicate');
    book.nowMs += 1;
    expect(codeOf(recharge(book, 1, { context }))).toBe('command_too_old');
  });
});

describe('time of a hold id', () => {
  const times = [
    { made: '5 min ahead', offsetMs: 5 * MINUTE_MS, placing: 'accepted', settling: 'known' },
    {
      made: 'more than 5 min ahead',
      offsetMs: 5 * MINUTE_MS + 1,
      placing: 'id_in_future',
      settling: 'id_in_future',
    },
    { made: '7 days ago', offsetMs: -7 * DAY_MS, placing: 'accepted', settling: 'known' },
    {
      made: 'more than 7 days ago',
      offsetMs: -7 * DAY_MS - 1,
      placing: 'hold_id_too_old',
      settling: 'hold_not_found',
    },
  ];

  it.each(times)('hold and consume of one made $made: $placing', ({ offsetMs, placing }) => {
    const book = given();
    const holdId = () => uuidAt(book.nowMs + offsetMs);
    expect(codeOf(hold(book, 1, { holdId: holdId() }))).toBe(placing);
    expect(codeOf(consume(book, 1, { holdId: holdId() }))).toBe(placing);
  });

  it.each(times)(
    'confirm and cancel of an unknown one made $made: $settling',
    ({ offsetMs, settling }) => {
      const book = given();
      const holdId = () => uuidAt(book.nowMs + offsetMs);
      expect(codeOf(confirm(book, holdId()))).toBe(
        settling === 'known' ? 'hold_not_found' : settling,
      );
      // A tombstone is kept as long as its hold could still come.
      expect(codeOf(cancel(book, holdId()))).toBe(settling === 'known' ? 'accepted' : settling);
    },
  );

  it.each([
    ['by hold id', (holdId: string) => ({ holdId })],
    ['by record id', () => ({ recordId: 77 })],
  ])('an open hold that nobody swept is not found once its id is too old, %s', (_, reference) => {
    const book = given();
    const holdId = uuidAt(book.nowMs);
    hold(book, 5, { holdId, request: { recordId: 77 } });
    book.nowMs += 7 * DAY_MS;
    const before = dump(book.account);
    book.nowMs += 1;
    expect(codeOf(confirm(book, reference(holdId)))).toBe('hold_not_found');
    expect(codeOf(cancel(book, reference(holdId)))).toBe('hold_not_found');
    expect(dump(book.account)).toEqual(before);
    book.nowMs -= 1;
    expect(codeOf(confirm(book, reference(holdId)))).toBe('accepted');
  });

  it('names the field', () => {
    const book = given();
    const holdId = uuidAt(book.nowMs + HOUR_MS);
    const refusal = { code: 'id_in_future', details: { field: 'hold_id' } };
    expect(hold(book, 1, { holdId })).toEqual({ outcome: 'refused', refusal });
    expect(confirm(book, holdId)).toEqual({ outcome: 'refused', refusal });
  });

  it('a version 5 id carries no time and is never too old', () => {
    const book = given();
    const holdId = 'cfbff0d1-9375-5685-968c-48ce8b15ae17';
    expect(codeOf(consume(book, 5, { holdId }))).toBe('accepted');
    book.nowMs += 30 * DAY_MS;
    expect(codeOf(confirm(book, holdId, 5))).toBe('duplicate');
    expect(codeOf(cancel(book, holdId))).toBe('hold_already_confirmed');
  });
});

describe('the same command id again', () => {
  it.each(commands)('$kind, same payload: first answer, nothing appended', ({ run }) => {
    const book = given();
    const revision = book.account.revision + 1;
    const context = { commandId: uuidAt(book.nowMs), requestHash: 'same' };
    expect(codeOf(run(book, context))).toBe('accepted');
    book.nowMs += DAY_MS;
    book.watermarkMs = book.nowMs;
    recharge(book, 1, { sourceRef: 'between' });
    const before = dump(book.account);
    expect(run(book, context)).toEqual({ outcome: 'duplicate', revision });
    expect(book.events[revision]?.context).toMatchObject({
      command_id: context.commandId,
      index: 0,
    });
    expect(dump(book.account)).toEqual(before);
  });

  it.each(commands)('$kind, other payload: command_id_reused', ({ run }) => {
    const book = given();
    const commandId = uuidAt(book.nowMs);
    expect(codeOf(run(book, { commandId, requestHash: 'one' }))).toBe('accepted');
    const before = dump(book.account);
    expect(run(book, { commandId, requestHash: 'other' })).toEqual({
      outcome: 'refused',
      refusal: { code: 'command_id_reused' },
    });
    expect(dump(book.account)).toEqual(before);
  });

  it('a hold that was settled since still has its first answer', () => {
    const book = given();
    const holdId = uuidAt(book.nowMs);
    const context = { commandId: uuidAt(book.nowMs), requestHash: 'hold' };
    const revision = book.account.revision + 1;
    hold(book, 5, { holdId, context });
    confirm(book, holdId, 2);
    expect(hold(book, 5, { holdId, context })).toEqual({ outcome: 'duplicate', revision });
  });

  it('comes before limits, price and points', () => {
    const book = openBook();
    recharge(book, 5);
    const revision = book.account.revision + 1;
    const options = {
      holdId: uuidAt(book.nowMs),
      context: { commandId: uuidAt(book.nowMs), requestHash: 'h' },
    };
    hold(book, 5, options);
    book.limits = { ...book.limits, openHolds: 0, holdGraceMs: 0 };
    const terms = { code: 'price_not_found' as const };
    expect(hold(book, 5, { ...options, terms })).toEqual({ outcome: 'duplicate', revision });
    // The same hold under a new command id is a duplicate too, as long as it is open.
    const renewed = { ...options, terms, context: { requestHash: 'h' } };
    expect(hold(book, 5, renewed)).toEqual({ outcome: 'duplicate', revision });
  });

  it('a refused command is judged anew', () => {
    const book = openBook();
    const context = { commandId: uuidAt(book.nowMs), requestHash: 'hold' };
    const holdId = uuidAt(book.nowMs);
    expect(codeOf(hold(book, 5, { holdId, context }))).toBe('insufficient_points');
    recharge(book, 5);
    expect(codeOf(hold(book, 5, { holdId, context }))).toBe('accepted');
  });

  it('a sweep that found nothing is not remembered', () => {
    const book = openBook();
    recharge(book, 5, { expiry: { kind: 'at', atMs: book.nowMs + HOUR_MS } });
    const context = { commandId: uuidAt(book.nowMs) };
    const nothing = book.run({ kind: 'ExpireDue', context: book.context(context) });
    expect(nothing).toMatchObject({ outcome: 'accepted', events: [] });
    book.nowMs += HOUR_MS;
    const found = book.run({ kind: 'ExpireDue', context: book.context(context) });
    expect(found).toMatchObject({
      outcome: 'accepted',
      events: [{ event: { type: 'BatchExpired' } }],
    });
    expect(sweep(book)).toMatchObject({ outcome: 'accepted', events: [] });
  });
});

describe('the same source_ref again, under a new command id', () => {
  const first = { sourceRef: 'order-1', context: { requestHash: 'order-1' } };

  it.each([
    { what: 'same payload', points: 100, over: first, outcome: 'duplicate' },
    {
      what: 'other points',
      points: 99,
      over: { ...first, context: { requestHash: 'x' } },
      outcome: 'source_ref_reused',
    },
    {
      what: 'other source',
      points: 100,
      over: { sourceRef: 'order-1', source: 'reward' as const },
      outcome: 'source_ref_reused',
    },
    { what: 'other ref', points: 100, over: { sourceRef: 'order-2' }, outcome: 'accepted' },
  ])('$what: $outcome', ({ points, over, outcome }) => {
    const book = openBook();
    const revision = book.account.revision + 1;
    recharge(book, 100, first);
    const before = dump(book.account);
    // For ever: also long after the command id is forgotten.
    book.nowMs += 400 * DAY_MS;
    const decision = recharge(book, points, over);
    expect(codeOf(decision)).toBe(outcome);
    if (decision.outcome === 'duplicate') expect(decision.revision).toBe(revision);
    if (decision.outcome !== 'accepted') expect(dump(book.account)).toEqual(before);
  });

  it('a repeat whose expiry has passed meanwhile is still a duplicate', () => {
    const book = openBook();
    const over = { ...first, expiry: { kind: 'at' as const, atMs: book.nowMs + DAY_MS } };
    recharge(book, 100, over);
    book.nowMs += 2 * DAY_MS;
    expect(codeOf(recharge(book, 100, over))).toBe('duplicate');
  });

  it('names the ref', () => {
    const book = openBook();
    recharge(book, 1, first);
    expect(recharge(book, 2, { sourceRef: 'order-1' })).toEqual({
      outcome: 'refused',
      refusal: { code: 'source_ref_reused', details: { source_ref: 'order-1' } },
    });
  });
});
