import { readFile, writeFile } from 'node:fs/promises';
import type { Failure, Success } from '@points/contracts/ledger-replies';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type World, startWorld } from './testing/ledger-under-test.ts';

let world: World;
let accounts = 0;

beforeAll(async () => {
  world = await startWorld();
  await world.startLedger();
});

afterAll(() => world.stop());

/** A new account with that many points. */
async function accountWith(points: number): Promise<string> {
  const account_id = `user-${(accounts += 1)}`;
  if (points > 0)
    await world.ok('admin', 'cmd.recharge', {
      account_id,
      source: 'admin',
      source_ref: 'start',
      points,
    });
  return account_id;
}

function codeOf(reply: Success | Failure): string {
  return reply.ok ? 'ok' : reply.error.code;
}

async function types(accountId: string): Promise<string[]> {
  return (await world.events(accountId)).map((event) => event.type);
}

describe('the main job', () => {
  it('holds, confirms what was used and releases the rest', async () => {
    const account_id = await accountWith(100);
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      source_type: 'ai_writing',
      metadata: { tool_type: 'blog' },
    });
    expect(held).toMatchObject({
      duplicate: false,
      balance: { balance: 100, held: 10, available: 90 },
      account_revision: 1,
    });
    expect(held.result).toMatchObject({
      status: 'held',
      amount: 10,
      charge_mode: 'charged',
      price: { mode: 'fixed', unit_price: '10' },
    });
    expect(held.result.task_no).toMatch(/^TASK\d{18}$/);
    const confirmed = await world.ok('ai-demo', 'cmd.confirm', {
      account_id,
      hold_id: held.result.hold_id,
      actual_amount: 7,
    });
    expect(confirmed.result).toMatchObject({
      status: 'confirmed',
      held_amount: 10,
      amount: 7,
      released: 3,
      overage: 0,
      record_id: held.result.record_id,
    });
    expect(confirmed.balance).toEqual({ balance: 93, held: 0, available: 93 });
    const balance = await world.ok('ai-demo', 'qry.balance', { account_id });
    expect(balance.result).toMatchObject({
      balance: 93,
      held: 0,
      available: 93,
      debt: 0,
      open_hold_count: 0,
      revision: 2,
    });
    expect(balance).toMatchObject({
      balance: { balance: 93, held: 0, available: 93 },
      account_revision: 2,
      position: confirmed.position,
    });
    expect(balance).not.toHaveProperty('duplicate');
    const events = await world.events(account_id);
    expect(events.map((event) => event.type)).toEqual([
      'PointsRecharged',
      'PointsHeld',
      'HoldConfirmed',
    ]);
    expect(events[1]?.data['description']).toBe('AI写作 - blog');
    expect(events[2]?.id).toBe(confirmed.result.transaction_id);
    expect(BigInt(confirmed.position ?? '')).toBe(events[2]?.position);
  });

  it('cancels by record id, and a cancel that came first refuses the hold', async () => {
    const account_id = await accountWith(100);
    const held = await world.ok('ai-demo', 'cmd.hold', { account_id, amount: 30 });
    const canceled = await world.ok('ai-demo', 'cmd.cancel', {
      account_id,
      record_id: held.result.record_id,
    });
    expect(canceled.result).toEqual({
      hold_id: held.result.hold_id,
      status: 'canceled',
      released: 30,
    });
    const hold_id = v7();
    expect(await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id })).toMatchObject({
      result: { released: 0 },
    });
    expect(codeOf(await world.ask('ai-demo', 'cmd.hold', { account_id, hold_id, amount: 5 }))).toBe(
      'hold_already_canceled',
    );
    expect(await world.ok('ai-demo', 'qry.hold', { account_id, hold_id })).toMatchObject({
      result: { status: 'canceled', reason: 'tombstone', record_id: null },
    });
  });

  it('consumes in one append', async () => {
    const account_id = await accountWith(100);
    const consumed = await world.ok('ai-demo', 'cmd.consume', {
      account_id,
      source_type: 'tts',
      actual_duration: 12.3,
    });
    expect(consumed.result).toMatchObject({ amount: 13, charge_mode: 'charged' });
    expect(consumed.balance).toEqual({ balance: 87, held: 0, available: 87 });
    expect(await types(account_id)).toEqual(['PointsRecharged', 'PointsHeld', 'HoldConfirmed']);
    expect(
      await world.ok('ai-demo', 'cmd.consume', { account_id, source_type: 'caption' }),
    ).toMatchObject({ result: { amount: 0, charge_mode: 'free' } });
  });

  it('charges above the hold into debt and repays it from the next recharge', async () => {
    const account_id = await accountWith(10);
    const held = await world.ok('ai-demo', 'cmd.hold', { account_id, amount: 6 });
    const confirmed = await world.ok('ai-demo', 'cmd.confirm', {
      account_id,
      hold_id: held.result.hold_id,
      actual_amount: 13,
    });
    expect(confirmed).toMatchObject({
      result: { amount: 13, overage: 7 },
      balance: { balance: -3, available: -3, held: 0 },
    });
    const recharged = await world.ok('billing', 'cmd.recharge', {
      account_id,
      source: 'order',
      source_ref: 'o1',
      order_no: 'o1',
      points: 5,
    });
    expect(recharged).toMatchObject({ result: { debt_repaid: 3 }, balance: { balance: 2 } });
  });

  it('answers every query', async () => {
    const account_id = await accountWith(8);
    expect(
      await world.ok('ai-demo', 'qry.quote', { account_id, source_type: 'image' }),
    ).toMatchObject({
      result: {
        sufficient: false,
        required: 10,
        balance: 8,
        available: 8,
        shortfall: 2,
        mode: 'fixed',
      },
    });
    expect(await world.ok('ai-demo', 'qry.price', { source_type: 'video' })).toMatchObject({
      result: { mode: 'duration', unit: 'second', amount: null },
    });
    expect(
      await world.ok('ai-demo', 'qry.price', { source_type: 'image', quantity: 3 }),
    ).toMatchObject({ result: { amount: 30 } });
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      amount: 3,
      biz_type: 'chat',
      biz_id: '7',
      description: '对话',
    });
    expect(
      await world.ok('ai-demo', 'qry.hold', { account_id, record_id: held.result.record_id }),
    ).toMatchObject({
      result: {
        status: 'held',
        amount: 3,
        biz_type: 'chat',
        biz_id: '7',
        description: '对话',
        owner: 'ai-demo',
      },
    });
    expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
      result: {
        open_holds: [{ hold_id: held.result.hold_id, amount: 3 }],
        open_hold_count: 1,
        batches: [{ kind: 'paid', remaining: 8, held: 3 }],
      },
    });
    const first = await world.ok('ai-demo', 'qry.command', {
      account_id,
      command_id: held.command_id ?? '',
    });
    expect(first.result).toEqual(held.result);
    expect(
      codeOf(await world.ask('ai-demo', 'qry.command', { account_id, command_id: v7() })),
    ).toBe('command_unknown');
    expect(await world.ok('ai-demo', 'qry.balance', { account_id: 'never-seen' })).toMatchObject({
      result: { balance: 0, revision: -1, batches: [] },
    });
    expect(await world.ok('api', 'qry.health', {})).toMatchObject({
      result: { event_store: 'up', caught_up: true },
    });
  });
});

