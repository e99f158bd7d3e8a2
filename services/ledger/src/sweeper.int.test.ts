import { type Session, openSession } from '@points/read-model/database';
import { migrate } from '@points/read-model/migrate';
import { type TestDatabase, createTestDatabase } from '@points/read-model/testing/test-database';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { consume } from '@points/runtime/jetstream-consume';
import { createLog } from '@points/runtime/log';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { storedCommands } from './testing/stored-commands.ts';

let world: World;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase(inject('postgresUrl'));
  const session = await open();
  await migrate(session.db, 'read');
  await session.close();
  world = await startWorld();
});

afterAll(async () => {
  await world.stop();
  await database.drop();
});

const open = (): Promise<Session> =>
  openSession({ url: database.url, applicationName: 'sweeper-test' });

/** What the projector would have written: who may have something to sweep. */
async function listBatch(accountId: string, expiresMs: number): Promise<void> {
  const session = await open();
  await session.db
    .insertInto('point_batches')
    .values({
      id: BigInt(Date.now()),
      batch_id: `${accountId}-batch`,
      user_id: accountId,
      kind: 'paid',
      points: 10,
      remaining: 10,
      held: 0,
      expires_at: new Date(expiresMs),
      source_ref: null,
      created_at: new Date(),
    })
    .execute();
  await session.close();
}

async function listHold(accountId: string, holdId: string, expiresMs: number): Promise<void> {
  const session = await open();
  await sql`
    insert into point_holds (user_id, hold_id, record_id, amount, status, task_no, price, charge_mode, owner, allocations, expires_at, revision, created_at)
    values (${accountId}, ${holdId}, 1, 10, 'pending', 'T', '{}', 'charged', 'ai-demo', '[]', ${new Date(expiresMs)}, 1, now())`.execute(
    session.db,
  );
  await session.close();
}

/** A clock that a test can set forward; less than the 5 s at which a ledger stops trusting it. */
function movableClock() {
  const clock = { aheadMs: 0, now: () => Date.now() + clock.aheadMs };
  return clock;
}

async function typesOf(accountId: string): Promise<string[]> {
  return (await world.events(accountId)).map((event) => event.type);
}

