import { recharge } from '@points/domain/testing/book';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { startFrozenLink } from '@points/read-model/testing/frozen-link';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createWorld, eventually } from './testing/world.ts';
import type { World } from './testing/world.ts';
import type { Follower } from './follower.ts';

const stateOf = (projector: Follower) => projector.status().state;
const reasonOf = (projector: Follower) => projector.status().reason ?? '';

let world: World;

beforeEach(async () => {
  world = await createWorld(inject('postgresUrl'));
});
afterEach(() => world.close());

describe('servers that go away', () => {
  it('event store: says so, and goes on when it is back', async () => {
    const projector = await world.start();
    await projector.firstReady;
    world.eventLog.faults.setDown(true);
    await eventually(() => projector.status()).toMatchObject({
      state: 'waiting',
      ready: false,
      reason: 'event log is down',
    });
    world.eventLog.faults.setDown(false);
    await world.live(5);
    await world.expectTablesAgree();
    await eventually(() => projector.status()).toMatchObject({ ready: true, reason: null });
  });

  it('database: says so, and goes on when it is back', async () => {
    const link = await startFrozenLink(world.database.url);
    const projector = await world.start({ databaseUrl: link.url });
    await projector.firstReady;
    await world.live(5);
    link.cut();
    await world.live(5);
    await eventually(() => projector.status().ready).toBe(false);
    link.thaw();
    await world.expectTablesAgree();
    await eventually(() => projector.status()).toMatchObject({ ready: true, reason: null });
    await projector.stop();
    await link.close();
  });

  it('neither is there at the start', async () => {
    const link = await startFrozenLink(world.database.url);
    link.cut();
    world.eventLog.faults.setDown(true);
    const projector = await world.start({ databaseUrl: link.url });
    await eventually(() => stateOf(projector)).toBe('waiting');
    link.thaw();
    await eventually(() => reasonOf(projector)).toBe('event log is down');
    world.eventLog.faults.setDown(false);
    await projector.firstReady;
    await projector.stop();
    await link.close();
  });

  it('stops although the database does not answer', async () => {
    const link = await startFrozenLink(world.database.url);
    const projector = await world.start({ databaseUrl: link.url });
    await projector.firstReady;
    link.freeze();
    await world.live(1);
    await projector.stop();
    expect(stateOf(projector)).toBe('stopped');
    await link.close();
  });
});

