import type { Nats } from '@points/runtime/nats';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type ClientWorld, startClientWorld } from './testing/client-world.ts';
import {
  type Asked,
  canceled,
  confirmed,
  extended,
  held,
  refusal,
  type Script,
  type ScriptedLedger,
  startScriptedLedger,
} from './testing/scripted-ledger.ts';

/** Holds that are shorter than their work. The lives that a ledger grants are too long to wait for, so these are scripted. */
let setup: ClientWorld;
let ledgerNats: Nats;
beforeAll(async () => {
  setup = await startClientWorld();
  ledgerNats = await setup.nats('ledger');
});
afterAll(async () => {
  await ledgerNats.close();
  await setup.stop();
});

const LIFE_MS = 300;
const options = { accountId: 'user-1', estimate: { points: 10 }, ttlMs: 1_000 };

async function script(extend: Script): Promise<ScriptedLedger> {
  const ledger = await startScriptedLedger(ledgerNats, (asked, count) => {
    if (asked.verb === 'hold') return held(asked, LIFE_MS);
    if (asked.verb === 'confirm') return confirmed(asked);
    return asked.verb === 'cancel' ? canceled(asked) : extend(asked, count);
  });
  onTestFinished(() => ledger.stop());
  return ledger;
}

function untilExtended(peer: ScriptedLedger, holdId: string, times: number): Promise<void> {
  const own = () => extensions(peer).filter(({ body }) => body['hold_id'] === holdId);
  return vi.waitFor(() => expect(own().length).toBeGreaterThanOrEqual(times), {
    timeout: 10_000,
    interval: 10,
  });
}

const extensions = (ledger: ScriptedLedger): Asked[] =>
  ledger.asked.filter(({ verb }) => verb === 'extend');

it('a hold is extended for its own life again and again while the work runs', async () => {
  const peer = await script((asked) => extended(asked, LIFE_MS));
  const ledger = await setup.connect();
  await ledger.withHold(options, async (hold) => {
    await untilExtended(peer, hold.holdId, 3);
    expect(hold.signal.aborted).toBe(false);
  });
  const [hold] = peer.asked;
  const asked = extensions(peer);
  for (const { body } of asked) {
    expect(body).toEqual({
      command_id: expect.any(String),
      account_id: 'user-1',
      hold_id: hold?.body['hold_id'],
      ttl_ms: 1_000,
    });
  }
  expect(new Set(asked.map(({ body }) => body['command_id'])).size).toBe(asked.length);
});

it('and not after it has ended, well or badly', async () => {
  const peer = await script((asked) => extended(asked, LIFE_MS));
  const ledger = await setup.connect();
  await ledger.withHold(options, () => 'done');
  await expect(
    ledger.withHold(options, () => Promise.reject(new Error('the model is down'))),
  ).rejects.toThrow('the model is down');
  // As long as it takes to extend another one twice.
  await ledger.withHold(options, (hold) => untilExtended(peer, hold.holdId, 2));
  expect(new Set(extensions(peer).map(({ body }) => body['hold_id'])).size).toBe(1);
});

it('an extension without an answer is tried again', async () => {
  const peer = await script((asked, count) =>
    count <= 3 ? refusal(asked, 'store_unavailable') : extended(asked, 60_000),
  );
  const ledger = await setup.connect();
  await ledger.withHold(options, async (hold) => {
    await vi.waitFor(() => expect(extensions(peer).length).toBe(3), {
      timeout: 10_000,
      interval: 10,
    });
    expect(hold.signal.aborted).toBe(false);
  });
  const ids = extensions(peer).map(({ body }) => body['command_id']);
  expect(new Set(ids).size).toBe(1);
});

it('nor does any other refusal end the work', async () => {
  const peer = await script((asked) => refusal(asked, 'command_too_old'));
  const ledger = await setup.connect();
  await ledger.withHold(options, async (hold) => {
    await untilExtended(peer, hold.holdId, 2);
    expect(hold.signal.aborted).toBe(false);
  });
});

it('the hold is gone: the work is told why, and canceled', async () => {
  const peer = await script((asked) => refusal(asked, 'hold_already_canceled'));
  const ledger = await setup.connect();
  const held = ledger.withHold(
    options,
    (hold) =>
      new Promise((_, reject) =>
        hold.signal.addEventListener('abort', () => reject(hold.signal.reason as Error)),
      ),
  );
  await expect(held).rejects.toMatchObject({ code: 'hold_already_canceled' });
  expect(extensions(peer)).toHaveLength(1);
  expect(peer.asked.at(-1)).toMatchObject({ verb: 'cancel', body: { reason: 'failed' } });
});

it('the longest life is reached: no more is asked, and the work goes on', async () => {
  const end = new Date(Date.now() + LIFE_MS).toISOString();
  const peer = await script((asked) => extended(asked, LIFE_MS, end));
  const warnings: string[] = [];
  const ledger = await setup.connect({
    log: { info: () => {}, warn: (_, text) => void warnings.push(text), error: () => {} },
  });
  await ledger.withHold(options, async (hold) => {
    await vi.waitFor(() => expect(warnings).toEqual(['this hold has reached its longest life']), {
      timeout: 10_000,
    });
    expect(hold.signal.aborted).toBe(false);
  });
  expect(extensions(peer)).toHaveLength(2);
});
