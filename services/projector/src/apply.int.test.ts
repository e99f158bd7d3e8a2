import { prose } from '@points/contracts/text';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { consume, recharge } from '@points/domain/testing/book';
import type { StoredEvent } from '@points/event-store/event-log';
import { LOCKS } from '@points/read-model/coordination';
import { openSession } from '@points/read-model/database';
import type { Session } from '@points/read-model/database';
import { migrate } from '@points/read-model/migrate';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { applyBatch } from './apply.ts';
import { CheckpointMovedError, readCheckpoint } from './checkpoint.ts';
import { createWorld, eventually } from './testing/world.ts';
import type { World } from './testing/world.ts';

let world: World;
let session: Session;

beforeEach(async () => {
  world = await createWorld(inject('postgresUrl'));
  session = await openSession({ url: world.database.url, applicationName: 'test' });
  await migrate(session.db, 'read');
});
afterEach(async () => {
  await session.close();
  await world.close();
});

/** Everything in the log, as one batch. */
async function batchOfAll(): Promise<{ events: readonly StoredEvent[]; position: bigint }> {
  const { events, position } = await world.eventLog.readAll({
    afterPosition: null,
    streamPrefixes: LEDGER_STREAM_PREFIXES,
    maxCount: 100_000,
  });
  return { events, position: position ?? 0n };
}