describe('repetition', () => {
  it('gives the first answer to the same command, byte for byte but for `duplicate`', async () => {
    const account_id = await accountWith(100);
    const hold_id = v7();
    const requests = [
      ['cmd.hold', { account_id, hold_id, command_id: v7(), amount: 30 }],
      ['cmd.confirm', { account_id, hold_id, command_id: v7(), actual_amount: 20 }],
      ['cmd.consume', { account_id, command_id: v7(), amount: 5 }],
      ['cmd.cancel', { account_id, hold_id: v7(), command_id: v7() }],
    ] as const;
    const firsts = [];
    for (const [endpoint, body] of requests) firsts.push(await world.ok('ai-demo', endpoint, body));
    const before = await world.events(account_id);
    for (const [index, [endpoint, body]] of requests.entries()) {
      expect(await world.ok('ai-demo', endpoint, body)).toEqual({
        ...firsts[index],
        duplicate: true,
      });
    }
    expect(await world.events(account_id)).toHaveLength(before.length);
  });

  it('gives it also to a repeat under a new command id, and refuses another payload', async () => {
    const account_id = await accountWith(100);
    const recharge = { account_id, source: 'order', source_ref: 'o-1', points: 5 };
    const first = await world.ok('billing', 'cmd.recharge', recharge);
    expect(await world.ok('billing', 'cmd.recharge', recharge)).toMatchObject({
      duplicate: true,
      result: first.result,
    });
    expect(codeOf(await world.ask('billing', 'cmd.recharge', { ...recharge, points: 6 }))).toBe(
      'source_ref_reused',
    );
    const hold = { account_id, hold_id: v7(), amount: 9 };
    await world.ok('ai-demo', 'cmd.hold', hold);
    expect(await world.ok('ai-demo', 'cmd.hold', hold)).toMatchObject({ duplicate: true });
    expect(codeOf(await world.ask('ai-demo', 'cmd.hold', { ...hold, amount: 8 }))).toBe(
      'hold_id_reused',
    );
    const command_id = v7();
    await world.ok('ai-demo', 'cmd.confirm', {
      account_id,
      command_id,
      hold_id: hold.hold_id,
      actual_amount: 4,
    });
    expect(
      await world.ok('ai-demo', 'cmd.confirm', {
        account_id,
        hold_id: hold.hold_id,
        actual_amount: 4,
      }),
    ).toMatchObject({ duplicate: true, result: { amount: 4 } });
    expect(
      codeOf(
        await world.ask('ai-demo', 'cmd.confirm', {
          account_id,
          command_id,
          hold_id: hold.hold_id,
          actual_amount: 5,
        }),
      ),
    ).toBe('command_id_reused');
    expect(
      codeOf(
        await world.ask('ai-demo', 'cmd.confirm', {
          account_id,
          hold_id: hold.hold_id,
          actual_amount: 5,
        }),
      ),
    ).toBe('hold_already_confirmed');
    expect(
      codeOf(await world.ask('ai-demo', 'cmd.cancel', { account_id, hold_id: hold.hold_id })),
    ).toBe('hold_already_confirmed');
  });
});

