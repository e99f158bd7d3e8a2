import type { Success } from '@points/contracts/ledger-replies';
import type { Endpoint } from '@points/contracts/ledger-requests';
import { accountSnapshotStream, accountStream } from '@points/contracts/streams';
import type { StoredEvent } from '@points/event-store/event-log';
import { SNAPSHOT_TYPE } from '@points/event-store/snapshot-event';
import { DAY_MS, HOUR_MS } from '@points/domain/time';
import { openDatabase } from '@points/read-model/database';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ReadTablesError, recallTables } from './recall-tables.ts';
import type { Ledger } from './start.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type ReadSide, startReadSide } from './testing/read-side.ts';
import { type SettableClock, settableClock } from './testing/settable-clock.ts';

/** Ids that these accounts remember: whatever is older than a few commands must be recalled from the log. */
const REMEMBERED_IDS = 4;
const START_MS = Date.UTC(2026, 0, 10);

let clock: SettableClock;
let world: World;
let readSide: ReadSide;
let ledger: Ledger;
let accounts = 0;

beforeAll(async () => {
  clock = settableClock(START_MS);
  world = await startWorld({ clock });
  readSide = await startReadSide(world, inject('postgresUrl'));
  ledger = await startLedger();
});

afterAll(async () => {
  await world.stop();
  await readSide.stop();
});

function startLedger(): Promise<Ledger> {
  return world.startLedger(
    { rememberedIdsMax: REMEMBERED_IDS, holdGraceMs: 0 },
    { recallTables: readSide.tables },
  );
}

async function accountWith(points: number): Promise<string> {
  const account_id = `forgetful-${(accounts += 1)}`;
  await recharge(account_id, points, 'first');
  return account_id;
}

function recharge(account_id: string, points: number, source_ref: string) {
  return world.ok('admin', 'cmd.recharge', { account_id, source: 'admin', source_ref, points });
}

/** Enough commands that everything before is forgotten, also by the time inside its ids. */
async function forget(account_id: string): Promise<void> {
  for (let i = 0; i < REMEMBERED_IDS + 1; i += 1) {
    clock.nowMs += 1;
    await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id: world.newId() });
  }
  clock.nowMs += 1;
}

async function newEvents(account_id: string, work: () => Promise<void>): Promise<StoredEvent[]> {
  const before = await world.events(account_id);
  await work();
  return (await world.events(account_id)).slice(before.length);
}

/** Moves the clock on, and waits until settlements are known to be decided up to then. */
async function advance(ms: number): Promise<void> {
  clock.nowMs += ms;
  await expect.poll(() => ledger.watermarkMs(), { interval: 20 }).toBe(clock.nowMs);
}

