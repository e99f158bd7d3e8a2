import { consume } from '@points/runtime/jetstream-consume';
import { createLog } from '@points/runtime/log';
import { v7 } from 'uuid';
import { afterEach, describe, expect, it } from 'vitest';
import { provisionStreams } from '../../../infra/nats/provision.ts';
import { CONSUMERS } from '../../../infra/nats/streams.ts';
import { type CuttingProxy, startCuttingProxy } from './testing/cutting-proxy.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type StoredCommands, storedCommands } from './testing/stored-commands.ts';

const ACK_WAIT_MS = 1_000;
const account_id = 'u1';
const DAY_MS = 86_400_000;
let world: World;
let stored: StoredCommands;
let proxy: CuttingProxy | null = null;

afterEach(async () => {
  await world.stop();
  await proxy?.close();
  proxy = null;
});

async function start(changes: { ackWaitMs?: number; maxDeliver?: number } = {}): Promise<void> {
  const consumers = CONSUMERS.map((consumer) =>
    consumer.stream === 'LEDGER_CMD' ? { ...consumer, ...changes } : consumer,
  );
  world = await startWorld({ consumers });
  stored = storedCommands(world);
}

async function funded(points: number): Promise<void> {
  await world.ok('admin', 'cmd.recharge', {
    account_id,
    source: 'admin',
    source_ref: 'start',
    points,
  });
}

async function held(amount: number): Promise<string> {
  return (await world.ok('ai-demo', 'cmd.hold', { account_id, amount })).result.hold_id;
}

async function confirmed(): Promise<number> {
  return (await world.events(account_id)).filter(({ type }) => type === 'HoldConfirmed').length;
}

/** A clock that a test can set forward. */
function movableClock() {
  const clock = { aheadMs: 0, now: () => Date.now() + clock.aheadMs };
  return clock;
}

describe('stored settlements', () => {
  it('wait while no ledger runs', async () => {
    await start();
    const first = await world.startLedger();
    await funded(100);
    const hold_id = await held(40);
    await first.stop();
    const id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    expect(await stored.waiting()).toBe(1);
    await world.startLedger();
    expect(await stored.resultOf('ai-demo', id)).toMatchObject({
      ok: true,
      result: { amount: 40 },
    });
  });

  it('have their result stored before they are acknowledged, and are charged once when the ledger dies in between', async () => {
    await start({ ackWaitMs: ACK_WAIT_MS });
    proxy = await startCuttingProxy(world.natsServer.port);
    await world.startLedger({}, { natsUrl: `nats://127.0.0.1:${proxy.port}` });
    await funded(100);
    const hold_id = await held(40);
    proxy.cutAt('$JS.ACK.LEDGER_CMD');
    const id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    await expect.poll(proxy.cuts, { timeout: 10_000 }).toBe(1);
    const first = await stored.result('ai-demo', id);
    expect(first).toMatchObject({ ok: true, duplicate: false, result: { amount: 40 } });
    expect(await stored.waiting()).toBe(1);
    await world.startLedger();
    await expect.poll(stored.waiting, { timeout: 20_000 }).toBe(0);
    expect(await stored.deliveries()).toBe(2);
    expect(await confirmed()).toBe(1);
    // The result of the second delivery is `duplicate`; NATS has the first under the same id.
    expect(await stored.result('ai-demo', id)).toEqual(first);
    expect(await stored.results()).toBe(1);
  });

  it('are decided again when the ledger dies before their result is stored', async () => {
    await start({ ackWaitMs: ACK_WAIT_MS });
    proxy = await startCuttingProxy(world.natsServer.port);
    await world.startLedger({}, { natsUrl: `nats://127.0.0.1:${proxy.port}` });
    await funded(100);
    const hold_id = await held(40);
    proxy.cutAt('ledger.v1.res.');
    const id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    await expect.poll(proxy.cuts, { timeout: 10_000 }).toBe(1);
    expect(await stored.result('ai-demo', id)).toBeNull();
    await world.startLedger();
    expect(await stored.resultOf('ai-demo', id)).toMatchObject({
      ok: true,
      duplicate: true,
      result: { amount: 40 },
    });
    expect(await confirmed()).toBe(1);
    await expect.poll(stored.waiting).toBe(0);
  });

  it('cost no delivery while the event store is down, and are all decided when it is back', async () => {
    await start();
    const ledger = await world.startLedger();
    await funded(100);
    const holds = await Promise.all(Array.from({ length: 20 }, () => held(2)));
    await world.eventStore.stop();
    const inTheGap = await stored.put('ai-demo', 'confirm', { account_id, hold_id: holds[0] });
    await expect.poll(() => ledger.ready().reason, { timeout: 20_000 }).toContain('event store');
    const ids = await Promise.all(
      holds.slice(1).map((hold_id) => stored.put('ai-demo', 'confirm', { account_id, hold_id })),
    );
    await world.eventStore.start();
    for (const id of [inTheGap, ...ids])
      expect(await stored.resultOf('ai-demo', id)).toMatchObject({ ok: true });
    expect(await stored.deliveries()).toBe(20);
    expect(await confirmed()).toBe(20);
    await expect.poll(stored.waiting).toBe(0);
  });

  it('of an unknown hold are answered when the hold has had its time to come', async () => {
    await start();
    const clock = movableClock();
    await world.startLedger({}, { clock });
    await funded(100);
    const id = await stored.put('ai-demo', 'confirm', { account_id, hold_id: v7() });
    await expect.poll(stored.deliveries).toBeGreaterThan(0);
    expect(await stored.result('ai-demo', id)).toBeNull();
    clock.aheadMs = 30_000;
    expect(await stored.resultOf('ai-demo', id)).toMatchObject({
      ok: false,
      error: { code: 'hold_not_found' },
    });
    await expect.poll(stored.waiting).toBe(0);
  });

  it('are as old as when they were stored, not as when they are decided', async () => {
    await start();
    const first = await world.startLedger();
    await funded(100);
    const hold_id = await held(40);
    await first.stop();
    const command_id = v7();
    await stored.put('ai-demo', 'confirm', { command_id, account_id, hold_id });
    const clock = movableClock();
    clock.aheadMs = 7.5 * DAY_MS;
    await world.startLedger({}, { clock, readiness: expect.anything() });
    expect(await stored.resultOf('ai-demo', command_id)).toMatchObject({
      ok: true,
      result: { amount: 40 },
    });
    expect(
      await world.ask('ai-demo', 'cmd.confirm', {
        command_id: v7({ msecs: Date.now() - 1 }),
        account_id,
        hold_id,
      }),
    ).toMatchObject({ ok: false, error: { code: 'command_too_old' } });
  });

  it('that no ledger survives go among the dead letters, and hold the watermark back no longer', async () => {
    await start({ ackWaitMs: 300, maxDeliver: 3 });
    const first = await world.startLedger();
    await funded(100);
    const hold_id = await held(40);
    await first.stop();
    const beforeMs = Date.now();
    const id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    // Takes the message and says nothing more of it, as a process that dies.
    let taken = 0;
    const dying = consume(await world.connection('ledger'), {
      stream: 'LEDGER_CMD',
      consumer: 'ledger-cmd',
      maxInHand: 64,
      mayPull: () => true,
      handler: async () => {
        taken += 1;
      },
      log: createLog('test', 'silent'),
    });
    await expect.poll(() => taken, { timeout: 10_000 }).toBe(3);
    await expect.poll(async () => (await advisories()).messages, { timeout: 10_000 }).toBe(1);
    await dying.stop();
    expect(await stored.waiting()).toBe(1);
    const ledger = await world.startLedger();
    await expect.poll(stored.waiting, { timeout: 10_000 }).toBe(0);
    const [letter, ...more] = await stored.deadLetters();
    expect(more).toEqual([]);
    expect(letter?.header('Ledger-Dead-Reason')).toBe('delivered 3 times without an end');
    expect(letter?.header('Ledger-Dead-Subject')).toBe('ledger.v1.q.ai-demo.confirm');
    expect(JSON.parse(Buffer.from(letter?.data ?? []).toString())).toMatchObject({
      command_id: id,
      hold_id,
    });
    await expect.poll(() => ledger.watermarkMs() ?? 0).toBeGreaterThan(beforeMs + 300);
    await expect.poll(async () => (await advisories()).messages).toBe(0);
  });
});

