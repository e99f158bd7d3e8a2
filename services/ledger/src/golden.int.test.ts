import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Ledger } from './start.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type ReadSide, startReadSide } from './testing/read-side.ts';
import { type SettableClock, settableClock } from './testing/settable-clock.ts';
import { type Story, beginStory } from './testing/story.ts';

/** The account rules' golden examples, asked over NATS: what is answered, and what is in the log. */
let clock: SettableClock;
let world: World;
let readSide: ReadSide;
let ledger: Ledger;
let stories = 0;

beforeAll(async () => {
  clock = settableClock(Date.UTC(2026, 0, 10));
  world = await startWorld({ clock });
  readSide = await startReadSide(world, inject('postgresUrl'));
  ledger = await world.startLedger(
    {},
    { openSession: readSide.openSession, recallTables: readSide.tables },
  );
});

afterAll(async () => {
  await world.stop();
  await readSide.stop();
});

function story(): Story {
  return beginStory(world, clock, `golden-${(stories += 1)}`);
}

/** Sweeps until the account has that event. */
async function sweepUntil(told: Story, type: string): Promise<void> {
  await expect
    .poll(
      async () => {
        await ledger.sweeper.sweepOnce();
        return told.types();
      },
      { timeout: 20_000 },
    )
    .toContain(type);
}

const numbers = (balance: number, held: number, available: number) => ({
  balance: { balance, held, available },
});

