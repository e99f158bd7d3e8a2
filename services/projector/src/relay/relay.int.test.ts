import { createLog } from '@points/runtime/log';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { rebuild } from '../rebuild.ts';
import { startProjector } from '../start.ts';
import { createReadDatabase } from '../testing/read-tables.ts';
import { eventually } from '../testing/world.ts';
import { createRelayWorld } from './testing/relay-world.ts';
import type { RelayWorld } from './testing/relay-world.ts';

/** Far more than a window, so that a kill comes in the middle. */
const BACKLOG_STEPS = 4_000;

let world: RelayWorld;

beforeEach(async () => {
  world = await createRelayWorld(inject('postgresUrl'));
});
afterEach(() => world.close());

describe('every event of every account, once and in order', () => {
  it('what was there at the start and what comes later', async () => {
    await world.store.live(500);
    const relay = world.start({ limits: { batchEvents: 300 } });
    await relay.firstReady;
    await world.expectAllPublished();
    await world.store.live(200);
    await world.expectAllPublished();
    const facts = await world.store.facts();
    await eventually(() => relay.status()).toMatchObject({
      state: 'live',
      ready: true,
      reason: null,
      waitingEvents: 0,
      appliedEvents: facts.length,
    });
    expect(relay.status().position).toBeGreaterThanOrEqual(BigInt(facts.at(-1)?.position ?? 0));
  });

  it('although nats-server is killed in the middle of a window', async () => {
    await world.store.live(BACKLOG_STEPS);
    const total = (await world.store.facts()).length;
    world.start();
    for (const part of [300, 1_500]) {
      await world.nats.reached(part);
      await world.nats.kill();
      await world.nats.start();
      expect(await world.nats.sequence()).toBeLessThan(total);
    }
    await world.expectAllPublished();
  });

  it('although the relay’s process is killed in the middle of a window', async () => {
    await world.store.live(BACKLOG_STEPS);
    const total = (await world.store.facts()).length;
    const killed = world.startProcess();
    await world.nats.reached(1_000);
    killed.kill('SIGKILL');
    expect(await killed.ended).toBe('SIGKILL');
    expect(await world.nats.sequence()).toBeLessThan(total);
    const last = world.startProcess();
    await world.expectAllPublished();
    await last.says('"msg":"ready"');
    last.kill('SIGTERM');
    expect(await last.ended).toBe(0);
  });

  it('although two relays are active at once while accounts are written', async () => {
    // Each database has a lock of its own.
    const other = await world.openDatabase();
    const relays = [
      world.start({ limits: { batchEvents: 50 } }),
      world.start({ limits: { batchEvents: 70 }, databaseUrl: other.url }),
    ];
    for (let round = 0; round < 8; round += 1) await world.store.live(150);
    await world.expectAllPublished();
    for (const relay of relays) expect(relay.status().appliedEvents).toBeGreaterThan(0);
    await relays[0]?.stop();
    await world.store.live(50);
    await world.expectAllPublished();
  });
});

describe('one relay at a time', () => {
  it('the second one of a database stands by and takes over', async () => {
    await world.store.live(50);
    const first = world.start();
    await first.firstReady;
    const second = world.start();
    await second.firstReady;
    expect(second.status()).toMatchObject({ state: 'standby', ready: true, appliedEvents: 0 });
    await first.stop();
    await world.store.live(50);
    await world.expectAllPublished();
    await eventually(() => second.status().state).toBe('live');
  });
});