describe('what an account has forgotten', () => {
  it('commands give their first answers, whatever the verb, and append nothing', async () => {
    const account_id = await accountWith(1_000);
    const hold_id = world.newId();
    const charged = world.newId();
    const byPerson = { reason: 'x', operator: 'ann' };
    const requests = [
      ['ai-demo', 'cmd.hold', { hold_id, amount: 10 }],
      ['ai-demo', 'cmd.extend', { hold_id, ttl_ms: 7_200_000 }],
      ['ai-demo', 'cmd.confirm', { hold_id, actual_amount: 7 }],
      ['ai-demo', 'cmd.consume', { hold_id: charged, amount: 5 }],
      ['ai-demo', 'cmd.cancel', { hold_id: world.newId() }],
      ['admin', 'cmd.reward', { source_ref: 'gift', points: 3 }],
      ['admin', 'cmd.refund', { hold_id: charged, points: 2, reason: 'x' }],
      ['admin', 'cmd.adjust', { delta: -4, ...byPerson }],
      ['admin', 'cmd.reverse_recharge', { source_ref: 'gift', ...byPerson }],
      ['admin', 'cmd.freeze', byPerson],
      ['admin', 'cmd.unfreeze', byPerson],
      [
        'billing',
        'cmd.grant_membership',
        { membership_type: 'monthly', duration_days: 30, order_no: 'o-1' },
      ],
      ['billing', 'cmd.revoke_membership', byPerson],
    ] as const;
    const asked: {
      readonly client: string;
      readonly endpoint: Endpoint;
      readonly full: { readonly command_id: string };
      readonly first: Success;
    }[] = [];
    for (const [client, endpoint, body] of requests) {
      clock.nowMs += 1;
      const full = { account_id, command_id: world.newId(), ...body };
      asked.push({ client, endpoint, full, first: await world.ok(client, endpoint, full) });
    }
    await forget(account_id);
    const added = await newEvents(account_id, async () => {
      for (const { client, endpoint, full, first } of asked) {
        expect(await world.ok(client, endpoint, full), endpoint).toEqual({
          ...first,
          duplicate: true,
        });
        expect(
          await world.ok('admin', 'qry.command', { account_id, command_id: full.command_id }),
          endpoint,
        ).toMatchObject({ result: first.result });
        expect(
          await world.ask(client, endpoint, { ...full, ...otherPayload(endpoint) }),
          endpoint,
        ).toMatchObject({ ok: false, error: { code: 'command_id_reused' } });
      }
    });
    expect(added).toEqual([]);
  });

  it('holds are judged by what became of them', async () => {
    const account_id = await accountWith(100);
    const confirmed = world.newId();
    const canceled = world.newId();
    const buried = world.newId();
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      hold_id: confirmed,
      amount: 9,
    });
    await world.ok('ai-demo', 'cmd.confirm', { account_id, hold_id: confirmed, actual_amount: 4 });
    await world.ok('ai-demo', 'cmd.hold', { account_id, hold_id: canceled, amount: 9 });
    await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id: canceled, reason: 'failed' });
    await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id: buried });
    const { record_id } = held.result;
    await forget(account_id);
    const code = async (
      client: string,
      endpoint: 'cmd.hold' | 'cmd.confirm' | 'cmd.cancel',
      body: object,
    ) => {
      const reply = await world.ask(client, endpoint, { account_id, ...body });
      return reply.ok ? `ok, duplicate ${reply.duplicate}` : reply.error.code;
    };
    const added = await newEvents(account_id, async () => {
      const said = [
        await code('ai-demo', 'cmd.confirm', { hold_id: confirmed, actual_amount: 4 }),
        await code('ai-demo', 'cmd.confirm', { record_id, actual_amount: 4 }),
        await code('ai-demo', 'cmd.confirm', { hold_id: confirmed, actual_amount: 5 }),
        await code('ai-demo', 'cmd.cancel', { hold_id: confirmed }),
        await code('ai-other', 'cmd.cancel', { hold_id: confirmed }),
        await code('ai-demo', 'cmd.hold', { hold_id: confirmed, amount: 9 }),
        await code('ai-demo', 'cmd.hold', { hold_id: confirmed, amount: 8 }),
        await code('ai-demo', 'cmd.confirm', { hold_id: canceled }),
        await code('ai-demo', 'cmd.cancel', { hold_id: canceled }),
        await code('ai-demo', 'cmd.hold', { hold_id: canceled, amount: 9 }),
        await code('ai-demo', 'cmd.confirm', { hold_id: buried }),
        await code('ai-demo', 'cmd.cancel', { hold_id: buried }),
        await code('ai-demo', 'cmd.hold', { hold_id: buried, amount: 9 }),
      ];
      expect(said).toEqual([
        'ok, duplicate true',
        'ok, duplicate true',
        'hold_already_confirmed',
        'hold_already_confirmed',
        'forbidden',
        'hold_already_confirmed',
        'hold_id_reused',
        'hold_already_canceled',
        'ok, duplicate true',
        'hold_already_canceled',
        'hold_already_canceled',
        'ok, duplicate true',
        'hold_already_canceled',
      ]);
    });
    expect(added).toEqual([]);
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, record_id })).toMatchObject({
      result: { hold_id: confirmed, record_id, status: 'confirmed', actual_amount: 4, refunded: 0 },
    });
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id: buried })).toMatchObject({
      result: { status: 'canceled', reason: 'tombstone', record_id: null },
    });
    expect(
      await world.ask('ai-demo', 'qry.hold', { account_id, hold_id: world.newId() }),
    ).toMatchObject({ error: { code: 'hold_not_found' } });
  });

  it('an id that only looks old is new', async () => {
    const account_id = await accountWith(100);
    const hold_id = world.newId();
    const command_id = world.newId();
    await forget(account_id);
    const hold = { account_id, hold_id, command_id, amount: 9 };
    expect(await world.ok('ai-demo', 'cmd.hold', hold)).toMatchObject({ duplicate: false });
  });

  it('a charge is refunded to where it came from: repayments, spent batches, grace for due ones', async () => {
    const account_id = `forgetful-${(accounts += 1)}`;
    const expires_at = new Date(clock.nowMs + DAY_MS).toISOString();
    await world.ok('admin', 'cmd.recharge', {
      account_id,
      source: 'admin',
      source_ref: 'a',
      points: 10,
      expires_at,
    });
    const hold_id = world.newId();
    await world.ok('ai-demo', 'cmd.hold', { account_id, hold_id, amount: 10 });
    const charge = await world.ok('ai-demo', 'cmd.confirm', {
      account_id,
      hold_id,
      actual_amount: 15,
    });
    await forget(account_id);
    await recharge(account_id, 3, 'b');
    await forget(account_id);
    const refund = (body: object) =>
      world.ask('admin', 'cmd.refund', { account_id, reason: 'bad', operator: 'ann', ...body });
    // Still debt: 2; repaid by b: 3; from a, spent to the last point: 10.
    expect(await refund({ hold_id, points: 3 })).toMatchObject({
      ok: true,
      result: { hold_id, points: 3, refunded_total: 3 },
      balance: { balance: 1, available: 1 },
    });
    expect((await world.events(account_id)).at(-1)?.data).toMatchObject({
      debt_canceled: 2,
      returns: [{ from: 'debt', points: 2 }, { points: 1 }],
      reopened: [{ points: 3, source_ref: 'b' }],
    });
    await forget(account_id);
    await advance(DAY_MS);
    // By the event that had charged it.
    const { transaction_id } = charge.result;
    expect(await refund({ transaction_id, points: 7 })).toMatchObject({
      ok: true,
      result: { hold_id, points: 7, refunded_total: 10 },
    });
    expect((await world.events(account_id)).at(-1)?.data).toMatchObject({
      debt_canceled: 0,
      returns: [{ points: 2 }, { points: 5 }],
      grace: [{ points: 5, source_ref: 'a' }],
    });
    await forget(account_id);
    expect(await refund({ hold_id, points: 6 })).toMatchObject({
      error: { code: 'refund_exceeds_charge', details: { refundable: 5 } },
    });
    expect(await refund({ hold_id })).toMatchObject({ result: { points: 5, refunded_total: 15 } });
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id })).toMatchObject({
      result: { status: 'confirmed', actual_amount: 15, refunded: 15 },
    });
  });

  it('an expired hold is confirmed late, once, and refunded by its own name', async () => {
    const account_id = await accountWith(100);
    const hold_id = world.newId();
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      hold_id,
      amount: 60,
      ttl_ms: 60_000,
    });
    await advance(HOUR_MS);
    // Needs the points of the overdue hold, which is therefore canceled.
    const second = await world.ok('ai-demo', 'cmd.consume', { account_id, amount: 50 });
    expect(second.result).toMatchObject({ amount: 50 });
    await forget(account_id);
    const late = await world.ok('ai-demo', 'cmd.confirm', {
      account_id,
      record_id: held.result.record_id,
      actual_amount: 40,
    });
    expect(late.result).toMatchObject({
      hold_id,
      record_id: held.result.record_id,
      amount: 40,
      late: true,
    });
    await forget(account_id);
    const again = await world.ok('ai-demo', 'cmd.confirm', {
      account_id,
      hold_id,
      actual_amount: 40,
    });
    expect(again).toMatchObject({ duplicate: true, result: late.result });
    expect(
      await world.ask('ai-demo', 'cmd.confirm', { account_id, hold_id, actual_amount: 41 }),
    ).toMatchObject({ error: { code: 'hold_already_confirmed' } });
    expect(await world.ask('ai-demo', 'cmd.cancel', { account_id, hold_id })).toMatchObject({
      error: { code: 'hold_already_confirmed' },
    });
    expect(
      await world.ok('admin', 'cmd.refund', { account_id, hold_id, points: 10, reason: 'x' }),
    ).toMatchObject({ result: { hold_id: late.result.late_hold_id, points: 10 } });
    await forget(account_id);
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id })).toMatchObject({
      result: {
        hold_id,
        status: 'confirmed',
        late: true,
        late_hold_id: late.result.late_hold_id,
        actual_amount: 40,
        refunded: 10,
      },
    });
  });

  it('nothing is decided while the tables are behind or away; then the same request is', async () => {
    const account_id = await accountWith(100);
    const hold_id = world.newId();
    const hold = { account_id, hold_id, command_id: world.newId(), amount: 9 };
    const first = await world.ok('ai-demo', 'cmd.hold', hold);
    await readSide.stopProjector();
    await forget(account_id);
    const added = await newEvents(account_id, async () => {
      expect(await world.ask('ai-demo', 'cmd.hold', hold)).toMatchObject({
        ok: false,
        error: { code: 'store_unavailable', retryable: true, applied: 'no' },
      });
    });
    expect(added).toEqual([]);
    readSide.startProjector();
    await expect
      .poll(() => world.ask('ai-demo', 'cmd.hold', hold), { timeout: 20_000 })
      .toEqual({ ...first, duplicate: true });
    // What needs no look-up is decided without them.
    await readSide.stopProjector();
    clock.nowMs += 1;
    await world.ok('ai-demo', 'cmd.consume', { account_id, amount: 1 });
    readSide.startProjector();
  });

  it('cannot be looked up in a database that is away', async () => {
    const url = 'postgres://nobody@127.0.0.1:1/nothing';
    const db = openDatabase({ url, applicationName: 'recall-test', poolSize: 1 });
    const tables = recallTables(db);
    await expect(tables.places({ accountId: 'a' })).rejects.toThrow(ReadTablesError);
    await expect(tables.origins('a', ['b'])).rejects.toThrow(ReadTablesError);
    await db.destroy();
  });

  it('is refused when it names a transaction that is none', async () => {
    const account_id = await accountWith(10);
    const refund = (transaction_id: string) =>
      world.ask('admin', 'cmd.refund', { account_id, transaction_id, reason: 'x' });
    expect(await refund(world.newId())).toMatchObject({ error: { code: 'hold_not_found' } });
    const [recharged] = await world.events(account_id);
    expect(await refund(recharged?.id ?? '')).toMatchObject({ error: { code: 'hold_not_found' } });
  });
});