describe('refusals append nothing', () => {
  const old = () => v7({ msecs: Date.now() - 8 * 86_400_000 });
  const future = () => v7({ msecs: Date.now() + 600_000 });
  it.each([
    [
      'insufficient_points',
      'ai-demo',
      'cmd.hold',
      { amount: 11 },
      { required: 11, available: 10, balance: 10, shortfall: 1 },
    ],
    [
      'insufficient_points',
      'ai-demo',
      'cmd.consume',
      { source_type: 'voice_clone' },
      { required: 200, available: 10, balance: 10, shortfall: 190 },
    ],
    ['price_not_found', 'ai-demo', 'cmd.hold', { source_type: 'no_such_thing' }, undefined],
    [
      'price_not_found',
      'ai-demo',
      'cmd.hold',
      { model: 'no_such_model', source_type: 'script' },
      undefined,
    ],
    ['price_not_found', 'ai-demo', 'cmd.hold', { source_type: 'dify_chat' }, undefined],
    [
      'price_changed',
      'ai-demo',
      'cmd.hold',
      { source_type: 'script', max_amount: 4 },
      { amount: 5, max_amount: 4 },
    ],
    ['hold_not_found', 'ai-demo', 'cmd.confirm', { hold_id: v7() }, undefined],
    ['hold_not_found', 'ai-demo', 'cmd.confirm', { record_id: 12345 }, undefined],
    ['hold_not_found', 'ai-demo', 'cmd.cancel', { hold_id: old() }, undefined],
    ['command_too_old', 'ai-demo', 'cmd.hold', { command_id: old(), amount: 1 }, undefined],
    ['hold_id_too_old', 'ai-demo', 'cmd.hold', { hold_id: old(), amount: 1 }, undefined],
    [
      'id_in_future',
      'ai-demo',
      'cmd.hold',
      { command_id: future(), amount: 1 },
      { field: 'command_id' },
    ],
    ['id_in_future', 'ai-demo', 'cmd.confirm', { hold_id: future() }, { field: 'hold_id' }],
    [
      'invalid_argument',
      'admin',
      'cmd.recharge',
      { source: 'admin', source_ref: 'x', points: 1, expires_at: '2020-01-01T00:00:00.000Z' },
      { field: 'expires_at' },
    ],
  ] as const)('%s', async (code, client, endpoint, body, details) => {
    const account_id = await accountWith(10);
    const reply = await world.ask(client, endpoint, { account_id, ...body });
    expect(reply).toMatchObject({
      ok: false,
      error: {
        code,
        applied: 'no',
        retryable: false,
        ...(details === undefined ? {} : { details }),
      },
    });
    expect(await types(account_id)).toEqual(['PointsRecharged']);
  });

  it('forbidden: only the client that placed a hold, or an admin, may settle it', async () => {
    const account_id = await accountWith(10);
    const held = await world.ok('ai-demo', 'cmd.hold', { account_id, amount: 5 });
    const { hold_id } = held.result;
    expect(codeOf(await world.ask('ai-other', 'cmd.confirm', { account_id, hold_id }))).toBe(
      'forbidden',
    );
    expect(codeOf(await world.ask('ai-other', 'cmd.cancel', { account_id, hold_id }))).toBe(
      'forbidden',
    );
    expect(codeOf(await world.ask('ai-other', 'qry.hold', { account_id, hold_id }))).toBe(
      'forbidden',
    );
    expect(await types(account_id)).toEqual(['PointsRecharged', 'PointsHeld']);
    expect(codeOf(await world.ask('admin', 'cmd.cancel', { account_id, hold_id }))).toBe('ok');
  });

  it('overage_rejected leaves the hold open', async () => {
    const account_id = await accountWith(10);
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      amount: 5,
      overage: 'reject',
    });
    expect(
      codeOf(
        await world.ask('ai-demo', 'cmd.confirm', {
          account_id,
          hold_id: held.result.hold_id,
          actual_amount: 6,
        }),
      ),
    ).toBe('overage_rejected');
    expect(
      codeOf(
        await world.ask('ai-demo', 'cmd.confirm', {
          account_id,
          hold_id: held.result.hold_id,
          actual_amount: 5,
        }),
      ),
    ).toBe('ok');
  });

  it('deadline_exceeded when the caller has given up', async () => {
    const account_id = await accountWith(10);
    const body = JSON.stringify({ command_id: v7(), hold_id: v7(), account_id, amount: 1 });
    const late = { 'Ledger-Deadline': String(Date.now() - 60_000) };
    expect(await world.send('ai-demo', 'cmd.hold', body, late)).toMatchObject({
      ok: false,
      error: { code: 'deadline_exceeded', status: 504 },
    });
    expect(
      await world.send('ai-demo', 'cmd.hold', body, { 'Ledger-Deadline': 'soon' }),
    ).toMatchObject({ error: { details: { field: 'Ledger-Deadline' } } });
    expect(await types(account_id)).toEqual(['PointsRecharged']);
  });
});

