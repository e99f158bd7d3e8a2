import { describe, expect, it } from 'vitest';
import {
  type Book,
  START_MS,
  cancel,
  confirm,
  consume,
  dump,
  eventsOf,
  grantMembership,
  hold,
  openBook,
  recharge,
  refund,
  reverseRecharge,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import { mapGet, mapSize } from '../persistent-map.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time.ts';
import { decodeAccount, encodeAccount } from './account-snapshot.ts';
import { freshAccount } from './account.ts';
import type { Recalled } from './commands.ts';
import { evolve } from './evolve.ts';

const NOTHING = { command: null, hold: null, source: null, order: null };

/** An account that remembers so many ids. */
function forgetful(rememberedIdsMax: number): Book {
  const book = openBook();
  book.account = freshAccount(rememberedIdsMax);
  return book;
}

function recalled(book: Book, over: Partial<Recalled> = {}): Recalled {
  return { appliedRevision: book.account.revision, ...NOTHING, ...over };
}

/** The account as a snapshot with so few ids would give it back. */
function reopened(book: Book, rememberedIds: number): Book {
  const snapshot = JSON.stringify(encodeAccount(book.account, rememberedIds));
  return Object.assign(openBook(book.nowMs), { account: decodeAccount(JSON.parse(snapshot)) });
}

describe('forgetting', () => {
  it('drops the oldest ids beyond the bound, of commands and settled holds alike', () => {
    const book = forgetful(4);
    recharge(book, 100);
    for (let i = 0; i < 3; i += 1) {
      book.nowMs += MINUTE_MS;
      consume(book, 1);
    }
    const { memory, commands, settledHolds } = book.account;
    expect(memory.next - memory.first).toBe(4);
    expect([mapSize(commands), mapSize(settledHolds)]).toEqual([2, 2]);
    expect(memory.forgottenThrough).toBe(2);
    expect(memory.forgottenBeforeMs).toBe(START_MS + MINUTE_MS);
  });

  it('drops what is older than 8 days of the account, and this needs no look-up', () => {
    const book = openBook();
    recharge(book, 100);
    const commandId = uuidAt(book.nowMs);
    consume(book, 1, { context: { commandId } });
    book.nowMs += 8 * DAY_MS;
    recharge(book, 1);
    expect(mapGet(book.account.commands, commandId)).toBeDefined();
    book.nowMs += 1;
    recharge(book, 1);
    expect(mapGet(book.account.commands, commandId)).toBeUndefined();
    expect(book.account.memory).toMatchObject({ forgottenBeforeMs: 0, forgottenThrough: 2 });
    expect(consume(book, 1, { context: { commandId } })).toMatchObject({
      refusal: { code: 'command_too_old' },
    });
  });

  it('a replay forgets the same', () => {
    const book = forgetful(5);
    recharge(book, 100);
    for (let i = 0; i < 10; i += 1) {
      book.nowMs += 1;
      consume(book, 1);
    }
    const replayed = book.events.reduce(evolve, freshAccount(5));
    expect(dump(replayed)).toEqual(dump(book.account));
  });

  it('never forgets open holds, sources and orders', () => {
    const book = forgetful(1);
    recharge(book, 100, { sourceRef: 'r' });
    book.nowMs += 1;
    grantMembership(book, 30, { orderNo: 'o' });
    book.nowMs += 1;
    const holdId = uuidAt(book.nowMs);
    hold(book, 5, { holdId });
    for (let i = 0; i < 5; i += 1) {
      book.nowMs += 1;
      consume(book, 1);
    }
    book.nowMs += 1;
    expect(confirm(book, holdId).outcome).toBe('accepted');
    book.nowMs += 1;
    expect(recharge(book, 7, { sourceRef: 'r' })).toMatchObject({
      refusal: { code: 'source_ref_reused' },
    });
    expect(grantMembership(book, 30, { orderNo: 'o' })).toMatchObject({
      refusal: { code: 'source_ref_reused' },
    });
  });
});

describe('an id that may be forgotten', () => {
  /** 3 ids remembered; the first consume, its hold and the recharge are forgotten. */
  function given() {
    const book = forgetful(3);
    recharge(book, 100);
    const commandId = uuidAt(book.nowMs);
    const holdId = uuidAt(book.nowMs);
    const context = { commandId, requestHash: 'first' };
    hold(book, 5, { holdId, context });
    cancel(book, holdId);
    book.nowMs += MINUTE_MS;
    for (let i = 0; i < 3; i += 1) consume(book, 1);
    book.nowMs += 1;
    return { book, holdId, context };
  }

  it('a command is looked up, and answered as it was', () => {
    const { book, holdId, context } = given();
    expect(hold(book, 5, { holdId, context })).toEqual({ outcome: 'recall' });
    const first = { requestHash: 'first', revision: 1 };
    const known = { ...context, recalled: recalled(book, { command: first }) };
    expect(hold(book, 5, { holdId, context: known })).toEqual({
      outcome: 'duplicate',
      revision: 1,
    });
    expect(hold(book, 5, { holdId, context: { ...known, requestHash: 'other' } })).toMatchObject({
      refusal: { code: 'command_id_reused' },
    });
  });

  it('a new one that only looks old is decided as new', () => {
    const { book } = given();
    const context = { commandId: uuidAt(START_MS), recalled: recalled(book) };
    expect(recharge(book, 5, { context }).outcome).toBe('accepted');
  });

  it('is looked up again when the account has forgotten more than the tables know', () => {
    const { book, holdId, context } = given();
    const behind = { appliedRevision: book.account.memory.forgottenThrough - 1 };
    expect(
      hold(book, 5, { holdId, context: { ...context, recalled: recalled(book, behind) } }),
    ).toEqual({ outcome: 'recall' });
  });

  it('a settled hold is judged by the decision table', () => {
    const { book, holdId } = given();
    expect(confirm(book, holdId)).toEqual({ outcome: 'recall' });
    const full = openBook();
    recharge(full, 100);
    hold(full, 5, { holdId });
    cancel(full, holdId);
    const settled = mapGet(full.account.settledHolds, holdId) ?? null;
    const context = { recalled: recalled(book, { hold: settled }) };
    expect(confirm(book, holdId, 5, context)).toMatchObject({
      refusal: { code: 'hold_already_canceled' },
    });
    expect(cancel(book, holdId, 'caller', context).outcome).toBe('duplicate');
    expect(confirm(book, holdId, 5, { recalled: recalled(book) })).toMatchObject({
      refusal: { code: 'hold_not_found' },
    });
    expect(hold(book, 5, { holdId })).toEqual({ outcome: 'recall' });
    expect(hold(book, 5, { holdId, context })).toMatchObject({
      refusal: { code: 'hold_id_reused' },
    });
  });

  it('a hold id without a time is always looked up', () => {
    const { book } = given();
    const id = '019b76da-a800-5000-8000-000000000001';
    expect(cancel(book, id)).toEqual({ outcome: 'recall' });
    expect(cancel(openBook(), id).outcome).toBe('accepted');
  });

  it('young ids need no look-up', () => {
    const { book } = given();
    expect(confirm(book, uuidAt(book.nowMs))).toMatchObject({
      refusal: { code: 'hold_not_found' },
    });
    expect(hold(book, 5).outcome).toBe('accepted');
  });
});

describe('the refund of a forgotten charge', () => {
  function given() {
    const full = openBook();
    const book = forgetful(2);
    for (const each of [full, book]) {
      recharge(each, 10, { sourceRef: 'r', context: { commandId: uuidAt(START_MS) } });
      consume(each, 10, { holdId: '019b76da-a800-7000-8000-00000000aaaa' });
    }
    const holdId = '019b76da-a800-7000-8000-00000000aaaa';
    for (let i = 0; i < 3; i += 1) {
      book.nowMs += 1;
      recharge(book, 1);
    }
    book.nowMs += 1;
    expect(mapGet(book.account.settledHolds, holdId)).toBeUndefined();
    const charge = mapGet(full.account.settledHolds, holdId) ?? null;
    return { book, holdId, charge };
  }

  it('goes by what was recalled, and opens the spent batch again', () => {
    const { book, holdId, charge } = given();
    expect(refund(book, holdId, 4)).toEqual({ outcome: 'recall' });
    const context = { recalled: recalled(book, { hold: charge }) };
    expect(refund(book, holdId, 4, context).outcome).toBe('accepted');
    expect(eventsOf(book, 'PointsRefunded')[0]).toMatchObject({
      refunded_total: 4,
      reopened: [{ points: 10, source_ref: 'r' }],
    });
    const replayed = book.events.reduce(evolve, freshAccount(2));
    expect(dump(replayed)).toEqual(dump(book.account));
  });

  it('never twice: an older recall no longer counts after a refund', () => {
    const { book, holdId, charge } = given();
    const context = { recalled: recalled(book, { hold: charge }) };
    refund(book, holdId, 7, context);
    book.nowMs += 1;
    expect(refund(book, holdId, 7, context)).toEqual({ outcome: 'recall' });
  });

  it('hold_not_found when nothing was ever forgotten, or the log has nothing', () => {
    const book = openBook();
    recharge(book, 1);
    expect(refund(book, uuidAt(book.nowMs))).toMatchObject({ refusal: { code: 'hold_not_found' } });
    const forgot = given();
    const context = { recalled: recalled(forgot.book) };
    expect(refund(forgot.book, uuidAt(START_MS), 1, context)).toMatchObject({
      refusal: { code: 'hold_not_found' },
    });
  });
});

describe('a late confirm of a forgotten hold', () => {
  /** The hold has expired, and only the late hold is still remembered. */
  function given() {
    const book = forgetful(4);
    recharge(book, 10);
    const holdId = uuidAt(book.nowMs);
    hold(book, 4, { holdId });
    book.nowMs += HOUR_MS;
    book.watermarkMs = book.nowMs;
    recharge(book, 1);
    sweep(book);
    const expired = mapGet(book.account.settledHolds, holdId) ?? null;
    for (let i = 0; i < 4; i += 1) {
      book.nowMs += 1;
      recharge(book, 1);
    }
    expect(mapGet(book.account.settledHolds, holdId)).toBeUndefined();
    const context = { recalled: recalled(book, { hold: expired }) };
    return { book, holdId, context };
  }

  it('charges once, also when two were recalled before either was decided', () => {
    const { book, holdId, context } = given();
    expect(confirm(book, holdId, 3, context).outcome).toBe('accepted');
    const revision = book.events.length - 2;
    expect(confirm(book, holdId, 3, context)).toEqual({ outcome: 'duplicate', revision });
    expect(confirm(book, holdId, 4, context)).toMatchObject({
      refusal: { code: 'hold_already_confirmed', details: { requested_amount: 3 } },
    });
    expect(book.account.balance).toBe(12);
  });

  it('is refunded once, also when two refunds were recalled before either was decided', () => {
    const { book, holdId, context } = given();
    confirm(book, holdId, 3, context);
    const late = mapGet(book.account.settledHolds, `late ${holdId}`) ?? null;
    const known = { recalled: recalled(book, { hold: late }) };
    expect(refund(book, holdId, 2, known).outcome).toBe('accepted');
    expect(refund(book, holdId, 2, known)).toMatchObject({
      refusal: { code: 'refund_exceeds_charge', details: { refundable: 1 } },
    });
  });
});

describe('a snapshot', () => {
  /** A bit of everything. */
  function given(): Book {
    const book = openBook();
    recharge(book, 20, { bonus: 3, sourceRef: 'a' });
    recharge(book, 5, { expiry: { kind: 'at', atMs: START_MS + HOUR_MS } });
    grantMembership(book, 30);
    const late = uuidAt(book.nowMs);
    hold(book, 4, { holdId: late });
    hold(book, 2, { request: { sourceType: 'tts', quantity: 2 } });
    const over = uuidAt(book.nowMs);
    hold(book, 5, { holdId: over });
    confirm(book, over, 40);
    cancel(book, uuidAt(book.nowMs));
    reverseRecharge(book, 'a');
    book.nowMs += 3 * HOUR_MS;
    book.watermarkMs = book.nowMs;
    recharge(book, 9, { sourceRef: 'b' });
    refund(book, over, 1);
    return book;
  }

  it('gives the account back as it was', () => {
    const book = given();
    expect(dump(reopened(book, 1_000).account)).toEqual(dump(book.account));
  });

  it('what it leaves out counts as forgotten, and the account stays the same otherwise', () => {
    const book = given();
    const few = reopened(book, 3);
    const { memory, settledHolds: _, commands: __, recordIds: ___, ...rest } = few.account;
    expect(memory.next - memory.first).toBe(3);
    expect(memory.forgottenThrough).toBeGreaterThan(0);
    expect(dump({ ...book.account, ...rest })).toEqual(dump(book.account));
  });

  it('leaves out old sources, which are then looked up', () => {
    const book = openBook();
    for (let i = 0; i < 501; i += 1) recharge(book, 1, { sourceRef: `r${i}` });
    book.nowMs += 1;
    const few = reopened(book, 10);
    expect(few.account.memory.sourcesForgottenThrough).toBe(0);
    expect(recharge(few, 1, { sourceRef: 'r0' })).toEqual({ outcome: 'recall' });
    expect(recharge(few, 1, { sourceRef: 'new' })).toEqual({ outcome: 'recall' });
    expect(recharge(few, 1, { sourceRef: 'r1' })).toMatchObject({
      refusal: { code: 'source_ref_reused' },
    });
    const source = mapGet(book.account.sources, 'r0') ?? null;
    const known = { recalled: recalled(few, { source }) };
    expect(recharge(few, 1, { sourceRef: 'r0', context: known })).toMatchObject({
      refusal: { code: 'source_ref_reused' },
    });
    expect(
      recharge(few, 1, { sourceRef: 'new', context: { recalled: recalled(few) } }).outcome,
    ).toBe('accepted');
    // Its fate must be known to the last event.
    expect(reverseRecharge(few, 'r0', known)).toEqual({ outcome: 'recall' });
    const exact = { recalled: recalled(few, { source }) };
    expect(reverseRecharge(few, 'r0', exact).outcome).toBe('accepted');
  });

  it('is refused when it is not whole', () => {
    const snapshot = encodeAccount(given().account, 10);
    expect(() => decodeAccount({ ...snapshot, prices: [] })).toThrow('without what it stands for');
  });
});
