import { setImmediate } from 'node:timers/promises';
import { charged, hold, recharge } from '@points/domain/testing/book';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { LOCKS } from '@points/read-model/coordination';
import { openSession } from '@points/read-model/database';
import { createLog } from '@points/runtime/log';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { tryLock } from './checkpoint.ts';
import type { Follower } from './follower.ts';
import { rebuild } from './rebuild.ts';
import { startReconcile } from './reconcile.ts';
import type { Reconcile } from './reconcile.ts';
import { startProjector } from './start.ts';
import { createLedgerWriter } from './testing/ledger-writer.ts';
import { createReadDatabase } from './testing/read-tables.ts';
import type { ReadDatabase } from './testing/read-tables.ts';

const NEVER_MS = 3_600_000;
const silent = createLog('test', 'silent');

let log = createInMemoryEventLog();
let writer = createLedgerWriter(log);
let database: ReadDatabase;
let projector: Follower;
let rounds: number[];
let started: Reconcile[];

beforeEach(async () => {
  log = createInMemoryEventLog();
  writer = createLedgerWriter(log);
  database = await createReadDatabase(inject('postgresUrl'));
  projector = startProjector({ eventLog: log, databaseUrl: database.url, log: silent });
  rounds = [];
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map((each) => each.stop()));
  await projector.stop();
  await database.drop();
});

function reconcile(): Reconcile {
  const each = startReconcile({
    eventLog: log,
    databaseUrl: database.url,
    log: silent,
    everyMs: NEVER_MS,
    onRound: (_, accounts) => rounds.push(accounts),
  });
  started.push(each);
  return each;
}

async function live(accounts: number): Promise<void> {
  for (let place = 0; place < accounts; place += 1) {
    const book = writer.book(`u${String(place).padStart(4, '0')}`);
    recharge(book, 20);
    hold(book, 5, { terms: charged(5) });
  }
  await writer.flush();
  await database.announced((await log.readLastPosition()) ?? 0n);
}

const drift = () =>
  database.query(
    `select account_id, table_name, row_key, column_name, kind, log_value, row_value, revision::int, found_at
     from read.reconcile_drift order by account_id, place`,
  );

it('goes round all accounts, and a restart goes on where it was', async () => {
  await live(230);
  const first = reconcile();
  expect(await first.reconcileOnce()).toMatchObject({ driftedAccounts: 0, lastFullRoundAt: null });
  await first.stop();
  const second = reconcile();
  await second.reconcileOnce();
  const state = await second.reconcileOnce();
  expect(state).toMatchObject({ driftedAccounts: 0, lastFullRoundAt: expect.any(Date) });
  await second.reconcileOnce();
  expect(rounds).toEqual([100, 100, 30, 100]);
});

it('tells what differs, looks there first, and forgets it when it is mended', async () => {
  await live(210);
  await database.query(
    `update read.user_points set held = 6 where user_id = 'u0003';
     delete from read.point_transactions where user_id = 'u0005';
     delete from read.user_points where user_id = 'u0007'`,
  );
  const job = reconcile();
  expect(await job.reconcileOnce()).toMatchObject({ driftedAccounts: 3 });
  const found = await drift();
  expect(found).toMatchObject([
    { account_id: 'u0003', table_name: 'user_points', column_name: 'held', revision: 1 },
    { account_id: 'u0003', column_name: 'available', log_value: '15', row_value: '14' },
    { account_id: 'u0005', table_name: 'point_transactions', kind: 'missing' },
    { account_id: 'u0007', table_name: 'user_points', kind: 'missing', column_name: null },
  ]);
  // An account that lives on is compared at the position of its rows.
  recharge(writer.book('u0001'), 1);
  recharge(writer.book('u0005'), 1);
  await writer.flush();
  await database.announced((await log.readLastPosition()) ?? 0n);
  await database.query(`update read.user_points set held = 5 where user_id = 'u0003'`);
  expect(await job.reconcileOnce()).toMatchObject({ driftedAccounts: 2 });
  const again = await drift();
  expect(again).toMatchObject([{ account_id: 'u0005', revision: 2 }, { account_id: 'u0007' }]);
  expect(again[0]?.['found_at']).toEqual(found[2]?.['found_at']);
  expect(rounds).toEqual([100, 103]);

  const { signal } = new AbortController();
  await rebuild({ eventLog: log, databaseUrl: database.url, signal });
  expect(await drift()).toEqual([]);
  expect(await job.reconcileOnce()).toMatchObject({ driftedAccounts: 0, lastFullRoundAt: null });
});

it('is done by one process at a time, and the others know what it found', async () => {
  await live(3);
  await database.query(`update read.user_points set debt = 1 where user_id = 'u0001'`);
  const active = reconcile();
  await active.reconcileOnce();
  const session = await openSession({ url: database.url, applicationName: 'test' });
  expect(await tryLock(session.db, LOCKS.reconcile)).toBe(true);
  const other = reconcile();
  expect(await other.reconcileOnce()).toMatchObject({ driftedAccounts: 1 });
  await session.close();
  expect(rounds).toEqual([3, 0]);
});

it('never takes an account that lives on for one that differs', async () => {
  await live(30);
  const job = reconcile();
  let isLiving = true;
  const living = async () => {
    for (let step = 0; step < 60; step += 1) {
      for (let place = 0; place < 30; place += 1)
        recharge(writer.book(`u${String(place).padStart(4, '0')}`), 1);
      await writer.flush();
      await setImmediate();
    }
    isLiving = false;
  };
  const looking = async () => {
    const drifted: number[] = [];
    while (isLiving) drifted.push((await job.reconcileOnce()).driftedAccounts);
    return drifted;
  };
  const [, drifted] = await Promise.all([living(), looking()]);
  expect(drifted.filter((accounts) => accounts > 0)).toEqual([]);
  expect(drifted).not.toEqual([]);
});
