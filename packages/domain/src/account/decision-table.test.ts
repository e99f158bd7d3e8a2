import { describe, expect, it } from 'vitest';
import {
  type Book,
  cancel,
  charged,
  confirm,
  consume,
  dump,
  hold,
  openBook,
  recharge,
  refund,
  sweep,
  uuidAt,
} from '../testing/book.ts';
import type { HoldTerms } from '../pricing/resolve-price.ts';
import { HOUR_MS, MINUTE_MS } from '../time.ts';
import type { CommandContext, HoldReference } from './commands.ts';
import type { Decision } from './decide.ts';

/**
 * What every settlement and every hold does to a hold in every state, under a new command id. A hold of 5 is asked
 * about; "dup" names the command whose answer is given again.
 */
const TABLE = `
  state                 | confirm same           | confirm other          | cancel                 | hold same              | hold other
  unknown               | hold_not_found         | hold_not_found         | tombstone              | PointsHeld             | PointsHeld
  open                  | HoldConfirmed          | HoldConfirmed          | HoldCanceled           | dup of hold            | hold_id_reused
  open, overdue         | HoldConfirmed          | HoldConfirmed          | HoldCanceled           | dup of hold            | hold_id_reused
  confirmed             | dup of settlement      | hold_already_confirmed | hold_already_confirmed | hold_already_confirmed | hold_id_reused
  confirmed at 0        | dup of settlement      | hold_already_confirmed | hold_already_confirmed | hold_already_confirmed | hold_id_reused
  confirmed, refunded   | dup of settlement      | hold_already_confirmed | hold_already_confirmed | hold_already_confirmed | hold_id_reused
  confirmed into debt   | dup of settlement      | hold_already_confirmed | hold_already_confirmed | hold_already_confirmed | hold_id_reused
  consumed              | dup of hold            | hold_already_confirmed | hold_already_confirmed | hold_id_reused         | hold_id_reused
  canceled (caller)     | hold_already_canceled  | hold_already_canceled  | dup of settlement      | hold_already_canceled  | hold_id_reused
  canceled (failed)     | hold_already_canceled  | hold_already_canceled  | dup of settlement      | hold_already_canceled  | hold_id_reused
  canceled (abort)      | hold_already_canceled  | hold_already_canceled  | dup of settlement      | hold_already_canceled  | hold_id_reused
  canceled (pair)       | hold_already_canceled  | hold_already_canceled  | dup of settlement      | hold_already_canceled  | hold_id_reused
  canceled (admin)      | hold_already_canceled  | hold_already_canceled  | dup of settlement      | hold_already_canceled  | hold_id_reused
  expired, < 24 h       | late confirm           | late confirm           | dup of settlement      | hold_expired           | hold_id_reused
  expired, ≥ 24 h       | hold_expired           | hold_expired           | dup of settlement      | hold_expired           | hold_id_reused
  late-confirmed        | dup of settlement      | hold_already_confirmed | hold_already_confirmed | hold_expired           | hold_id_reused
  tombstone             | hold_already_canceled  | hold_already_canceled  | dup of settlement      | hold_already_canceled  | hold_already_canceled
`;

const AMOUNT = 5;
const PAYLOAD = { requestHash: 'hash of the hold' };
const OTHER_PAYLOAD = { requestHash: 'hash of another hold' };

interface Case {
  readonly book: Book;
  readonly holdId: string;
  holdRevision: number;
  settlementRevision: number;
  /** What the state's confirm charged; the held amount where there was none. */
  readonly confirmed: number;
}

const STATES = {
  unknown: () => begin(),
  open: () => placed(),
  'open, overdue': () => {
    const given = placed();
    given.book.nowMs += 2 * HOUR_MS;
    given.book.watermarkMs = given.book.nowMs;
    return given;
  },
  confirmed: () => settled(placed(4), ({ book, holdId }) => confirm(book, holdId, 4)),
  'confirmed at 0': () => settled(placed(0), ({ book, holdId }) => confirm(book, holdId, 0)),
  'confirmed, refunded': () => {
    const given = STATES.confirmed();
    expect(refund(given.book, given.holdId, 3).outcome).toBe('accepted');
    return given;
  },
  'confirmed into debt': () => settled(placed(50), ({ book, holdId }) => confirm(book, holdId, 50)),
  consumed: () => {
    const given = begin();
    expireOneFirst(given.book);
    given.holdRevision = given.book.account.revision + 1;
    consume(given.book, AMOUNT, { holdId: given.holdId, context: { requestHash: 'consume' } });
    return given;
  },
  'canceled (caller)': () => settled(placed(), ({ book, holdId }) => cancel(book, holdId)),
  'canceled (failed)': () =>
    settled(placed(), ({ book, holdId }) => cancel(book, holdId, 'failed')),
  'canceled (abort)': () =>
    settled(placed(), ({ book, holdId }) => cancel(book, holdId, 'client_abort')),
  'canceled (pair)': () =>
    settled(placed(AMOUNT, { failurePolicy: 'charge_then_refund' }), ({ book, holdId }) =>
      cancel(book, holdId, 'failed'),
    ),
  'canceled (admin)': () =>
    settled(placed(), ({ book, holdId }) => cancel(book, holdId, 'admin', { admin: true })),
  'expired, < 24 h': () => expired(24 * HOUR_MS - 1),
  'expired, ≥ 24 h': () => expired(24 * HOUR_MS),
  'late-confirmed': () =>
    settled(expired(24 * HOUR_MS - 1 - MINUTE_MS), ({ book, holdId }) => confirm(book, holdId)),
  tombstone: () => settled(begin(), ({ book, holdId }) => cancel(book, holdId, 'client_abort')),
};

