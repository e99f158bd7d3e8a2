import { DAY_MS, HOUR_MS } from '@points/domain/time';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Ledger } from './start.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type SettableClock, settableClock } from './testing/settable-clock.ts';

/**
 * Every cell of the account rules' decision table, asked over NATS: a hold of 9 points in some state, and a new command
 * for it. Expected is the refusal's code, or `dup`, or the events that are appended.
 */
const COLUMNS = ['confirm', 'confirm other', 'cancel', 'hold', 'hold other'] as const;
type Column = (typeof COLUMNS)[number];

const NEW = 'PointsHeld';
const LATE = 'PointsHeld HoldConfirmed';

const TABLE = {
  unknown: ['hold_not_found', 'hold_not_found', 'HoldCanceled', NEW, NEW],
  open: ['HoldConfirmed', 'HoldConfirmed', 'HoldCanceled', 'dup', 'hold_id_reused'],
  overdue: ['HoldConfirmed', 'HoldConfirmed', 'HoldCanceled', 'dup', 'hold_id_reused'],
  'open, charged on failure': [
    'HoldConfirmed',
    'HoldConfirmed',
    'HoldConfirmed PointsRefunded',
    'dup',
    'hold_id_reused',
  ],
  confirmed: [
    'dup',
    'hold_already_confirmed',
    'hold_already_confirmed',
    'hold_already_confirmed',
    'hold_id_reused',
  ],
  refunded: [
    'dup',
    'hold_already_confirmed',
    'hold_already_confirmed',
    'hold_already_confirmed',
    'hold_id_reused',
  ],
  'canceled by its caller': canceled(),
  'canceled as failed': canceled(),
  'canceled by abort': canceled(),
  'canceled by an admin': canceled(),
  'charged and refunded as failed': canceled(),
  expired: [LATE, LATE, 'dup', 'hold_expired', 'hold_id_reused'],
  'expired a day ago': ['hold_expired', 'hold_expired', 'dup', 'hold_expired', 'hold_id_reused'],
  'late-confirmed': [
    'dup',
    'hold_already_confirmed',
    'hold_already_confirmed',
    'hold_expired',
    'hold_id_reused',
  ],
  tombstone: [
    'hold_already_canceled',
    'hold_already_canceled',
    'dup',
    'hold_already_canceled',
    'hold_already_canceled',
  ],
} as const satisfies Record<string, readonly string[]>;

type State = keyof typeof TABLE;
const STATES = Object.keys(TABLE).filter((state): state is State => state in TABLE);

function canceled() {
  return [
    'hold_already_canceled',
    'hold_already_canceled',
    'dup',
    'hold_already_canceled',
    'hold_id_reused',
  ] as const;
}

/** One account per cell: what was done to it before it is asked. */
interface Cell {
  readonly state: State;
  readonly account_id: string;
  readonly hold_id: string;
  /** The answer that a duplicate has to repeat. */
  first: object | null;
}

let clock: SettableClock;
let world: World;
let ledger: Ledger;
const cells = new Map<string, Cell>();

/** The hold's body, the same each time. */
function held({ state, account_id, hold_id }: Cell): object {
  const failing =
    state === 'open, charged on failure' || state === 'charged and refunded as failed';
  // An operation of 10 points that is charged and refunded when it fails.
  const price = failing ? { source_type: 'ppt' } : { amount: 9 };
  const short = state === 'overdue' || state.startsWith('expired') || state === 'late-confirmed';
  return { account_id, hold_id, ...price, ...(short ? { ttl_ms: 1_000 } : { ttl_ms: DAY_MS }) };
}

async function place(cell: Cell): Promise<void> {
  const reply = await world.ok('ai-demo', 'cmd.hold', held(cell));
  cell.first = reply.result;
}

/** Cancels the overdue hold, by taking the points that it had pinned; 4 stay available. */
async function expire({ account_id }: Cell): Promise<void> {
  await world.ok('ai-demo', 'cmd.consume', { account_id, amount: 26 });
}

async function advance(ms: number): Promise<void> {
  clock.nowMs += ms;
  await vi.waitFor(() => expect(ledger.watermarkMs()).toBe(clock.nowMs), { timeout: 10_000 });
}

async function settle(cell: Cell): Promise<void> {
  const { account_id, hold_id } = cell;
  const confirm = async () =>
    (await world.ok('ai-demo', 'cmd.confirm', { account_id, hold_id, actual_amount: 4 })).result;
  const cancel = async (client: string, more: object) =>
    (await world.ok(client, 'cmd.cancel', { account_id, hold_id, ...more })).result;
  switch (cell.state) {
    case 'confirmed':
    case 'late-confirmed':
      cell.first = await confirm();
      return;
    case 'refunded':
      cell.first = await confirm();
      await world.ok('admin', 'cmd.refund', { account_id, hold_id, reason: 'x' });
      return;
    case 'canceled as failed':
    case 'charged and refunded as failed':
      cell.first = await cancel('ai-demo', { reason: 'failed' });
      return;
    case 'canceled by abort':
      cell.first = await cancel('ai-demo', { reason: 'client_abort' });
      return;
    case 'canceled by an admin':
      cell.first = await cancel('admin', {});
      return;
    case 'canceled by its caller':
    case 'tombstone':
      cell.first = await cancel('ai-demo', {});
      return;
    case 'expired':
    case 'expired a day ago':
      cell.first = { hold_id, status: 'canceled', released: 9 };
      return;
    case 'unknown':
    case 'open':
    case 'overdue':
    case 'open, charged on failure':
      return;
    default:
      cell.state satisfies never;
  }
}