describe('what a snapshot has left out', () => {
  /** More than a snapshot keeps. */
  const SOURCES = 520;

  it('a recharge is recalled: repeated, refused for another payload, taken back once', async () => {
    const account_id = await accountWith(100);
    await Promise.all(
      Array.from({ length: SOURCES }, (_, i) => {
        // Ids younger than all that is forgotten: nothing has to be recalled for them.
        clock.nowMs += 1;
        return world.ok('admin', 'cmd.reward', { account_id, source_ref: `r${i}`, points: 1 });
      }),
    );
    const snapshot = accountSnapshotStream(accountStream(account_id));
    await expect
      .poll(() => world.log.readLast(snapshot), { timeout: 20_000 })
      .toMatchObject({ type: SNAPSHOT_TYPE });
    await ledger.stop();
    ledger = await startLedger();
    const reverse = () =>
      world.ask('admin', 'cmd.reverse_recharge', {
        account_id,
        source_ref: 'first',
        reason: 'x',
        operator: 'ann',
      });
    const added = await newEvents(account_id, async () => {
      expect(await recharge(account_id, 100, 'first')).toMatchObject({ duplicate: true });
      expect(
        await world.ask('admin', 'cmd.recharge', {
          account_id,
          source: 'admin',
          source_ref: 'first',
          points: 99,
        }),
      ).toMatchObject({ error: { code: 'source_ref_reused' } });
    });
    expect(added).toEqual([]);
    expect(await recharge(account_id, 5, 'new')).toMatchObject({ duplicate: false });
    const reversed = await reverse();
    expect(reversed).toMatchObject({
      ok: true,
      duplicate: false,
      result: { source_ref: 'first', points: 100, expired_not_owed: 0, debt_added: 0 },
    });
    expect(await reverse()).toMatchObject({ duplicate: true });
    expect(await recharge(account_id, 100, 'first')).toMatchObject({ duplicate: true });
    expect((await world.events(account_id)).slice(-2).map(({ type }) => type)).toEqual([
      'PointsRecharged',
      'RechargeReversed',
    ]);
  });
});

/** Another request under the same command_id. */
function otherPayload(endpoint: string): object {
  switch (endpoint) {
    case 'cmd.hold':
    case 'cmd.consume':
      return { amount: 11 };
    case 'cmd.extend':
      return { ttl_ms: 1_000 };
    case 'cmd.confirm':
      return { actual_amount: 1 };
    case 'cmd.cancel':
      return { note: 'other' };
    case 'cmd.reward':
    case 'cmd.refund':
      return { points: 1 };
    case 'cmd.adjust':
      return { delta: -5 };
    case 'cmd.grant_membership':
      return { duration_days: 31 };
    default:
      return { operator: 'bob' };
  }
}