describe('bad input is refused with the field that is wrong, and appends nothing', () => {
  const good = () => ({ command_id: v7(), hold_id: v7(), account_id: 'bad-input', amount: 1 });
  it.each([
    ['body', 'not json'],
    ['body', ''],
    ['body', '[]'],
    ['body', 'null'],
    ['body', JSON.stringify({ ...good(), description: 'x'.repeat(20_000) })],
    ['amount', JSON.stringify({ ...good(), amount: '1' })],
    ['amount', JSON.stringify({ ...good(), amount: 1.5 })],
    ['amount', JSON.stringify({ ...good(), amount: 0 })],
    ['amount', JSON.stringify({ ...good(), amount: 1e13 })],
    ['surprise', JSON.stringify({ ...good(), surprise: 1 })],
    ['account_id', JSON.stringify({ ...good(), account_id: 'a.b' })],
    ['account_id', JSON.stringify({ ...good(), account_id: '' })],
    [
      'command_id',
      JSON.stringify({ ...good(), command_id: '6f1c2b0e-6a3d-4c58-9d0a-8f4be1d7a2c5' }),
    ],
    ['hold_id', JSON.stringify({ ...good(), hold_id: 7 })],
    ['ttl_ms', JSON.stringify({ ...good(), ttl_ms: 10 })],
    ['description', JSON.stringify({ ...good(), description: 'a\u0000b' })],
    [
      'biz_id',
      '{"command_id":"COMMAND","hold_id":"HOLD","account_id":"bad-input","amount":1,"biz_id":"\\ud800"}',
    ],
    ['metadata', JSON.stringify({ ...good(), metadata: { a: 1 } })],
  ])('%s %#', async (field, text) => {
    const body = text.replace('COMMAND', v7()).replace('HOLD', v7());
    const reply = await world.send('ai-demo', 'cmd.hold', body);
    expect(reply).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument', number: 1001018, status: 400 },
    });
    expect(JSON.stringify(reply)).toContain(field);
    expect(await types('bad-input')).toEqual([]);
  });
});

