import { resultPattern } from '@points/contracts/ledger-subjects';
import { createJetStreamSetup } from '@points/runtime/jetstream-setup';
import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STREAMS } from '../../../infra/nats/streams.ts';
import { type World, startWorld } from './testing/ledger-under-test.ts';
import { type StoredCommands, storedCommands } from './testing/stored-commands.ts';

let world: World;
let stored: StoredCommands;

beforeAll(async () => {
  world = await startWorld();
  stored = storedCommands(world);
  await world.startLedger();
});
afterAll(() => world.stop());

let accounts = 0;

/** A fresh account with points and one hold of ai-demo. */
async function accountWithHold(
  amount: number,
): Promise<{ account_id: string; hold_id: string; record_id: number }> {
  accounts += 1;
  const account_id = `durable${accounts}`;
  await world.ok('admin', 'cmd.recharge', {
    account_id,
    source: 'admin',
    source_ref: 'start',
    points: 100,
  });
  const { result } = await world.ok('ai-demo', 'cmd.hold', { account_id, amount });
  return { account_id, hold_id: result.hold_id, record_id: result.record_id };
}

async function types(account_id: string): Promise<string[]> {
  return (await world.events(account_id)).map(({ type }) => type);
}

describe('a stored settlement', () => {
  it('is decided, and its result is the reply that the same request gets', async () => {
    const { account_id, hold_id } = await accountWithHold(40);
    const body = { command_id: v7(), account_id, hold_id, actual_amount: 30 };
    const heard: string[] = [];
    const caller = await world.connection('ai-demo');
    const subscription = caller.connection.subscribe(resultPattern('ai-demo'), {
      callback: (_error, message) => void heard.push(message.string()),
    });
    await stored.put('ai-demo', 'confirm', body);
    const result = await stored.resultOf('ai-demo', body.command_id);
    expect(result).toMatchObject({
      ok: true,
      command_id: body.command_id,
      duplicate: false,
      result: { hold_id, status: 'confirmed', amount: 30, released: 10 },
      balance: { balance: 70, held: 0, available: 70 },
    });
    await expect.poll(() => heard.map((text) => JSON.parse(text))).toEqual([result]);
    subscription.unsubscribe();
    const asked = await world.ok('ai-demo', 'cmd.confirm', body);
    expect(asked).toEqual({ ...result, duplicate: true });
    await expect.poll(stored.waiting).toBe(0);
  });

  it('may be a cancel, by record id as well', async () => {
    const { account_id, hold_id, record_id } = await accountWithHold(40);
    const command_id = await stored.put('ai-demo', 'cancel', {
      account_id,
      record_id,
      reason: 'failed',
    });
    expect(await stored.resultOf('ai-demo', command_id)).toMatchObject({
      ok: true,
      result: { hold_id, status: 'canceled', released: 40 },
    });
  });

  it('charges once when the same command comes on both ways at once', async () => {
    const { account_id, hold_id } = await accountWithHold(40);
    const body = { command_id: v7(), account_id, hold_id };
    const [reply] = await Promise.all([
      world.ok('ai-demo', 'cmd.confirm', body),
      stored.put('ai-demo', 'confirm', body),
    ]);
    const result = await stored.resultOf('ai-demo', body.command_id);
    const repeated = [reply, result].filter((each) => each.ok && each.duplicate === true);
    expect(repeated).toHaveLength(1);
    expect({ ...result, duplicate: false }).toEqual({ ...reply, duplicate: false });
    expect(await types(account_id)).toEqual(['PointsRecharged', 'PointsHeld', 'HoldConfirmed']);
  });

  it('that is refused has its refusal as the result', async () => {
    const { account_id, hold_id } = await accountWithHold(40);
    await world.ok('ai-demo', 'cmd.cancel', { account_id, hold_id });
    const command_id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    expect(await stored.resultOf('ai-demo', command_id)).toMatchObject({
      ok: false,
      command_id,
      error: { code: 'hold_already_canceled', status: 409, applied: 'no', retryable: false },
    });
    await expect.poll(stored.waiting).toBe(0);
  });

  it('of a client that does not own the hold is refused', async () => {
    const { account_id, hold_id } = await accountWithHold(40);
    const command_id = await stored.put('ai-other', 'confirm', { account_id, hold_id });
    expect(await stored.resultOf('ai-other', command_id)).toMatchObject({
      ok: false,
      error: { code: 'forbidden' },
    });
    expect(await types(account_id)).toEqual(['PointsRecharged', 'PointsHeld']);
  });

  it('has a result of its own, whoever has stored the same command_id before', async () => {
    const setup = createJetStreamSetup(await world.connection('provision'));
    const [commands] = STREAMS;
    if (commands === undefined) throw new Error('no stream');
    // So that NATS does not take the second for sent already: it was stored in time, but decided late.
    await setup.stream({ ...commands, duplicateWindowMs: 100 });
    const { account_id, hold_id } = await accountWithHold(40);
    const body = { command_id: v7(), account_id, hold_id };
    await stored.put('ai-other', 'confirm', body);
    expect(await stored.resultOf('ai-other', body.command_id)).toMatchObject({ ok: false });
    const before = await stored.results();
    await expect
      .poll(async () => {
        await stored.put('ai-demo', 'confirm', body);
        return (await stored.result('ai-demo', body.command_id))?.ok;
      })
      .toBe(true);
    await expect.poll(stored.waiting).toBe(0);
    expect(await stored.results()).toBeGreaterThan(before);
    await setup.stream(commands);
  });

  it('cannot be stored in the name of another client', async () => {
    const { account_id, hold_id } = await accountWithHold(40);
    const caller = await world.connection('ai-other');
    const bytes = JSON.stringify({ command_id: v7(), account_id, hold_id });
    await expect(
      caller.request('ledger.v1.q.ai-demo.confirm', Buffer.from(bytes), { timeoutMs: 2_000 }),
    ).rejects.toMatchObject({ code: 'not_permitted' });
  });

  it('that came before its hold waits for it', async () => {
    const { account_id } = await accountWithHold(40);
    const hold_id = v7();
    const before = await stored.deliveries();
    const command_id = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    await expect.poll(stored.deliveries).toBeGreaterThan(before);
    expect(await stored.result('ai-demo', command_id)).toBeNull();
    await world.ok('ai-demo', 'cmd.hold', { account_id, hold_id, amount: 7 });
    expect(await stored.resultOf('ai-demo', command_id)).toMatchObject({
      ok: true,
      result: { amount: 7 },
    });
  });
});

