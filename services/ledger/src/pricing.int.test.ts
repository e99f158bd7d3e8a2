import { readFile, writeFile } from 'node:fs/promises';
import { DAY_MS, HOUR_MS } from '@points/domain/time';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type SettableClock, settableClock } from './testing/settable-clock.ts';

let clock: SettableClock;
let world: World;
let file: string;
let accounts = 0;
let account_id: string;

beforeAll(async () => {
  // Noon in Shanghai, so that a few hours stay within the day.
  clock = settableClock(Date.UTC(2026, 0, 10, 4));
  world = await startWorld({ clock });
  file = await readFile(world.configFile, 'utf8');
  await world.startLedger();
});

afterAll(() => world.stop());

beforeEach(async () => {
  account_id = `priced-${(accounts += 1)}`;
  await world.ok('admin', 'cmd.recharge', {
    account_id,
    source: 'admin',
    source_ref: 'start',
    points: 1_000,
  });
});

async function reload(change: (text: string) => string): Promise<void> {
  await writeFile(world.configFile, change(file));
  await world.ok('admin', 'cmd.reload_config', {});
}

function becomeMember(days = 30) {
  return world.ok('billing', 'cmd.grant_membership', {
    account_id,
    membership_type: 'monthly',
    duration_days: days,
    order_no: `order-${days}`,
  });
}

async function heldData(): Promise<Record<string, unknown>> {
  const event = (await world.events(account_id)).findLast(({ type }) => type === 'PointsHeld');
  if (event === undefined) throw new Error('nothing was held');
  return event.data;
}

describe('the pricing config', () => {
  it('a price that changes between hold and confirm does not change the hold', async () => {
    const { result } = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      source_type: 'tts',
      estimated_duration: 60,
    });
    await reload((text) => text.replace('points_per_second: 1,', 'points_per_second: 7.25,'));
    expect(
      await world.ok('ai-demo', 'cmd.confirm', {
        account_id,
        hold_id: result.hold_id,
        actual_duration: 12.3,
      }),
    ).toMatchObject({ result: { amount: 13 } });
    expect(
      await world.ok('ai-demo', 'cmd.consume', {
        account_id,
        source_type: 'tts',
        actual_duration: 12.3,
      }),
    ).toMatchObject({ result: { amount: 90 } });
    await reload((text) => text);
  });

  it('prices by quantity, per call and per second, and refuses the wrong unit', async () => {
    const cost = async (body: object) =>
      (await world.ok('ai-demo', 'qry.price', body)).result.amount;
    expect(await cost({ source_type: 'image', quantity: 3 })).toBe(30);
    expect(await cost({ source_type: 'script', quantity: 3 })).toBe(5);
    expect(await cost({ source_type: 'video', estimated_duration: 60.4 })).toBe(61);
    expect(await cost({ source_type: 'caption' })).toBe(0);
    expect(await cost({ source_type: 'script', amount: 77 })).toBe(77);
    const { result } = await world.ok('ai-demo', 'cmd.hold', { account_id, source_type: 'image' });
    expect(
      await world.ask('ai-demo', 'cmd.confirm', {
        account_id,
        hold_id: result.hold_id,
        actual_duration: 3,
      }),
    ).toMatchObject({ error: { code: 'invalid_argument', details: { field: 'actual_duration' } } });
  });

  it('describes holds, charges and refunds by its templates', async () => {
    const hold_id = world.newId();
    await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      hold_id,
      source_type: 'ai_writing',
      metadata: { tool_type: '周报' },
    });
    await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id, reason: 'failed' });
    const events = await world.events(account_id);
    expect(events.slice(-3).map(({ type, data }) => [type, data['description']])).toEqual([
      ['PointsHeld', 'AI写作 - 周报'],
      ['HoldConfirmed', 'AI写作 - 周报'],
      ['PointsRefunded', 'AI写作失败退款 - 周报'],
    ]);
    expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
      balance: { balance: 1_000, held: 0, available: 1_000 },
    });
  });

  it('a wrong file names line and key, and the prices stay', async () => {
    const wrong: [string, (text: string) => string, string][] = [
      ['unknown key', (text) => text.replace('timezone:', 'timezones:'), 'timezones'],
      [
        'no mode',
        (text) => text.replace('mode: fixed, points: 5,', 'points: 5,'),
        'operations.script',
      ],
      ['twice', (text) => text.replace('[caption,', '[caption, script,'), 'free_services'],
      ['no YAML', (text) => `${text}\n  - [`, 'file'],
    ];
    for (const [what, spoil, field] of wrong) {
      await writeFile(world.configFile, spoil(file));
      const reply = await world.ask('admin', 'cmd.reload_config', {});
      expect(reply, what).toMatchObject({ ok: false, error: { code: 'invalid_argument' } });
      if (reply.ok) continue;
      expect(reply.error.message, what).toMatch(/points-config\.yaml:\d+: /);
      expect(String(reply.error.details?.['field']), what).toContain(field);
    }
    await reload((text) => text);
    expect(await world.ok('ai-demo', 'qry.price', { source_type: 'script' })).toMatchObject({
      result: { amount: 5 },
    });
  });

  it('a reload is seen by every replica', async () => {
    const second = await world.startLedger();
    await reload((text) => text.replace('points: 5, description: 【脚本生成】', 'points: 6'));
    const prices = async () => {
      const replies = await Promise.all(
        Array.from({ length: 20 }, () =>
          world.ok('ai-demo', 'qry.price', { source_type: 'script' }),
        ),
      );
      return [...new Set(replies.map(({ result }) => result.amount))];
    };
    await expect.poll(prices, { timeout: 10_000 }).toEqual([6]);
    await second.stop();
    await reload((text) => text);
  });
});

