import { recharge } from '@points/domain/testing/book';
import type { EventLog } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { openDatabase, openSession } from '@points/read-model/database';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { tryLock } from './checkpoint.ts';
import { rebuild } from './rebuild.ts';
import type { RebuildDeps, RebuildResult } from './rebuild.ts';
import { createWorld, eventually } from './testing/world.ts';
import type { World } from './testing/world.ts';

let world: World;

beforeEach(async () => {
  world = await createWorld(inject('postgresUrl'));
});
afterEach(() => world.close());

function run(options: Partial<RebuildDeps> = {}): Promise<RebuildResult> {
  return rebuild({
    eventLog: world.eventLog,
    databaseUrl: world.database.url,
    signal: new AbortController().signal,
    ...options,
  });
}

async function indexes(): Promise<unknown[]> {
  const rows = await world.database.query(
    `select indexdef from pg_indexes where schemaname = 'read' order by 1`,
  );
  return rows.map(({ indexdef }) => indexdef);
}

async function schemas(): Promise<unknown[]> {
  const rows = await world.database.query(
    `select nspname as name from pg_namespace where nspname like 'read%' order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Applies the whole log with a projector and stops it. */
async function projectAll(): Promise<void> {
  const projector = await world.start();
  await world.database.announced(await world.endOfLog());
  await projector.stop();
}

/** The log, with something that happens before each page but the first is read. */
function interrupted(before: () => Promise<void>): EventLog {
  let pages = 0;
  return {
    ...world.eventLog,
    async readAll(options) {
      pages += 1;
      if (pages > 1) await before();
      return world.eventLog.readAll({ ...options, maxCount: 50 });
    },
  };
}

describe('rebuild', () => {
  it('gives the identical tables, and leaves nothing else behind', async () => {
    await world.live(60);
    await projectAll();
    const before = await world.database.dump();
    const indexesBefore = await indexes();
    await world.database.query(
      `delete from read.point_transactions where id in (select id from read.point_transactions limit 3)`,
    );
    await world.database.query(`update read.user_points set held = held + 1`);
    const result = await run();
    expect(result).toEqual({
      events: (await world.events()).length,
      position: await world.endOfLog(),
    });
    expect(await world.database.dump()).toEqual(before);
    expect(await indexes()).toEqual(indexesBefore);
    expect(await schemas()).toEqual(['read']);
  });

  it('makes the first tables where there are none', async () => {
    await world.live(20);
    await run();
    await world.expectTablesAgree();
  });

  it('lets the old tables serve and the projector go on, and neither loses an event', async () => {
    await world.live(100);
    const projector = await world.start();
    await world.database.announced(await world.endOfLog());
    const readers = openDatabase({ url: world.database.url, applicationName: 'test', poolSize: 2 });
    const seen: bigint[] = [];
    const look = async () => {
      const row = await readers
        .selectFrom('projection_checkpoints')
        .select('position')
        .executeTakeFirstOrThrow();
      seen.push(row.position);
    };
    let pages = 0;
    const lively = interrupted(async () => {
      pages += 1;
      await world.live(1);
      await look();
      // Later pages may be read when the projector must wait.
      if (pages <= 3) await world.database.announced(await world.endOfLog());
    });
    await run({ eventLog: lively });
    await look();
    await world.live(5);
    await world.expectTablesAgree();
    await look();
    await readers.destroy();
    expect(seen.length).toBeGreaterThan(3);
    expect(seen).toEqual([...seen].sort((a, b) => Number(a - b)));
    await eventually(() => projector.status()).toMatchObject({ state: 'live', ready: true });
    expect(await world.database.dump()).toEqual(await world.undisturbedDump());
  });

  it('announces nothing before its tables are the ones that are read', async () => {
    await world.live(20);
    await expect(
      run({ eventLog: interrupted(() => Promise.reject(new Error('broken'))) }),
    ).rejects.toThrow('broken');
    expect(world.database.announcements).toEqual([]);
    await run();
    await world.database.announced(await world.endOfLog());
    expect(world.database.announcements).toEqual([String(await world.endOfLog())]);
  });

  it('leaves the old tables alone when it breaks off, and the next one starts clean', async () => {
    await world.live(40);
    await projectAll();
    const before = await world.database.dump();
    const broken = interrupted(() => Promise.reject(new Error('store is gone')));
    await expect(run({ eventLog: broken })).rejects.toThrow('store is gone');
    expect(await world.database.dump()).toEqual(before);
    expect(await schemas()).toEqual(['read', 'read_next']);
    await run();
    expect(await world.database.dump()).toEqual(before);
    expect(await schemas()).toEqual(['read']);
  });

  it('survives that its session is killed', async () => {
    await world.live(40);
    await projectAll();
    const before = await world.database.dump();
    const kill = async () => {
      await world.database.query(
        `select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'rebuild' and datname = current_database()`,
      );
    };
    await expect(run({ eventLog: interrupted(kill) })).rejects.toThrow(
      /terminat|connection error|ECONNRESET/,
    );
    expect(await world.database.dump()).toEqual(before);
    await run();
    expect(await world.database.dump()).toEqual(before);
  });

  it('ends when it is told to', async () => {
    await world.live(20);
    const abort = new AbortController();
    const stopping = interrupted(() => {
      abort.abort(new Error('interrupted'));
      return Promise.resolve();
    });
    await expect(run({ eventLog: stopping, signal: abort.signal })).rejects.toThrow('interrupted');
    expect(await schemas()).toEqual(['read_next']);
  });

  it('stops at an event that cannot be applied', async () => {
    recharge(world.writer.book('a'), 1);
    await world.writer.flush();
    await projectAll();
    const before = await world.database.dump();
    await world.writer.raw('account-a', 'PointsTeleported', {});
    await expect(run()).rejects.toThrow(/cannot apply event 1 of account-a \(PointsTeleported/);
    expect(await world.database.dump()).toEqual(before);
  });

  it('is refused while another one runs, and for an empty event store', async () => {
    await expect(run()).rejects.toThrow('the event store is empty');
    const other = await openSession({ url: world.database.url, applicationName: 'test' });
    expect(await tryLock(other.db, LOCKS.rebuild)).toBe(true);
    await expect(run()).rejects.toThrow('another rebuild is running');
    await other.close();
  });

  it('takes a different event store into use, and the projector goes on with it', async () => {
    recharge(world.writer.book('a'), 1);
    await world.writer.flush();
    await projectAll();
    world.replaceEventLog();
    await world.live(3);
    const projector = await world.start();
    await eventually(() => projector.status().reason ?? '').toMatch('different or restored');
    await run();
    // More than the first log had: what is waited for was not announced before.
    await world.live(20);
    await world.expectTablesAgree();
  });

  it('keeps what other roles may do', async () => {
    await world.live(3);
    await projectAll();
    const role = `reader_${crypto.randomUUID().slice(0, 8)}`;
    const { query } = world.database;
    await query(`create role "${role}"`);
    await query(`grant usage on schema read to "${role}"`);
    await query(`grant select, update on read.user_points to "${role}"`);
    await query(`grant select on read.point_holds to public`);
    await run();
    const [rights] = await query(
      `select has_schema_privilege($1, 'read', 'usage') as schema,
              has_table_privilege($1, 'read.user_points', 'select') as read,
              has_table_privilege($1, 'read.user_points', 'update') as write,
              has_table_privilege($1, 'read.user_points', 'delete') as remove,
              has_table_privilege($1, 'read.point_holds', 'select') as everybody,
              has_table_privilege($1, 'read.point_batches', 'select') as other`,
      [role],
    );
    expect(rights).toEqual({
      schema: true,
      read: true,
      write: true,
      remove: false,
      everybody: true,
      other: false,
    });
    await query(`drop owned by "${role}"`);
    await query(`drop role "${role}"`);
  });
});