describe('many at once', () => {
  async function rush(account_id: string): Promise<void> {
    const replies = await Promise.all(
      Array.from({ length: 200 }, () =>
        world.ask('ai-demo', 'cmd.hold', { account_id, amount: 10 }),
      ),
    );
    expect(replies.filter((reply) => reply.ok)).toHaveLength(10);
    for (const reply of replies) {
      if (!reply.ok)
        expect(reply.error).toMatchObject({
          code: 'insufficient_points',
          details: { required: 10, available: 0, balance: 100, shortfall: 10 },
        });
    }
    expect(await world.ok('ai-demo', 'qry.balance', { account_id })).toMatchObject({
      result: { balance: 100, held: 100, available: 0 },
    });
    expect((await types(account_id)).filter((type) => type === 'PointsHeld')).toHaveLength(10);
  }

  it('two hundred holds on an account that affords ten: exactly ten', async () => {
    await rush(await accountWith(100));
  });

  it('the same when nobody has loaded the account yet, and with two ledgers on one store', async () => {
    const account_id = await accountWith(100);
    const second = await world.startLedger();
    await rush(account_id);
    const warm = await accountWith(100);
    await rush(warm);
    await second.stop();
  });
});

describe('the catalog', () => {
  it('registers, prices, describes, disables, enables and removes; the price in a hold stays', async () => {
    const model_id = 'm-1';
    const registered = await world.ok('admin', 'cmd.register_model', {
      model_id,
      model_name: 'sora_test',
      provider_type: 'openai',
      task_type: 'text_to_image',
      points_cost: 11,
      platform: 'dify',
      model_type: 'chat',
    });
    expect(registered).toMatchObject({
      duplicate: false,
      result: { model_id, points_cost: 11, is_enabled: true, removed: false },
    });
    const account_id = await accountWith(100);
    const held = await world.ok('ai-demo', 'cmd.hold', {
      account_id,
      model: 'sora_test',
      quantity: 2,
    });
    expect(held.result).toMatchObject({
      amount: 22,
      price: { source: 'model:m-1', unit: 'quantity', unit_price: '11' },
    });
    await world.ok('admin', 'cmd.price_model', { model_id, points_cost: 20 });
    expect(
      await world.ok('ai-demo', 'qry.price', { platform: 'dify', model_type: 'chat' }),
    ).toMatchObject({ result: { amount: 20 } });
    expect(
      await world.ok('ai-demo', 'cmd.confirm', {
        account_id,
        hold_id: held.result.hold_id,
        actual_quantity: 3,
      }),
    ).toMatchObject({ result: { amount: 33 } });
    expect(
      await world.ok('admin', 'cmd.describe_model', { model_id, display_name: '索拉' }),
    ).toMatchObject({ result: { display_name: '索拉', points_cost: 20 } });
    await world.ok('admin', 'cmd.disable_model', { model_id });
    expect(codeOf(await world.ask('ai-demo', 'cmd.hold', { account_id, model: 'sora_test' }))).toBe(
      'model_disabled',
    );
    await world.ok('admin', 'cmd.enable_model', { model_id });
    expect(codeOf(await world.ask('ai-demo', 'cmd.hold', { account_id, model: 'sora_test' }))).toBe(
      'ok',
    );
    expect(await world.ok('admin', 'cmd.remove_model', { model_id })).toMatchObject({
      result: { removed: true },
    });
    expect(codeOf(await world.ask('ai-demo', 'cmd.hold', { account_id, model: 'sora_test' }))).toBe(
      'price_not_found',
    );
  });

  it('repeats the first answer and refuses a name that is taken', async () => {
    const command_id = v7();
    const body = {
      command_id,
      model_id: 'm-2',
      model_name: 'twice',
      provider_type: 'openai',
      task_type: 'llm',
      points_cost: 1,
    };
    const first = await world.ok('admin', 'cmd.register_model', body);
    await world.ok('admin', 'cmd.price_model', { model_id: 'm-2', points_cost: 9 });
    expect(await world.ok('admin', 'cmd.register_model', body)).toEqual({
      ...first,
      duplicate: true,
    });
    expect(
      await world.ask('admin', 'cmd.register_model', {
        ...body,
        command_id: v7(),
        model_id: 'm-3',
      }),
    ).toMatchObject({
      error: { code: 'invalid_argument', details: { field: 'model_name' } },
    });
    expect(
      codeOf(await world.ask('admin', 'cmd.price_model', { model_id: 'no-such', points_cost: 9 })),
    ).toBe('price_not_found');
  });

  it.each([
    ['command_too_old', -7 * 24 * 3_600_000 - 60_000],
    ['id_in_future', 6 * 60_000],
  ])('refuses a command by the time of its id: %s', async (code, offMs) => {
    const command_id = v7({ msecs: Date.now() + offMs });
    const price = { command_id, model_id: 'no-such', points_cost: 9 };
    expect(codeOf(await world.ask('admin', 'cmd.price_model', price))).toBe(code);
    const retired = { command_id, kind: 'credits', price_id: 'no-such' };
    expect(codeOf(await world.ask('admin', 'cmd.retire_price', retired))).toBe(code);
  });

  it('gives a name to one model only, also when two ask at once', async () => {
    const register = (model_id: string) =>
      world.ask('admin', 'cmd.register_model', {
        model_id,
        model_name: 'wanted',
        provider_type: 'openai',
        task_type: 'llm',
        points_cost: 1,
      });
    const replies = await Promise.all(Array.from({ length: 5 }, (_, i) => register(`wanted-${i}`)));
    expect(replies.filter((reply) => reply.ok)).toHaveLength(1);
  });

  it('is the same on a second ledger', async () => {
    const second = await world.startLedger();
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => world.ok('ai-demo', 'qry.price', { model: 'twice' })),
    );
    expect(new Set(replies.map((reply) => reply.result.amount))).toEqual(new Set([9]));
    await second.stop();
  });

  it('reloads the pricing file, and keeps the old prices when the file is wrong', async () => {
    const text = await readFile(world.configFile, 'utf8');
    await writeFile(
      world.configFile,
      text.replace('points: 5, description: 【脚本生成】', 'points: 6, description: 【脚本生成】'),
    );
    expect(await world.ok('admin', 'cmd.reload_config', {})).toMatchObject({
      result: { changed: true },
    });
    expect(await world.ok('ai-demo', 'qry.price', { source_type: 'script' })).toMatchObject({
      result: { amount: 6 },
    });
    await writeFile(world.configFile, text.replace('points: 5,', 'points: -5,'));
    const refused = await world.ask('admin', 'cmd.reload_config', {});
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid_argument' } });
    expect(JSON.stringify(refused)).toMatch(/points-config\.yaml:\d+: operations\.script/);
    expect(await world.ok('ai-demo', 'qry.price', { source_type: 'script' })).toMatchObject({
      result: { amount: 6 },
    });
  });
});