describe('what is free', () => {
  it('keeps its list price, and can be had in debt', async () => {
    await world.ok('admin', 'cmd.adjust', {
      account_id,
      delta: -1_005,
      forced: true,
      reason: 'x',
      operator: 'ann',
    });
    await becomeMember();
    const free = await world.ok('ai-demo', 'cmd.consume', {
      account_id,
      source_type: 'image',
      quantity: 4,
    });
    expect(free).toMatchObject({
      result: { amount: 0, charge_mode: 'member_free' },
      balance: { balance: -5, available: -5 },
    });
    expect(await heldData()).toMatchObject({ amount: 0, list_price: 40, allocations: [] });
  });

  it('is free to members while they are members; a quote says so', async () => {
    const quote = async () =>
      (await world.ok('ai-demo', 'qry.quote', { account_id, source_type: 'ppt' })).result;
    expect(await quote()).toMatchObject({ required: 10 });
    await becomeMember(1);
    expect(await quote()).toMatchObject({ required: 0, sufficient: true });
    expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
      result: { membership: { membership_type: 'monthly' }, frozen: false },
    });
    // What is not free to members costs them the same.
    expect(
      await world.ok('ai-demo', 'cmd.consume', { account_id, source_type: 'script' }),
    ).toMatchObject({ result: { amount: 5, charge_mode: 'charged' } });
    clock.nowMs += DAY_MS;
    expect(await quote()).toMatchObject({ required: 10 });
    expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
      result: { membership: null },
    });
    clock.nowMs -= DAY_MS;
  });

  it('has a cap on fair use, by the day in Shanghai, and canceled uses do not count', async () => {
    await reload((text) => text.replace('per_day: null', 'per_day: 2'));
    await becomeMember();
    const use = () => world.ask('ai-demo', 'cmd.hold', { account_id, source_type: 'ppt' });
    const first = await use();
    expect(await use()).toMatchObject({ ok: true });
    expect(await use()).toMatchObject({
      error: { code: 'usage_cap_reached', status: 429, details: { per_day: 2 } },
    });
    const hold_id = first.ok && 'hold_id' in first.result ? first.result.hold_id : '';
    await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id });
    expect(await use()).toMatchObject({ ok: true });
    expect(await use()).toMatchObject({ error: { code: 'usage_cap_reached' } });
    clock.nowMs += 12 * HOUR_MS;
    expect(await use()).toMatchObject({ ok: true });
    await reload((text) => text);
  });
});

describe('price lists', () => {
  const credits = {
    kind: 'credits',
    price_id: 'c-1',
    name: '100',
    price_fen: 1_000,
    points: 100,
    bonus: 10,
  } as const;
  const monthly = {
    kind: 'membership',
    price_id: 'm-1',
    name: '月会员',
    price_fen: 990,
    membership_type: 'monthly',
    duration_days: 30,
    original_price_fen: 1_990,
  } as const;

  it('list, change and retire a price; repeats give the first answer', async () => {
    const body = { command_id: world.newId(), ...credits };
    const listed = await world.ok('admin', 'cmd.list_price', body);
    expect(listed.result).toEqual({
      price: { ...credits, validity_days: 365, sort_order: 0, is_active: true },
      retired: false,
    });
    expect(
      await world.ok('admin', 'cmd.change_price', {
        kind: 'credits',
        price_id: 'c-1',
        bonus: 20,
        validity_days: null,
      }),
    ).toMatchObject({ result: { price: { points: 100, bonus: 20, validity_days: null } } });
    expect(await world.ok('admin', 'cmd.list_price', body)).toEqual({ ...listed, duplicate: true });
    expect(
      await world.ok('admin', 'cmd.retire_price', { kind: 'credits', price_id: 'c-1' }),
    ).toMatchObject({ result: { price: { is_active: false }, retired: true } });
    for (const change of [{ bonus: 1 }, { is_active: true }])
      expect(
        await world.ask('admin', 'cmd.change_price', {
          kind: 'credits',
          price_id: 'c-1',
          ...change,
        }),
      ).toMatchObject({ error: { code: 'price_not_found' } });
    expect(await world.ask('admin', 'cmd.list_price', credits)).toMatchObject({
      error: { code: 'invalid_argument', details: { field: 'price_id' } },
    });
  });

  it('a membership type has one price at a time, on every replica', async () => {
    await world.ok('admin', 'cmd.list_price', monthly);
    const second = await world.startLedger();
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        world.ask('admin', 'cmd.list_price', {
          ...monthly,
          price_id: `m-${i + 2}`,
          membership_type: i < 5 ? 'monthly' : 'yearly',
        }),
      ),
    );
    const said = replies.map((reply) =>
      reply.ok ? 'ok' : `${reply.error.code} ${String(reply.error.details?.['field'])}`,
    );
    expect(said.filter((each) => each === 'ok')).toHaveLength(1);
    expect(said.filter((each) => each === 'invalid_argument membership_type')).toHaveLength(9);
    await second.stop();
    await world.ok('admin', 'cmd.retire_price', { kind: 'membership', price_id: 'm-1' });
    await world.ok('admin', 'cmd.list_price', { ...monthly, price_id: 'm-99' });
  });
});