describe('golden examples', () => {
  it('1: pins and spends in order of expiry, never-expiring last', async () => {
    const told = story();
    await told.recharge('A', 10, 100);
    await told.recharge('B', 10, 50);
    await told.recharge('C', 10, null);
    const hold = await told.hold(15);
    expect(await told.parts('PointsHeld', 'allocations')).toBe('B10 A5');
    expect(await told.confirm(hold, 7)).toMatchObject({
      result: { amount: 7, held_amount: 15, released: 8, overage: 0 },
      ...numbers(23, 0, 23),
    });
    expect(await told.parts('HoldConfirmed', 'allocations')).toBe('B7');
    expect(await told.left()).toBe('B3 A10 C10');
  });

  it('2: at equal expiry bonus and reward before paid, the older first', async () => {
    const told = story();
    await told.recharge('P', 5, 50, { bonus_points: 2 });
    told.at(1);
    await told.reward('W', 5, 50);
    told.at(2);
    await told.recharge('Q', 5, 50);
    await told.hold(13);
    expect(await told.parts('PointsHeld', 'allocations')).toBe('P+2 W5 P5 Q1');
    expect(await told.balance()).toMatchObject({ available: 4, held: 13, balance: 17 });
  });

  it('3: over-confirm takes the own pins first, then free points in spend order', async () => {
    const told = story();
    await told.recharge('A', 4, 30);
    await told.recharge('B', 4, 40);
    await told.recharge('D', 4, null);
    const h1 = await told.hold(4);
    const h2 = await told.hold(3);
    await told.cancel(h1);
    expect(await told.confirm(h2, 9)).toMatchObject({
      result: { amount: 9, overage: 6, released: 0, waived: 0 },
      ...numbers(3, 0, 3),
    });
    expect(await told.parts('HoldConfirmed', 'allocations')).toBe('B3 A4 B1 D1');
  });

  it('4 and 5: what nothing covers becomes debt, the next recharge repays it; refunds undo it', async () => {
    const told = story();
    await told.recharge('A', 10, null);
    const hold = await told.hold(6);
    expect(await told.confirm(hold, 13)).toMatchObject({
      result: { amount: 13, overage: 7 },
      ...numbers(-3, 0, -3),
    });
    expect(await told.last('HoldConfirmed')).toMatchObject({ debt_added: 3, debt_after: 3 });
    expect(await told.recharge('B', 5, null)).toMatchObject({
      result: { debt_repaid: 3 },
      ...numbers(2, 0, 2),
    });
    expect(await told.refund(hold, 8)).toMatchObject({
      result: { points: 8, refunded_total: 8 },
      ...numbers(10, 0, 10),
    });
    expect(await told.parts('PointsRefunded', 'returns')).toBe('B3 A5');
    expect(
      await world.ask('admin', 'cmd.refund', {
        account_id: told.account_id,
        hold_id: hold,
        points: 6,
        reason: 'x',
      }),
    ).toMatchObject({ error: { code: 'refund_exceeds_charge', details: { refundable: 5 } } });
    expect(await told.refund(hold, 5)).toMatchObject(numbers(15, 0, 15));
    expect(await told.left()).toBe('A10 B5');
  });

  it('6: debt beside an open hold; free work still runs; release repays', async () => {
    const told = story();
    await told.recharge('A', 10, null);
    const h1 = await told.hold(5);
    const h2 = await told.hold(5);
    await told.confirm(h1, 8);
    expect(await told.balance()).toMatchObject({ balance: 2, held: 5, available: -3, debt: 3 });
    const { account_id } = told;
    expect(await world.ask('ai-demo', 'cmd.hold', { account_id, amount: 1 })).toMatchObject({
      error: { code: 'insufficient_points', details: { shortfall: 4, available: -3 } },
    });
    await world.ok('ai-demo', 'cmd.hold', { account_id, source_type: 'caption' });
    expect(await told.confirm(h2, 1)).toMatchObject({
      result: { amount: 1, released: 4 },
      ...numbers(1, 0, 1),
    });
    expect(await told.parts('HoldConfirmed', 'debt_repaid')).toBe('A3');
  });

  it('7: cap charges what is there and waives the rest', async () => {
    const told = story();
    await told.recharge('A', 10, null);
    const h1 = await told.hold(5);
    const h2 = await told.hold(5, { overage: 'cap' });
    await told.confirm(h1, 8);
    expect(await told.confirm(h2, 9)).toMatchObject({
      result: { amount: 5, waived: 4, overage: 0 },
      ...numbers(-3, 0, -3),
    });
  });

  it('8: the debt floor bounds the debt', async () => {
    const file = await readFile(world.configFile, 'utf8');
    await writeFile(world.configFile, file.replace('floor: null', 'floor: 2'));
    await world.ok('admin', 'cmd.reload_config', {});
    const told = story();
    await told.recharge('A', 10, null);
    const hold = await told.hold(6);
    await writeFile(world.configFile, file);
    await world.ok('admin', 'cmd.reload_config', {});
    expect(await told.confirm(hold, 15)).toMatchObject({
      result: { amount: 12, overage: 6, waived: 3 },
      ...numbers(-2, 0, -2),
    });
    expect(await told.last('HoldConfirmed')).toMatchObject({ debt_added: 2 });
  });

  it('9: pinned points outlive their batch until they are released', async () => {
    const told = story();
    await told.recharge('A', 10, 50);
    const hold = await told.hold(6);
    told.at(50);
    await sweepUntil(told, 'BatchExpired');
    expect(await told.last('BatchExpired')).toMatchObject({
      points: 4,
      pinned_left: 6,
      balance_after: 6,
      available_after: 0,
    });
    told.at(55);
    expect(await told.confirm(hold, 4)).toMatchObject({
      result: { amount: 4, released: 2 },
      ...numbers(0, 0, 0),
    });
    expect(await told.last('BatchExpired')).toMatchObject({ points: 2 });
    expect((await told.types()).slice(-2)).toEqual(['HoldConfirmed', 'BatchExpired']);
  });

  it('10: points released from a due batch repay debt before they expire', async () => {
    const told = story();
    await told.recharge('A', 10, 50);
    const h1 = await told.hold(5);
    const h2 = await told.hold(5);
    await told.confirm(h1, 8);
    told.at(55);
    expect(await told.cancel(h2)).toMatchObject({ result: { released: 5 }, ...numbers(0, 0, 0) });
    expect(await told.parts('HoldCanceled', 'debt_repaid')).toBe('A3');
    expect(await told.last('BatchExpired')).toMatchObject({ points: 2, debt_after: 0 });
  });

  it('11: a refund into a batch that ran out comes back as grace', async () => {
    const told = story();
    await told.recharge('A', 5, 50);
    await told.recharge('B', 5, null);
    const charge = await told.consume(10);
    told.at(55);
    expect(await told.refund(charge, 7)).toMatchObject(numbers(7, 0, 7));
    expect(await told.parts('PointsRefunded', 'returns')).toBe('B5 grace2');
    told.at(57);
    expect(await told.refund(charge, 3)).toMatchObject({
      result: { refunded_total: 10 },
      ...numbers(10, 0, 10),
    });
    expect(await told.parts('PointsRefunded', 'returns')).toBe('grace3');
  });

  it('12: a reversal takes its own points first, and a refund repays its debt', async () => {
    const told = story();
    await told.recharge('A', 10, null);
    await told.recharge('B', 5, null);
    const charge = await told.consume(6);
    expect(await told.reverse('A')).toMatchObject({
      result: { points: 10, expired_not_owed: 0, debt_added: 1 },
      ...numbers(-1, 0, -1),
    });
    expect(await told.parts('RechargeReversed', 'allocations')).toBe('A4 B5');
    expect(await told.refund(charge, 6)).toMatchObject({
      result: { debt_repaid: 1 },
      ...numbers(5, 0, 5),
    });
    expect(await told.parts('PointsRefunded', 'returns')).toBe('A6');
  });

  it('13: what has expired of a recharge is not owed', async () => {
    const told = story();
    await told.recharge('A', 10, 50);
    await told.consume(3);
    told.at(60);
    expect(await told.reverse('A')).toMatchObject({
      result: { points: 3, expired_not_owed: 7, debt_added: 3 },
      ...numbers(-3, 0, -3),
    });
    expect((await told.types()).slice(-2)).toEqual(['BatchExpired', 'RechargeReversed']);
  });

  it('14: adjustments down stop at what is there unless forced; up repays', async () => {
    const told = story();
    await told.recharge('A', 5, 50);
    await told.recharge('B', 5, null);
    expect(await told.adjust('', -7)).toMatchObject({
      result: { delta: -7, batch: null, debt_added: 0 },
      ...numbers(3, 0, 3),
    });
    expect(await told.parts('PointsAdjusted', 'allocations')).toBe('A5 B2');
    const refused = { account_id: told.account_id, delta: -7, reason: 'x', operator: 'ann' };
    expect(await world.ask('admin', 'cmd.adjust', refused)).toMatchObject({
      error: { code: 'insufficient_points', details: { required: 7, available: 3 } },
    });
    expect(await told.adjust('', -7, true)).toMatchObject({
      result: { debt_added: 4 },
      ...numbers(-4, 0, -4),
    });
    expect(await told.parts('PointsAdjusted', 'allocations')).toBe('B3');
    expect(await told.adjust('C', 10)).toMatchObject({
      result: { debt_repaid: 4, batch: { points: 10, expires_at: null } },
      ...numbers(6, 0, 6),
    });
    expect(await told.left()).toBe('C6');
  });
});
