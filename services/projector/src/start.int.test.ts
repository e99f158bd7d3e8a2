import { consume, recharge } from '@points/domain/testing/book';
import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { openSession } from '@points/read-model/database';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { tryLock } from './checkpoint.ts';
import { createWorld, eventually } from './testing/world.ts';
import type { World } from './testing/world.ts';
import type { Follower } from './follower.ts';

const stateOf = (projector: Follower) => projector.status().state;

let world: World;

beforeEach(async () => {
  world = await createWorld(inject('postgresUrl'));
});
afterEach(() => world.close());

describe('the tables', () => {
  it('agree with the fold of the log: what was there at the start and what came later', async () => {
    await world.live(40);
    const projector = await world.start({ limits: { batchEvents: 7 } });
    await projector.firstReady;
    await world.live(40);
    await world.expectTablesAgree();
    expect(projector.status()).toMatchObject({ state: 'live', ready: true, reason: null });
    expect(projector.status().position).toBe(await world.endOfLog());
    expect(projector.status().appliedEvents).toBe((await world.events()).length);
  });

  it('are the same however the events fall into batches', async () => {
    await world.live(60);
    const one = await world.undisturbedDump();
    const projector = await world.start({ limits: { batchEvents: 1 } });
    await projector.firstReady;
    await world.database.announced(await world.endOfLog());
    expect(await world.database.dump()).toEqual(one);
  });

  it('show the next expiry among the points that are left', async () => {
    const book = world.writer.book('a');
    const at = (days: number) => book.nowMs + days * 86_400_000;
    recharge(book, 5, { expiry: { kind: 'at', atMs: at(9) } });
    recharge(book, 5, { expiry: { kind: 'at', atMs: at(2) } });
    await world.writer.flush();
    await world.start();
    const nextExpiry = async () => {
      await world.database.announced(await world.endOfLog());
      const [row] = await world.database.query('select next_expires_at from read.user_points');
      return row?.['next_expires_at'];
    };
    expect(await nextExpiry()).toEqual(new Date(at(2)));
    consume(book, 5);
    await world.writer.flush();
    expect(await nextExpiry()).toEqual(new Date(at(9)));
    consume(book, 5);
    await world.writer.flush();
    expect(await nextExpiry()).toBeNull();
  });
});

describe('announcements', () => {
  it('come when the rows can be read, and rise', async () => {
    const projector = await world.start();
    await projector.firstReady;
    recharge(world.writer.book('a'), 5);
    await world.writer.flush();
    await world.database.announced(await world.endOfLog());
    expect(await world.database.query('select balance::int from read.user_points')).toEqual([
      { balance: 5 },
    ]);
    await world.live(5);
    await world.database.announced(await world.endOfLog());
    const positions = world.database.announcements.map(BigInt);
    expect(positions).toEqual([...new Set(positions)].sort((a, b) => Number(a - b)));
  });

  it('tell how far the log was looked through where nothing of ours is', async () => {
    const projector = await world.start();
    await projector.firstReady;
    for (let n = 0; n < 64; n += 1) await world.writer.raw('other-1', 'Something', {});
    const first = world.eventLog.readStream('other-1', { fromRevision: 0, maxCount: 1 });
    for await (const { position } of first) await world.database.announced(position);
    expect(projector.status()).toMatchObject({ appliedEvents: 0, state: 'live' });
    recharge(world.writer.book('a'), 5);
    await world.writer.flush();
    await world.database.announced(await world.endOfLog());
  });
});

describe('exactly once', () => {
  it('when the session is killed again and again in the middle of the work', async () => {
    await world.live(30);
    const projector = await world.start({ limits: { batchEvents: 3 } });
    for (let kill = 0; kill < 15; kill += 1) {
      await world.live(3);
      const before = world.database.announcements.length;
      await eventually(() => world.database.announcements.length).toBeGreaterThan(before);
      await world.database.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'projector' and datname = current_database()`,
      );
    }
    await world.live(20);
    await world.expectTablesAgree();
    expect(projector.status().appliedEvents).toBeLessThanOrEqual((await world.events()).length);
    expect(await world.database.dump()).toEqual(await world.undisturbedDump());
  });

  it('when one projector follows another', async () => {
    await world.live(30);
    const first = await world.start({ limits: { batchEvents: 5 } });
    await world.database.announced((await world.events())[10]?.position ?? 0n);
    await first.stop();
    expect(stateOf(first)).toBe('stopped');
    await world.live(10);
    await world.start({ limits: { batchEvents: 5 } });
    await world.expectTablesAgree();
    expect(await world.database.dump()).toEqual(await world.undisturbedDump());
  });

  it('when two run at once: one works, the other takes over', async () => {
    const first = await world.start();
    await first.firstReady;
    const second = await world.start();
    await second.firstReady;
    expect([stateOf(first), stateOf(second)]).toEqual(['live', 'standby']);
    await world.live(10);
    await world.expectTablesAgree();
    expect(second.status().appliedEvents).toBe(0);
    await first.stop();
    await world.live(10);
    await world.expectTablesAgree();
    expect(stateOf(second)).toBe('live');
    expect(await world.database.dump()).toEqual(await world.undisturbedDump());
  });

  it('when another version is active: it changes no table before it has the lock', async () => {
    const other = await openSession({ url: world.database.url, applicationName: 'other' });
    expect(await tryLock(other.db, LOCKS.active)).toBe(true);
    const projector = await world.start();
    await projector.firstReady;
    expect(stateOf(projector)).toBe('standby');
    const schemas = () => world.database.query(`select 1 from pg_namespace where nspname = 'read'`);
    expect(await schemas()).toEqual([]);
    await other.close();
    await world.live(3);
    await world.expectTablesAgree();
    expect(await schemas()).toHaveLength(1);
  });

  it('when the subscription is cut again and again', async () => {
    const projector = await world.start({ limits: { lingerMs: 1 } });
    await projector.firstReady;
    for (let cut = 0; cut < 10; cut += 1) {
      await world.live(1);
      world.eventLog.faults.cutSubscriptions();
    }
    await world.expectTablesAgree();
    expect(await world.database.dump()).toEqual(await world.undisturbedDump());
  });

  it('when the live feed delivers twice', async () => {
    const twice: EventLog = {
      ...world.eventLog,
      async *subscribeAll(options) {
        for await (const item of world.eventLog.subscribeAll(options)) {
          yield item;
          yield item;
        }
      },
    };
    const projector = await world.start({ eventLog: twice });
    await projector.firstReady;
    await world.live(5);
    await world.expectTablesAgree();
    expect(projector.status().appliedEvents).toBe((await world.events()).length);
  });

  it('when more comes than can be applied: it goes back to reading pages', async () => {
    const projector = await world.start({
      limits: { batchEvents: 2, waitingEvents: 4, lingerMs: 0 },
    });
    await projector.firstReady;
    await world.live(40);
    await world.expectTablesAgree();
    expect(stateOf(projector)).toMatch(/live|catching_up/);
  });
});
