import { v7 } from 'uuid';
import { afterEach, describe, expect, it } from 'vitest';
import { type World, startWorld } from './testing/ledger-under-test.ts';

let world: World;

afterEach(() => world.stop());

const account_id = 'u1';

async function funded(points: number): Promise<void> {
  await world.ok('admin', 'cmd.recharge', {
    account_id,
    source: 'admin',
    source_ref: 'start',
    points,
  });
}

describe('the ledger', () => {
  it('stops although PostgreSQL never answers its sweeper, and takes no request meanwhile', async () => {
    world = await startWorld();
    let asked = (): void => {};
    const sweeping = new Promise<void>((resolve) => (asked = resolve));
    const openSession = (): Promise<never> => {
      asked();
      return new Promise(() => {});
    };
    const ledger = await world.startLedger({ sweepEveryMs: 100 }, { openSession });
    await sweeping;
    const stopping = ledger.stop();
    await expect
      .poll(() =>
        world.ask('admin', 'qry.balance', { account_id }).catch((error: unknown) => error),
      )
      .toMatchObject({ code: 'no_responders' });
    await stopping;
  });

  it('recovers from the event store alone', async () => {
    world = await startWorld();
    const first = await world.startLedger();
    await funded(100);
    const held = await world.ok('ai-demo', 'cmd.hold', { account_id, amount: 40 });
    await first.stop();
    await world.startLedger();
    expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
      result: { balance: 100, held: 40, available: 60, revision: 1 },
    });
    expect(
      await world.ok('ai-demo', 'cmd.confirm', { account_id, hold_id: held.result.hold_id }),
    ).toMatchObject({ result: { amount: 40 }, balance: { balance: 60 } });
  });

  it('answers outcome_unknown when the acknowledgement is lost, and the first answer afterwards', async () => {
    world = await startWorld();
    await world.startLedger();
    await funded(100);
    world.eventStore.faults.append({ kind: 'ack_lost', then: 'silence' }, { stream: 'account-u1' });
    const hold = { account_id, command_id: v7(), hold_id: v7(), amount: 40 };
    expect(await world.ask('ai-demo', 'cmd.hold', hold)).toMatchObject({
      ok: false,
      error: { code: 'outcome_unknown', applied: 'unknown', retryable: true },
    });
    await expect
      .poll(async () => (await world.ask('ai-demo', 'cmd.hold', hold)).ok, { timeout: 30_000 })
      .toBe(true);
    expect(await world.ok('ai-demo', 'cmd.hold', hold)).toMatchObject({
      duplicate: true,
      balance: { held: 40 },
    });
    expect(await world.events(account_id)).toHaveLength(2);
  });

  it('refuses while the event store is down, says so, and resumes without a restart', async () => {
    world = await startWorld();
    const ledger = await world.startLedger();
    await funded(100);
    await world.eventStore.stop();
    const refused = await world.ask('ai-demo', 'cmd.hold', { account_id, amount: 1 });
    expect(refused).toMatchObject({ ok: false, error: { retryable: true } });
    expect(['store_unavailable', 'outcome_unknown']).toContain(
      refused.ok ? '' : refused.error.code,
    );
    await expect.poll(() => ledger.ready().ok, { timeout: 20_000 }).toBe(false);
    expect(ledger.ready().reason).toContain('event store');
    await world.eventStore.start();
    await expect.poll(() => ledger.ready(), { timeout: 30_000 }).toEqual({ ok: true });
    expect(await world.ok('ai-demo', 'cmd.hold', { account_id, amount: 1 })).toMatchObject({
      balance: { held: 1 },
    });
    expect(world.fatal).toEqual([]);
  });
});