describe('the sweeper', () => {
  it('expires due batches and cancels overdue holds of accounts that nobody touches', async () => {
    const clock = movableClock();
    const ledger = await world.startLedger({ holdGraceMs: 0 }, { clock, openSession: open });
    const expires_at = new Date(clock.now() + 1_500).toISOString();
    await world.ok('admin', 'cmd.recharge', {
      account_id: 'due',
      source: 'admin',
      source_ref: 'a',
      points: 10,
      expires_at,
    });
    await world.ok('admin', 'cmd.recharge', {
      account_id: 'overdue',
      source: 'admin',
      source_ref: 'a',
      points: 10,
    });
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id: 'overdue',
      amount: 10,
      ttl_ms: 1_000,
    });
    await listBatch('due', clock.now() + 1_500);
    await listHold('overdue', held.result.hold_id, clock.now() + 1_000);
    expect(await ledger.sweeper.sweepOnce()).toBe(0);
    clock.aheadMs = 3_000;
    const { expires_at: heldUntil } = held.result;
    await expect.poll(() => ledger.watermarkMs() ?? 0).toBeGreaterThan(Date.parse(heldUntil));
    expect(await ledger.sweeper.sweepOnce()).toBe(2);
    expect(await typesOf('due')).toEqual(['PointsRecharged', 'BatchExpired']);
    const events = await world.events('overdue');
    expect(events.at(-1)).toMatchObject({
      type: 'HoldCanceled',
      data: { reason: 'expired', released: 10 },
      metadata: { actor_type: 'system', command: 'expire_due' },
    });
    expect(await ledger.sweeper.sweepOnce()).toBe(0);
    const confirm = await world.ask('ai-demo', 'cmd.confirm', {
      account_id: 'overdue',
      hold_id: held.result.hold_id,
      actual_amount: 11,
    });
    expect(confirm).toMatchObject({ ok: false, error: { code: 'hold_expired', status: 410 } });
    await ledger.stop();
  });

  it('does nothing while another one holds the lock', async () => {
    const ledger = await world.startLedger({}, { openSession: open });
    const session = await open();
    await sql`select pg_advisory_lock(7064878, 4)`.execute(session.db);
    expect(await ledger.sweeper.sweepOnce()).toBeNull();
    await session.close();
    expect(await ledger.sweeper.sweepOnce()).toBe(0);
    await ledger.stop();
  });

  it('cancels no hold before NATS has been there for a while', async () => {
    const clock = movableClock();
    const ledger = await world.startLedger(
      { holdGraceMs: 0, holdExpiryQuietMs: 3_600_000 },
      { clock, openSession: open },
    );
    await world.ok('admin', 'cmd.recharge', {
      account_id: 'quiet',
      source: 'admin',
      source_ref: 'a',
      points: 10,
    });
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id: 'quiet',
      amount: 10,
      ttl_ms: 1_000,
    });
    await listHold('quiet', held.result.hold_id, clock.now() + 1_000);
    clock.aheadMs = 3_000;
    expect(await ledger.sweeper.sweepOnce()).toBe(0);
    expect(await typesOf('quiet')).toEqual(['PointsRecharged', 'PointsHeld']);
    await ledger.stop();
  });

  it('cancels no hold whose confirm was stored in time, however late the confirm is decided', async () => {
    const account_id = 'stored';
    const stored = storedCommands(world);
    const first = await world.startLedger();
    await world.ok('admin', 'cmd.recharge', {
      account_id,
      source: 'admin',
      source_ref: 'a',
      points: 10,
    });
    const { result } = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      amount: 10,
      ttl_ms: 2_000,
    });
    const expiresMs = Date.parse(result.expires_at);
    await listHold(account_id, result.hold_id, expiresMs);
    await first.stop();
    const command_id = await stored.put('ai-demo', 'confirm', {
      account_id,
      hold_id: result.hold_id,
    });
    // Another replica has taken it and does not get on.
    let giveBack = (): void => {};
    const stuck = consume(await world.connection('ledger'), {
      stream: 'LEDGER_CMD',
      consumer: 'ledger-cmd',
      maxInHand: 1,
      mayPull: () => true,
      handler: (delivery) =>
        new Promise((resolve) => {
          giveBack = () => {
            delivery.nak(0);
            resolve();
          };
        }),
      log: createLog('test', 'silent'),
    });
    await expect.poll(stuck.inHand).toBe(1);
    const clock = movableClock();
    clock.aheadMs = 3_000;
    const ledger = await world.startLedger({ holdGraceMs: 0 }, { clock, openSession: open });
    expect(clock.now()).toBeGreaterThan(expiresMs);
    expect(ledger.watermarkMs()).toBeLessThan(expiresMs);
    await ledger.sweeper.sweepOnce();
    expect(await typesOf(account_id)).toEqual(['PointsRecharged', 'PointsHeld']);
    // Nor may a hold that needs the points.
    expect(await world.ask('ai-demo', 'cmd.hold', { account_id, amount: 1 })).toMatchObject({
      error: { code: 'insufficient_points' },
    });
    giveBack();
    await stuck.stop();
    expect(await stored.resultOf('ai-demo', command_id)).toMatchObject({
      ok: true,
      result: { status: 'confirmed', amount: 10, late: false },
    });
    expect(await typesOf(account_id)).toEqual(['PointsRecharged', 'PointsHeld', 'HoldConfirmed']);
    await expect.poll(() => ledger.watermarkMs() ?? 0).toBeGreaterThan(expiresMs);
    await ledger.stop();
  });

  it('expires nothing, and the ledger is not ready, while its clock is wrong', async () => {
    const clock = movableClock();
    clock.aheadMs = 60_000;
    const ledger = await world.startLedger({ holdGraceMs: 0 }, { clock, openSession: open });
    await world.ok('admin', 'cmd.recharge', {
      account_id: 'wrong',
      source: 'admin',
      source_ref: 'a',
      points: 10,
    });
    await expect.poll(() => ledger.ready().reason, { timeout: 10_000 }).toContain('clock');
    await listBatch('wrong', Date.now() - 1_000);
    expect(await ledger.sweeper.sweepOnce()).toBe(0);
    await ledger.stop();
  });
});