describe('applyBatch', () => {
  it('writes rows and checkpoint in one transaction', async () => {
    await world.live(50);
    const { events, position } = await batchOfAll();
    const target = { db: session.db, announce: true };
    const checkpoint = await applyBatch(target, null, { events, position });
    expect(await readCheckpoint(session.db)).toEqual({
      position,
      event: {
        stream: checkpoint.event?.stream,
        revision: checkpoint.event?.revision,
        id: events.at(-1)?.id,
        position,
      },
    });
    const writers = await world.database.query(
      `select xmin::text from read.user_points union select xmin::text from read.point_batches
       union select xmin::text from read.point_transactions union select xmin::text from read.point_holds
       union select xmin::text from read.point_sources union select xmin::text from read.memberships
       union select xmin::text from read.point_tombstones
       union select xmin::text from read.point_commands union select xmin::text from read.projection_checkpoints`,
    );
    expect(writers.length).toBe(1);
    expect(Object.values(await world.database.dump()).flat().length).toBeGreaterThan(100);
  });

  it('writes price lists, in as many batches as they come', async () => {
    const { writer } = world;
    const any = { price_fen: 990, sort_order: 1, is_active: true, name: '月会员' };
    await writer.price({
      type: 'PriceListed',
      data: { ...any, kind: 'credits', price_id: 'c', points: 9, bonus: 0, validity_days: null },
    });
    await writer.price({
      type: 'PriceListed',
      data: {
        ...any,
        kind: 'membership',
        price_id: 'm',
        membership_type: 'monthly',
        duration_days: 30,
        original_price_fen: null,
        features: ['一', '二'],
      },
    });
    const retired = { kind: 'membership', price_id: 'm' } as const;
    await writer.price({ type: 'PriceRetired', data: retired });
    const { events } = await batchOfAll();
    const target = { db: session.db, announce: false };
    let checkpoint: Awaited<ReturnType<typeof readCheckpoint>> = null;
    for (const event of events) {
      const batch = { events: [event], position: event.position };
      checkpoint = await applyBatch(target, checkpoint, batch);
    }
    const packages = session.db.selectFrom('points_packages').selectAll();
    expect(await packages.execute()).toMatchObject([
      { price_id: 'c', id: events[0]?.position, points: 9, validity_days: null, retired_at: null },
    ]);
    const memberships = session.db.selectFrom('membership_prices').selectAll();
    expect(await memberships.execute()).toMatchObject([
      { price_id: 'm', features: ['一', '二'], is_active: false, retired_at: expect.any(Date) },
    ]);
  });

  it('refuses to go on from a checkpoint that is not there any more, and writes nothing', async () => {
    await world.live(5);
    const { events } = await batchOfAll();
    const target = { db: session.db, announce: true };
    const upTo = (count: number) => {
      const part = events.slice(0, count);
      return { events: part, position: part.at(-1)?.position ?? 0n };
    };
    const first = await applyBatch(target, null, upTo(3));
    await expect(applyBatch(target, null, upTo(4))).rejects.toThrow(CheckpointMovedError);
    const rest = { events: events.slice(3, 5), position: events[4]?.position ?? 0n };
    await applyBatch(target, first, rest);
    const before = await world.database.dump();
    await expect(applyBatch(target, first, rest)).rejects.toThrow(CheckpointMovedError);
    expect(await world.database.dump()).toEqual(before);
  });

  it('waits while a rebuild puts its tables in place', async () => {
    await world.live(1);
    const other = await openSession({ url: world.database.url, applicationName: 'rebuild' });
    const [system, purpose] = LOCKS.swap;
    await sql`select pg_advisory_lock(${system}, ${purpose})`.execute(other.db);
    const applying = applyBatch({ db: session.db, announce: true }, null, await batchOfAll());
    await eventually(() =>
      world.database
        .query(`select 1 as waits from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`),
    ).toEqual([{ waits: 1 }]);
    expect(await world.database.query('select 1 from read.projection_checkpoints')).toEqual([]);
    await other.close();
    await applying;
  });

  it('stores whatever text the contracts let in', async () => {
    const book = world.writer.book('a');
    recharge(book, 1_000_000);
    const texts = fc
      .sample(fc.string({ unit: 'binary', maxLength: 200 }), 1_000)
      .flatMap((text) => {
        const parsed = prose(500).safeParse(text);
        return parsed.success ? [parsed.data] : [];
      });
    expect(texts.length).toBeGreaterThan(300);
    for (const text of texts) {
      consume(book, 1, {
        request: {
          description: text,
          sourceType: text,
          bizType: text,
          bizId: text,
          model: text,
          metadata: { text },
        },
      });
    }
    const names = [...new Set(texts)].slice(0, 100);
    const byHand = (text: string) => ({ context: book.context(), reason: text, operator: text });
    for (const text of names) {
      book.run({
        ...{ kind: 'Recharge', context: book.context(), source: 'admin', sourceRef: text },
        ...{ points: 1, bonusPoints: 0, expiry: { kind: 'never' }, description: text },
        orderNo: text,
      });
      book.run({ kind: 'Adjust', ...byHand(text), delta: -1, forced: false });
      const order = { membershipType: text, durationDays: 1, orderNo: text };
      book.run({ kind: 'GrantMembership', context: book.context(), ...order });
    }
    await world.writer.flush();
    await applyBatch({ db: session.db, announce: true }, null, await batchOfAll());
    const rows = await session.db
      .selectFrom('point_transactions')
      .select(['description', 'source_type', 'source_id', 'biz_type'])
      .where('type', '=', 'consume')
      .orderBy('id')
      .execute();
    expect(rows).toEqual(
      texts.map((text) => ({
        description: text,
        source_type: text,
        source_id: text,
        biz_type: text,
      })),
    );
    const holds = await session.db
      .selectFrom('point_holds')
      .select('model')
      .orderBy('revision')
      .execute();
    expect(holds.map((hold) => hold.model)).toEqual(texts);
    const byName = (select: string) => world.database.query(`select ${select} order by revision`);
    expect(await byName('source_ref, order_no from read.point_sources where revision > 0')).toEqual(
      names.map((text) => ({ source_ref: text, order_no: text })),
    );
    expect(await byName('membership_type, order_no from read.memberships')).toEqual(
      names.map((text) => ({ membership_type: text, order_no: text })),
    );
    const corrections = await session.db
      .selectFrom('point_transactions')
      .select(['description', 'operator'])
      .where('type', '=', 'admin_adjust')
      .orderBy('id')
      .execute();
    expect(corrections).toEqual(names.map((text) => ({ description: text, operator: text })));
  });
});