type Settle = (
  given: Case,
  reference: HoldReference,
  context?: Partial<CommandContext>,
) => Decision;

const ASKS: Record<string, Settle> = {
  'confirm same': ({ book, confirmed }, reference, context) =>
    confirm(book, reference, confirmed, context),
  'confirm other': ({ book, confirmed }, reference, context) =>
    confirm(book, reference, confirmed + 1, context),
  cancel: ({ book }, reference, context) => cancel(book, reference, 'caller', context),
  'hold same': ({ book, holdId }) => hold(book, AMOUNT, { holdId, context: PAYLOAD }),
  'hold other': ({ book, holdId }) => hold(book, AMOUNT, { holdId, context: OTHER_PAYLOAD }),
};

function begin(confirmed = AMOUNT): Case {
  const book = openBook();
  recharge(book, 20);
  return { book, holdId: uuidAt(book.nowMs), holdRevision: -1, settlementRevision: -1, confirmed };
}

function placed(confirmed = AMOUNT, terms: Partial<HoldTerms> = {}): Case {
  const given = begin(confirmed);
  const { book, holdId } = given;
  expireOneFirst(book);
  given.holdRevision = book.account.revision + 1;
  const request = { holdId, context: PAYLOAD, terms: charged(AMOUNT, terms) };
  expect(hold(book, AMOUNT, request).outcome).toBe('accepted');
  return given;
}

function settled(given: Case, settle: (given: Case) => Decision): Case {
  expireOneFirst(given.book);
  given.settlementRevision = given.book.account.revision + 1;
  expect(settle(given).outcome).toBe('accepted');
  return given;
}

function expired(afterMs: number): Case {
  const given = STATES['open, overdue']();
  const { book } = given;
  settled(given, () => {
    book.watermarkMs = book.nowMs;
    return sweep(book);
  });
  book.nowMs += afterMs;
  return given;
}

/** Lets the next command begin with a BatchExpired: its answer stands at its first event, not at the hold's. */
function expireOneFirst(book: Book): void {
  recharge(book, 1, { expiry: { kind: 'at', atMs: book.nowMs + MINUTE_MS } });
  book.nowMs += MINUTE_MS;
}

const [[, ...asks] = [], ...body] = TABLE.trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));
const rows = body.flatMap(([state = '', ...outcomes]) =>
  outcomes.map((outcome, column) => ({ state, ask: asks[column] ?? '', outcome })),
);
const settlements = rows.filter((row) => !row.ask.startsWith('hold'));

function givenState(name: string): Case {
  const state = new Map<string, () => Case>(Object.entries(STATES)).get(name);
  if (state === undefined) throw new Error(`no such state: ${name}`);
  return state();
}

function ask(
  name: string,
  given: Case,
  reference: HoldReference = { holdId: given.holdId },
  context?: Partial<CommandContext>,
): Decision {
  const asked = ASKS[name];
  if (asked === undefined) throw new Error(`no such column: ${name}`);
  return asked(given, reference, context);
}

function outcomeOf(decision: Decision, given: Case): string {
  switch (decision.outcome) {
    case 'refused':
      return decision.refusal.code;
    case 'duplicate':
      if (decision.revision === given.holdRevision) return 'dup of hold';
      return decision.revision === given.settlementRevision
        ? 'dup of settlement'
        : `dup of ${decision.revision}`;
    case 'accepted': {
      const event = decision.events.find(
        (each) => each.event.type !== 'BatchExpired' && 'hold_id' in each.event.data,
      )?.event;
      if (event?.type === 'PointsHeld' && event.data.late_of === given.holdId)
        return 'late confirm';
      return event?.type === 'HoldCanceled' && event.data.reason === 'tombstone'
        ? 'tombstone'
        : (event?.type ?? 'nothing');
    }
    case 'recall':
      return 'recall';
    default:
      return decision satisfies never;
  }
}