describe('a message that cannot be a settlement', () => {
  const id = v7();
  const fine = { command_id: id, account_id: 'u1', hold_id: id };
  const json = JSON.stringify(fine);

  it.each([
    ['not JSON', 'confirm', 'nonsense', { 'Nats-Msg-Id': '1' }, 'body is not JSON'],
    ['another schema', 'cancel', '{"command_id":"1"}', {}, 'command_id must be a UUID'],
    ['no message id', 'confirm', json, {}, 'Nats-Msg-Id is not the command_id'],
    [
      'the message id of another command',
      'confirm',
      json,
      { 'Nats-Msg-Id': v7() },
      'Nats-Msg-Id is not the command_id',
    ],
  ])('%s: goes among the dead letters and holds nothing back', async (...row) => {
    const [, verb, bytes, headers, reason] = row;
    const before = (await stored.deadLetters()).length;
    await stored.putRaw('ai-demo', verb, bytes, { ...headers, 'Ledger-Correlation-Id': 'c1' });
    const { account_id, hold_id } = await accountWithHold(40);
    const next = await stored.put('ai-demo', 'confirm', { account_id, hold_id });
    expect(await stored.resultOf('ai-demo', next)).toMatchObject({ ok: true });
    await expect.poll(async () => (await stored.deadLetters()).length).toBe(before + 1);
    const letter = (await stored.deadLetters()).at(-1);
    expect(letter?.subject).toBe(`ledger.v1.dlq.ai-demo.${verb}`);
    expect(Buffer.from(letter?.data ?? []).toString()).toBe(bytes);
    expect(letter?.header('Ledger-Dead-Reason')).toContain(reason);
    expect(letter?.header('Ledger-Dead-Subject')).toBe(`ledger.v1.q.ai-demo.${verb}`);
    expect(Number(letter?.header('Ledger-Dead-Sequence'))).toBeGreaterThan(0);
    const storedMs = Date.parse(letter?.header('Ledger-Dead-Stored-At') ?? '');
    expect(Math.abs(storedMs - Date.now())).toBeLessThan(60_000);
    expect(JSON.parse(letter?.header('Ledger-Dead-Headers') ?? '')).toMatchObject({
      ...headers,
      'Ledger-Correlation-Id': 'c1',
    });
    await expect.poll(stored.waiting).toBe(0);
  });

  it('the acknowledgement of another message, made to be stored under a foreign subject, is one', async () => {
    const attacker = await world.connection('ai-other');
    const before = (await stored.deadLetters()).length;
    attacker.connection.publish('ledger.v1.q.ai-other.cancel', Buffer.from('x'), {
      reply: 'ledger.v1.q.ai-demo.confirm',
    });
    await expect.poll(async () => (await stored.deadLetters()).length).toBe(before + 2);
    await expect.poll(stored.waiting).toBe(0);
  });
});