describe('a stream that is empty because its facts were too old', () => {
  it('is continued where it was, also after nats-server was killed', async () => {
    await world.store.live(400);
    const first = world.start({ markEveryFacts: 100 });
    await world.expectAllPublished();
    const before = (await world.store.facts()).length;
    await first.stop();
    const [mark] = await world.database.query('select sequence::int from app.relay_marks');
    expect(mark?.['sequence']).toBeGreaterThan(before - 200);
    await world.nats.expireAll();
    await world.nats.kill();
    await world.nats.start();
    expect(await world.nats.sequence()).toBe(before);

    await world.store.live(50);
    const second = world.start();
    const all = await world.store.facts();
    await world.nats.reached(all.length);
    expect(await world.nats.facts()).toEqual(all.slice(before));
    await second.stop();

    // The same without the mark.
    await world.nats.expireAll();
    await world.database.query('delete from app.relay_marks');
    await world.store.live(50);
    world.start();
    const more = await world.store.facts();
    await world.nats.reached(more.length);
    expect(await world.nats.facts()).toEqual(more.slice(all.length));
  });
});

describe('another event store', () => {
  it('is refused, nothing of it is published, and the right one is continued', async () => {
    await world.store.live(100);
    const first = world.start();
    await world.expectAllPublished();
    await first.stop();
    const other = await world.openStore();
    await other.live(300);
    const wrong = world.start({ eventLog: other.eventLog });
    await eventually(() => wrong.status()).toMatchObject({
      state: 'waiting',
      ready: false,
      reason: expect.stringMatching(
        /^different or restored event store: it does not hold event \d+ of account-u\d+ at position \d+, which the last fact/,
      ),
    });
    await world.expectAllPublished();
    await wrong.stop();
    await world.store.live(20);
    world.start();
    await world.expectAllPublished();
  });
});

describe('relay and projector do not wait for each other', () => {
  it('NATS away: the tables go on, the relay says so and catches up', async () => {
    const database = await createReadDatabase(inject('postgresUrl'));
    const { eventLog } = world.store;
    const settings = { eventLog, databaseUrl: database.url, log: createLog('test', 'silent') };
    const projector = startProjector(settings);
    const relay = world.start({ databaseUrl: database.url });
    await relay.firstReady;
    await projector.firstReady;
    await world.nats.kill();
    await world.store.live(100);
    await database.announced(BigInt((await world.store.facts()).at(-1)?.position ?? 0));
    expect(projector.status()).toMatchObject({ state: 'live', ready: true });
    await eventually(() => relay.status()).toMatchObject({
      state: 'waiting',
      ready: false,
      reason: expect.stringContaining('NATS'),
    });
    await world.nats.start();
    await world.expectAllPublished();
    await eventually(() => relay.status()).toMatchObject({ ready: true, reason: null });
    await Promise.all([projector.stop(), relay.stop()]);
    await database.drop();
  });

  it('an event that the tables cannot show: the relay goes on', async () => {
    const { eventLog, writer } = world.store;
    const databaseUrl = world.database.url;
    const projector = startProjector({ eventLog, databaseUrl, log: createLog('test', 'silent') });
    world.start();
    await writer.raw('account-x', 'PointsTeleported', {});
    await world.store.live(20);
    await eventually(() => projector.status().reason).toMatch(/PointsTeleported/);
    await world.expectAllPublished();
    await projector.stop();
  });

  it('a rebuild of the tables publishes nothing again and loses nothing', async () => {
    const { eventLog } = world.store;
    const databaseUrl = world.database.url;
    const projector = startProjector({ eventLog, databaseUrl, log: createLog('test', 'silent') });
    world.start({ markEveryFacts: 50 });
    await world.store.live(200);
    await projector.firstReady;
    await world.expectAllPublished();
    await rebuild({ eventLog, databaseUrl, signal: new AbortController().signal });
    await world.store.live(50);
    await world.expectAllPublished();
    const marks = await world.database.query('select 1 from app.relay_marks');
    expect(marks).toHaveLength(1);
    await projector.stop();
  });
});

describe('NATS that does not let the relay in', () => {
  it('is named, and tried again', async () => {
    await world.store.live(5);
    const relay = world.start({ nats: { ...world.nats.access(), pass: 'wrong' } });
    await eventually(() => relay.status()).toMatchObject({
      state: 'waiting',
      ready: false,
      reason: expect.stringContaining('refuses user relay'),
    });
    await relay.stop();
    expect(relay.status().state).toBe('stopped');
  });
});