describe('never skips', () => {
  /** The log as it would be read if `change` were true of its events; null leaves one out. */
  function reread(change: (event: StoredEvent) => StoredEvent | null): EventLog {
    return {
      ...world.eventLog,
      async readAll(options) {
        const page = await world.eventLog.readAll(options);
        return { ...page, events: page.events.flatMap((event) => change(event) ?? []) };
      },
      async *subscribeAll(options) {
        for await (const item of world.eventLog.subscribeAll(options)) {
          const event = item.kind === 'event' ? change(item.event) : null;
          if (event !== null) yield { kind: 'event', event };
          else if (item.kind !== 'event') yield item;
        }
      },
    };
  }

  const eventsOfA = async () => {
    for (const points of [1, 2, 3, 4]) recharge(world.writer.book('a'), points);
    recharge(world.writer.book('b'), 5);
    await world.writer.flush();
    return (await world.events()).filter((event) => event.stream === 'account-a');
  };
  const balanceOfA = async () =>
    (
      await world.database.query(`select balance::int from read.user_points where user_id = 'a'`)
    )[0]?.['balance'];

  it('an event that is missing: stops before the gap, goes on when it is there', async () => {
    const [, , third] = await eventsOfA();
    let mended = false;
    const projector = await world.start({
      eventLog: reread((event) => (event.id === third?.id && !mended ? null : event)),
    });
    await eventually(() => reasonOf(projector)).toMatch(
      /cannot apply event 3 of account-a \(PointsRecharged, position \d+\): gap: .* is 1, not 2/,
    );
    expect(await balanceOfA()).toBe(3);
    // It tries again and again, so that a mended log or a newer version goes on by itself.
    await eventually(() => projector.status()).toMatchObject({ state: 'waiting', ready: false });
    expect(
      await world.database.query(`select 1 from read.user_points where user_id = 'b'`),
    ).toEqual([]);
    mended = true;
    await expectTablesAgreeFor('a', 'b');
  });

  it('an event that this version cannot read: stops before it, goes on when it can', async () => {
    const [, second] = await eventsOfA();
    let mended = false;
    const newer = (event: StoredEvent) =>
      event.id === second?.id && !mended
        ? { ...event, metadata: { ...event.metadata, schema: 'PointsRecharged.v9' } }
        : event;
    const projector = await world.start({ eventLog: reread(newer) });
    await eventually(() => reasonOf(projector)).toMatch(
      /cannot apply event 1 of account-a .*newer version.*PointsRecharged\.v9/,
    );
    expect(await balanceOfA()).toBe(1);
    mended = true;
    await expectTablesAgreeFor('a', 'b');
  });

  it('an unknown type of event', async () => {
    recharge(world.writer.book('a'), 1);
    await world.writer.flush();
    await world.writer.raw('account-a', 'PointsTeleported', {});
    const projector = await world.start();
    await eventually(() => reasonOf(projector)).toMatch(
      /cannot apply event 1 of account-a \(PointsTeleported/,
    );
    expect(await balanceOfA()).toBe(1);
  });

  it('an event that would break an identity of the tables', async () => {
    const [, second] = await eventsOfA();
    const wrong = (event: StoredEvent) =>
      event.id === second?.id
        ? {
            ...event,
            data: {
              ...event.data,
              batches: [{ batch_id: 'x', kind: 'paid', points: -2, expires_at: null }],
            },
          }
        : event;
    const projector = await world.start({ eventLog: reread(wrong) });
    await eventually(() => reasonOf(projector)).toMatch(
      /cannot apply event 1 of account-a .*violates check constraint "point_batches_points_add_up"/,
    );
    expect(await balanceOfA()).toBe(1);
  });

  async function expectTablesAgreeFor(...ids: string[]): Promise<void> {
    await world.database.announced(await world.endOfLog());
    for (const id of ids) {
      expect(
        await world.database.query('select balance::int from read.user_points where user_id = $1', [
          id,
        ]),
      ).toEqual([{ balance: world.writer.book(id).account.balance }]);
    }
  }
});

describe('another event store', () => {
  const refused = /different or restored event store: it does not hold event \d+ of account-/;

  it('is refused when it ends before the checkpoint', async () => {
    await world.live(10);
    const first = await world.start();
    await world.database.announced(await world.endOfLog());
    await first.stop();
    const before = await world.database.dump();
    world.replaceEventLog();
    await world.live(1);
    const second = await world.start();
    await eventually(() => reasonOf(second)).toMatch(refused);
    expect(second.status().ready).toBe(false);
    expect(await world.database.dump()).toEqual(before);
  });

  it('is refused when it is longer but not the same', async () => {
    await world.live(5);
    const first = await world.start();
    await world.database.announced(await world.endOfLog());
    await first.stop();
    world.replaceEventLog();
    await world.live(30);
    const second = await world.start();
    await eventually(() => reasonOf(second)).toMatch(refused);
  });
});

describe('a copy of the event store that ends after the last applied event', () => {
  it('is taken, and what comes at positions that were looked at before is not missed', async () => {
    await world.live(5);
    const applied = await world.events();
    for (let n = 0; n < 9; n += 1) await world.writer.raw('other-1', 'Something', {});
    const first = await world.start();
    const page = await world.eventLog.readAll({
      afterPosition: null,
      streamPrefixes: ['other-'],
      maxCount: 999,
    });
    await world.database.announced(page.position ?? 0n);
    await first.stop();
    world.replaceEventLog();
    for (const { stream, revision, ...event } of applied) {
      await world.eventLog.append(stream, [event], revision === 0 ? 'no_stream' : revision - 1);
    }
    recharge(world.writer.book('z'), 5);
    await world.writer.flush();
    expect(await world.endOfLog()).toBeLessThan(page.position ?? 0n);
    await world.start();
    await eventually(() =>
      world.database.query(`select balance::int from read.user_points where user_id = 'z'`),
    ).toEqual([{ balance: 5 }]);
  });
});

describe('another database', () => {
  it('is refused when a newer version has used it, and taken when that is undone', async () => {
    const first = await world.start();
    await first.firstReady;
    await first.stop();
    await world.database.query(`insert into read.schema_migrations (name) values ('0099-newer')`);
    const second = await world.start();
    await eventually(() => reasonOf(second)).toMatch(/migration "0099-newer".*newer version/);
    await world.database.query(`delete from read.schema_migrations where name = '0099-newer'`);
    await second.firstReady;
  });
});