beforeAll(async () => {
  clock = settableClock(Date.UTC(2026, 0, 10));
  world = await startWorld({ clock });
  ledger = await world.startLedger({ holdGraceMs: 0 });
  for (const [row, state] of STATES.entries()) {
    for (const [column, name] of COLUMNS.entries()) {
      const cell = {
        state,
        account_id: `cell-${row}-${column}`,
        hold_id: world.newId(),
        first: null,
      };
      cells.set(`${state}/${name}`, cell);
      await world.ok('admin', 'cmd.recharge', {
        account_id: cell.account_id,
        source: 'admin',
        source_ref: 'start',
        points: 30,
      });
    }
  }
  const all = [...cells.values()];
  const inState = (...states: State[]) => all.filter(({ state }) => states.includes(state));
  for (const cell of inState('expired a day ago')) await place(cell);
  await advance(HOUR_MS);
  for (const cell of inState('expired a day ago')) await expire(cell);
  await advance(DAY_MS);
  for (const cell of all)
    if (!['unknown', 'tombstone', 'expired a day ago'].includes(cell.state)) await place(cell);
  await advance(HOUR_MS);
  for (const cell of inState('expired', 'late-confirmed')) await expire(cell);
  for (const cell of all) await settle(cell);
});

afterAll(() => world.stop());

async function ask(column: Column, cell: Cell) {
  const { account_id, hold_id } = cell;
  switch (column) {
    case 'confirm':
      return world.ask('ai-demo', 'cmd.confirm', { account_id, hold_id, actual_amount: 4 });
    case 'confirm other':
      return world.ask('ai-demo', 'cmd.confirm', { account_id, hold_id, actual_amount: 3 });
    case 'cancel':
      return world.ask('ai-demo', 'cmd.cancel', { account_id, hold_id, reason: 'failed' });
    case 'hold':
      return world.ask('ai-demo', 'cmd.hold', held(cell));
    case 'hold other':
      return world.ask('ai-demo', 'cmd.hold', { ...held(cell), biz_id: 'other' });
    default:
      return column satisfies never;
  }
}

describe.each(STATES)('a hold that is %s', (state) => {
  it.each(COLUMNS.map((column, index) => [column, TABLE[state][index] ?? ''] as const))(
    '%s: %s',
    async (column, expected) => {
      const cell = cells.get(`${state}/${column}`);
      if (cell === undefined) throw new Error('no such cell');
      const before = await world.events(cell.account_id);
      const reply = await ask(column, cell);
      const added = (await world.events(cell.account_id)).slice(before.length);
      const types = added.map(({ type }) => type).join(' ');
      if (reply.ok && reply.duplicate === true) {
        expect(['dup', '']).toEqual([expected, types]);
        expect(reply.result).toEqual(cell.first);
      } else if (reply.ok) {
        expect(types).toBe(expected);
        expect(reply.account_revision).toBe(added.at(-1)?.revision);
      } else {
        expect([reply.error.code, types]).toEqual([expected, '']);
      }
    },
  );
});

describe('what an admin or a late confirm leaves behind', () => {
  it('the reason says that an admin canceled it', async () => {
    const { account_id = '', hold_id } = cells.get('canceled by an admin/confirm') ?? {};
    expect((await world.events(account_id)).at(-1)?.data).toMatchObject({ reason: 'admin' });
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id })).toMatchObject({
      result: { status: 'canceled', reason: 'admin', released: 9 },
    });
  });

  it('the expired hold says that it was confirmed late', async () => {
    const { account_id, hold_id } = cells.get('late-confirmed/cancel') ?? {};
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id })).toMatchObject({
      result: { hold_id, status: 'confirmed', late: true, actual_amount: 4 },
    });
  });

  it('a late confirm of more than is available is refused with the numbers, and nothing is charged', async () => {
    const { account_id = '', hold_id } = cells.get('expired/hold') ?? {};
    const before = await world.events(account_id);
    const confirm = { account_id, hold_id, actual_amount: 5 };
    expect(await world.ask('ai-demo', 'cmd.confirm', confirm)).toMatchObject({
      error: {
        code: 'hold_expired',
        number: 1001006,
        status: 410,
        retryable: false,
        details: { required: 5, available: 4 },
      },
    });
    expect(await world.events(account_id)).toEqual(before);
  });

  it('the failed one says that it was canceled, and nothing is charged', async () => {
    const { account_id, hold_id } = cells.get('charged and refunded as failed/confirm') ?? {};
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id })).toMatchObject({
      result: { hold_id, status: 'canceled', reason: 'failed', released: 10 },
      balance: { balance: 30, held: 0, available: 30 },
    });
  });
});
