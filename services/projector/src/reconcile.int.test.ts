import { setImmediate } from 'node:timers/promises';
import { charged, hold, recharge } from '@points/domain/testing/book';
import { StoreUnavailableError } from '@points/event-store/event-log';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { LOCKS } from '@points/read-model/coordination';
import { openSession } from '@points/read-model/database';
import { createLog } from '@points/runtime/log';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { tryLock } from './checkpoint.ts';
import type { Follower } from './follower.ts';
import { rebuild } from './rebuild.ts';
import { startReconcile } from './reconcile.ts';
import type { Reconcile, ReconcileDeps } from './reconcile.ts';
import { nextAccounts } from './reconcile-tables.ts';
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
let failed: number[];
let started: Reconcile[];

beforeEach(async () => {
  log = createInMemoryEventLog();
  writer = createLedgerWriter(log);
  database = await createReadDatabase(inject('postgresUrl'));
  projector = startProjector({ eventLog: log, databaseUrl: database.url, log: silent });
  rounds = [];
  failed = [];
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map((each) => each.stop()));
  await projector.stop();
  await database.drop();
});

function reconcile(deps: Partial<ReconcileDeps> = {}): Reconcile {
  const each = startReconcile({
    eventLog: log,
    databaseUrl: database.url,
    log: silent,
    everyMs: NEVER_MS,
    onRound: (_, { accounts, failures }) => {
      rounds.push(accounts);
      failed.push(failures);
    },
    ...deps,
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

const skipped = () =>
  database.query('select account_id, reason, message from read.reconcile_skipped order by 1');

const cursor = () => database.query('select last_account_id from read.reconcile_progress');

/** The log, in which the streams of some accounts cannot be read. */
function logWithout(unreadable: ReadonlySet<string>): ReconcileDeps['eventLog'] {
  return {
    readStream: (stream, options) => {
      if (unreadable.has(stream.replace('account-', ''))) throw new Error(`${stream} is damaged`);
      return log.readStream(stream, options);
    },
    readLastPosition: () => log.readLastPosition(),
  };
}

it('goes on when an account fails, tells it, and looks there when its turn comes again', async () => {
  await live(110);
  await database.query(`update read.user_points set debt = 1 where user_id in ('u0001', 'u0002')`);
  const unreadable = new Set(['u0001']);
  const job = reconcile({ eventLog: logWithout(unreadable) });
  expect(await job.reconcileOnce()).toMatchObject({ driftedAccounts: 1, skippedAccounts: 1 });
  expect(await skipped()).toEqual([
    { account_id: 'u0001', reason: 'failed', message: 'account-u0001 is damaged' },
  ]);
  expect(await cursor()).toEqual([{ last_account_id: 'u0099' }]);
  await job.reconcileOnce();
  unreadable.clear();
  expect(await job.reconcileOnce()).toMatchObject({ driftedAccounts: 2, skippedAccounts: 0 });
  expect(rounds).toEqual([99, 11, 100]);
  expect(failed).toEqual([1, 0, 0]);
});

it('takes a failure of the database in one account for that account alone', async () => {
  await live(3);
  await database.query(
    `create function read.fail(id text) returns boolean language plpgsql as
       $$ begin if id = 'u0001' then raise 'canceling statement'; end if; return true; end $$;
     alter table read.point_transactions rename to point_transactions_kept;
     create view read.point_transactions as select * from read.point_transactions_kept
       where read.fail(user_id)`,
  );
  expect(await reconcile().reconcileOnce()).toMatchObject({ skippedAccounts: 1 });
  expect(await skipped()).toMatchObject([{ account_id: 'u0001', reason: 'failed' }]);
  expect(rounds).toEqual([2]);
});

it('stays where it is while the store is away, or when nothing at all can be compared', async () => {
  await live(20);
  const everybody = new Set(Array.from({ length: 20 }, (_, n) => `u${String(n).padStart(4, '0')}`));
  const damaged = logWithout(everybody);
  await expect(reconcile({ eventLog: damaged }).reconcileOnce()).rejects.toThrow(
    'u0009 is damaged',
  );
  const away: ReconcileDeps['eventLog'] = {
    ...logWithout(new Set(['u0003'])),
    readLastPosition: () => Promise.reject(new StoreUnavailableError('away')),
  };
  await expect(reconcile({ eventLog: away }).reconcileOnce()).rejects.toThrow('away');
  expect(await cursor()).toEqual([]);
  everybody.delete('u0000');
  await reconcile({ eventLog: damaged }).reconcileOnce();
  expect(await cursor()).toEqual([{ last_account_id: 'u0010' }]);
  expect(await skipped()).toHaveLength(10);
});

it('leaves out an account of too many events, and says how to compare it', async () => {
  await live(3);
  recharge(writer.book('u0001'), 1);
  await writer.flush();
  await database.announced((await log.readLastPosition()) ?? 0n);
  // What the rows say of the number of events counts for nothing.
  await database.query(`update read.user_points set ledger_version = 0 where user_id = 'u0001'`);
  const state = await reconcile({ accountEvents: 2 }).reconcileOnce();
  expect(state).toMatchObject({ driftedAccounts: 0, skippedAccounts: 1 });
  expect(await skipped()).toEqual([
    {
      account_id: 'u0001',
      reason: 'too_many_events',
      message: 'it has more than 2 events; npm run audit -- compare --account u0001 compares it',
    },
  ]);
  expect([rounds, failed]).toEqual([[2], [0]]);
});

it('counts the events of accounts that differ towards those of the round, and still comes further', async () => {
  await live(5);
  await database.query(`update read.user_points set debt = 1 where user_id < 'u0003'`);
  await reconcile().reconcileOnce();
  const session = await openSession({ url: database.url, applicationName: 'test' });
  const next = await nextAccounts(session.db, { accounts: 100, drifted: 50, events: 5 });
  await session.close();
  expect(next.accountIds).toEqual(['u0000', 'u0001']);
  expect(next).toMatchObject({ drifted: 2, lastAccountId: 'u0000' });
});