describe('decision table', () => {
  it('has every cell once', () => {
    expect(rows.length).toBe(Object.keys(STATES).length * Object.keys(ASKS).length);
    expect(new Set(rows.map((row) => `${row.state}/${row.ask}`)).size).toBe(rows.length);
  });

  it.each(rows)('$state, $ask: $outcome', (row) => {
    const given = givenState(row.state);
    const { account } = given.book;
    const before = dump(account);
    const decision = ask(row.ask, given);
    expect(outcomeOf(decision, given)).toBe(row.outcome);
    if (decision.outcome === 'accepted') return;
    expect(given.book.account).toBe(account);
    expect(dump(account)).toEqual(before);
  });

  it.each(settlements)('by record id, $state, $ask: $outcome', (row) => {
    const given = givenState(row.state);
    const held = given.book.events.find((each) => each.event.type === 'PointsHeld')?.event;
    const recordId = held?.type === 'PointsHeld' ? held.data.record_id : 999_999_999;
    // Nobody ever gave a tombstone or an unknown hold a number.
    const expected = held === undefined ? 'hold_not_found' : row.outcome;
    expect(outcomeOf(ask(row.ask, given, { recordId }), given)).toBe(expected);
  });

  const strangers = settlements.map((row) => ({
    ...row,
    // Only a hold that somebody placed has an owner.
    outcome: row.state === 'unknown' || row.state === 'tombstone' ? row.outcome : 'forbidden',
  }));

  it.each(strangers)('by another client, $state, $ask: $outcome', (row) => {
    const given = givenState(row.state);
    const before = dump(given.book.account);
    const decision = ask(row.ask, given, { holdId: given.holdId }, { client: 'other' });
    expect(outcomeOf(decision, given)).toBe(row.outcome);
    if (decision.outcome !== 'accepted') expect(dump(given.book.account)).toEqual(before);
  });

  it.each(settlements)('by an admin, $state, $ask: $outcome', (row) => {
    const given = givenState(row.state);
    const admin = { client: 'admin', admin: true };
    expect(outcomeOf(ask(row.ask, given, { holdId: given.holdId }, admin), given)).toBe(
      row.outcome,
    );
  });

  it('a hold of another client under the same id is reused, never a duplicate', () => {
    const given = STATES.open();
    const context = { client: 'other', requestHash: 'hash with another client' };
    const decision = hold(given.book, AMOUNT, { holdId: given.holdId, context });
    expect(outcomeOf(decision, given)).toBe('hold_id_reused');
  });

  it.each([3, 5])('another use than the confirmed 4 is refused, less or more: %i', (use) => {
    const given = STATES.confirmed();
    expect(outcomeOf(confirm(given.book, given.holdId, use), given)).toBe('hold_already_confirmed');
  });

  it('omitted use equals the held amount: a duplicate of a confirm that named it', () => {
    const given = STATES['confirmed']();
    expect(outcomeOf(confirm(given.book, given.holdId), given)).toBe('hold_already_confirmed');
    const full = settled(placed(), ({ book, holdId }) => confirm(book, holdId));
    expect(outcomeOf(confirm(full.book, full.holdId, AMOUNT), full)).toBe('dup of settlement');
  });

  it('the same use in another unit is the same use', () => {
    const given = begin();
    const { book, holdId } = given;
    const price = {
      mode: 'fixed' as const,
      unit: 'quantity' as const,
      unit_price: '2',
      min_points: 0,
      rounding: 'ceil' as const,
      source: 'model:m',
      config_version: 'v',
    };
    hold(book, 2, { holdId, terms: charged(2, { price }) });
    given.settlementRevision = book.account.revision + 1;
    confirm(book, holdId, { kind: 'quantity', quantity: 3 });
    expect(outcomeOf(confirm(book, holdId, 6), given)).toBe('dup of settlement');
    expect(outcomeOf(confirm(book, holdId, { kind: 'quantity', quantity: 4 }), given)).toBe(
      'hold_already_confirmed',
    );
    expect(confirm(book, holdId, { kind: 'duration', durationMs: 1 })).toEqual({
      outcome: 'refused',
      refusal: { code: 'invalid_argument', details: { field: 'actual_duration' } },
    });
  });

  it('a consume repeated under a new command id finds its hold settled', () => {
    const given = STATES.consumed();
    const again = { holdId: given.holdId, context: { requestHash: 'consume' } };
    expect(outcomeOf(consume(given.book, AMOUNT, again), given)).toBe('hold_already_confirmed');
  });

  it('says what it refuses', () => {
    const confirmedHold = STATES.confirmed();
    expect(confirm(confirmedHold.book, confirmedHold.holdId, 5)).toMatchObject({
      refusal: { details: { requested_amount: 4 } },
    });
    const expiredHold = givenState('expired, ≥ 24 h');
    expect(confirm(expiredHold.book, expiredHold.holdId)).toMatchObject({
      refusal: { details: { reason: 'expired' } },
    });
  });
});