async function advisories(): Promise<{ messages: number }> {
  const provision = await world.connection('provision');
  const { data } = await provision.request('$JS.API.STREAM.INFO.LEDGER_DLQ_ADV', new Uint8Array(), {
    timeoutMs: 5_000,
  });
  const info: { state: { messages: number } } = JSON.parse(Buffer.from(data).toString());
  return info.state;
}

describe('the watermark', () => {
  it('is now while nothing waits, and the time of the oldest that waits', async () => {
    await start();
    const first = await world.startLedger();
    const askedMs = Date.now();
    await expect.poll(() => first.watermarkMs() ?? 0).toBeGreaterThan(askedMs);
    await first.stop();
    const beforeMs = Date.now();
    await stored.put('ai-demo', 'confirm', { account_id, hold_id: v7() });
    const afterMs = Date.now();
    await stored.put('ai-demo', 'confirm', { account_id, hold_id: v7() });
    const ledger = await world.startLedger();
    expect(await stored.waiting()).toBe(2);
    const watermarkMs = ledger.watermarkMs() ?? 0;
    expect(watermarkMs).toBeGreaterThanOrEqual(beforeMs);
    expect(watermarkMs).toBeLessThanOrEqual(afterMs);
  });

  it('is unknown while NATS is away and until callers have had time to come back', async () => {
    await start();
    proxy = await startCuttingProxy(world.natsServer.port);
    const clock = movableClock();
    const ledger = await world.startLedger(
      { holdExpiryQuietMs: 4_000 },
      { clock, natsUrl: `nats://127.0.0.1:${proxy.port}` },
    );
    expect(ledger.watermarkMs()).toBeNull();
    clock.aheadMs = 4_500;
    await expect.poll(() => ledger.watermarkMs()).not.toBeNull();
    proxy.cutAt('$JS.API.STREAM.INFO');
    await expect.poll(() => ledger.watermarkMs()).toBeNull();
    await expect.poll(() => ledger.ready().reason).toBe('NATS: not connected');
    proxy.letThrough();
    await expect.poll(() => ledger.ready(), { timeout: 10_000 }).toEqual({ ok: true });
    expect(ledger.watermarkMs()).toBeNull();
    clock.aheadMs = 9_000;
    await expect.poll(() => ledger.watermarkMs(), { timeout: 10_000 }).not.toBeNull();
  });

  it('is unknown without the streams, and the ledger works all the same', async () => {
    world = await startWorld({ consumers: null });
    const ledger = await world.startLedger(
      {},
      {
        readiness: {
          ok: false,
          reason: 'NATS: there is no stream LEDGER_CMD with a consumer ledger-cmd',
        },
      },
    );
    await funded(100);
    expect(await held(40)).toBeTypeOf('string');
    expect(ledger.watermarkMs()).toBeNull();
    await provisionStreams(await world.connection('provision'));
    await expect.poll(() => ledger.ready(), { timeout: 10_000 }).toEqual({ ok: true });
    await expect.poll(() => ledger.watermarkMs()).not.toBeNull();
  });
});
