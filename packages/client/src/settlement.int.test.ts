import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { queuedSubject } from '@points/contracts/ledger-subjects';
import { createJetStream } from '@points/runtime/jetstream';
import type { Ledger } from '@points/ledger/start';
import { OutboxError } from './errors.ts';
import type { Outbox, OutboxRow } from './outbox.ts';
import { startScriptedLedger } from './testing/scripted-ledger.ts';
import { CLIENT, type ClientWorld, newFolder, startClientWorld } from './testing/client-world.ts';

/** Settlements while the ledger, or the line to NATS, is down. */
let setup: ClientWorld;
let ledger: Ledger;
beforeAll(async () => {
  setup = await startClientWorld();
});
beforeEach(async () => {
  ledger = await setup.world.startLedger();
});
afterEach(async () => {
  await ledger.stop();
  await setup.line.mend();
});
afterAll(() => setup.stop());

const SETTLED = { timeout: 30_000, interval: 50 };

describe('the ledger is down when the work ends', () => {
  it('the confirm waits in NATS, and is charged once when the ledger is back', async () => {
    const client = await setup.connect();
    const accountId = await setup.account(100);
    const { settlement } = await client.withHold(
      { accountId, estimate: { points: 10 } },
      async (hold) => {
        hold.used({ points: 7 });
        await ledger.stop();
      },
    );
    expect(settlement).toEqual({ status: 'queued', commandId: expect.any(String) });
    expect(client.outbox()).toMatchObject([{ stage: 'settling', intent: { verb: 'confirm' } }]);
    const job = await setup.nats('ledger');
    await vi.waitFor(async () =>
      expect((await createJetStream(job).streamState('LEDGER_CMD')).messages).toBeGreaterThan(0),
    );
    await job.close();
    ledger = await setup.world.startLedger();
    await vi.waitFor(() => expect(client.outbox()).toEqual([]), SETTLED);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
    expect((await client.balance({ accountId })).result).toMatchObject({ balance: 93, held: 0 });
  });

  it('so is a cancel', async () => {
    const client = await setup.connect();
    const accountId = await setup.account(100);
    const held = client.withHold({ accountId, estimate: { points: 10 } }, async () => {
      await ledger.stop();
      throw new Error('the model is down');
    });
    await expect(held).rejects.toThrow('the model is down');
    expect(client.outbox()).toMatchObject([{ stage: 'settling', intent: { verb: 'cancel' } }]);
    ledger = await setup.world.startLedger();
    await vi.waitFor(() => expect(client.outbox()).toEqual([]), SETTLED);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldCanceled']);
  });
});

describe('the line is cut when the work ends', () => {
  it('the confirm waits in the outbox, and is charged once when the line is back', async () => {
    const client = await setup.connect();
    const accountId = await setup.account(100);
    const { settlement } = await client.withHold(
      { accountId, estimate: { points: 10 } },
      async () => {
        await setup.line.cut();
        await vi.waitFor(() => expect(client.isConnected()).toBe(false));
      },
    );
    expect(settlement.status).toBe('queued');
    await setup.line.mend();
    await vi.waitFor(() => expect(client.outbox()).toEqual([]), SETTLED);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
  });

  it('and the process ends before it is back: the next one charges it', async () => {
    const dir = newFolder();
    const client = await setup.connect({ dir });
    const accountId = await setup.account(100);
    await client.withHold({ accountId, estimate: { points: 10 } }, async (hold) => {
      hold.used({ points: 6 });
      await setup.line.cut();
      await vi.waitFor(() => expect(client.isConnected()).toBe(false));
    });
    expect(await client.close(0)).toMatchObject([{ stage: 'settling' }]);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld']);
    await setup.line.mend();
    const next = await setup.connect({ dir });
    await vi.waitFor(() => expect(next.outbox()).toEqual([]), SETTLED);
    expect((await next.balance({ accountId })).result).toMatchObject({ balance: 94, held: 0 });
  });
});

describe('the confirm is answered on both ways', () => {
  it('charges once', async () => {
    const client = await setup.connect();
    const accountId = await setup.account(100);
    const nats = await setup.nats(CLIENT);
    const { settlement } = await client.withHold({ accountId, estimate: { points: 10 } }, () =>
      Promise.resolve(),
    );
    if (settlement.status !== 'confirmed') throw new Error(settlement.status);
    // As if the answer had been late: the same command, stored.
    const { commandId = '', result } = settlement;
    const command = { command_id: commandId, account_id: accountId, hold_id: result.holdId };
    await createJetStream(nats).publish(
      queuedSubject(CLIENT, 'confirm'),
      Buffer.from(JSON.stringify(command)),
      { msgId: commandId },
    );
    const job = await setup.nats('ledger');
    await vi.waitFor(
      async () => expect((await createJetStream(job).streamState('LEDGER_CMD')).messages).toBe(0),
      SETTLED,
    );
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
    await job.close();
    await nats.close();
  });
});

describe('a hold of unknown outcome', () => {
  it('its cancel leaves a tombstone: the hold that arrives later is refused', async () => {
    const client = await setup.connect();
    const accountId = await setup.account(100);
    await ledger.stop();
    const nats = await setup.nats('ledger');
    const silent = await startScriptedLedger(nats, () => null);
    const held = client.withHold({ accountId, estimate: { points: 10 } }, () => Promise.resolve());
    await expect(held).rejects.toMatchObject({ reason: 'timeout', applied: 'unknown' });
    await silent.stop();
    await nats.close();
    ledger = await setup.world.startLedger();
    await vi.waitFor(() => expect(client.outbox()).toEqual([]), SETTLED);
    expect(await setup.eventTypes(accountId)).toEqual(['HoldCanceled']);
    const late = await setup.world.ask(CLIENT, 'cmd.hold', silent.asked[0]?.body ?? {});
    expect(late).toMatchObject({ ok: false, error: { code: 'hold_already_canceled' } });
  });
});

describe('an outbox of one’s own', () => {
  function memoryOutbox(
    fails: (row: OutboxRow) => boolean,
  ): Outbox & { rows: Map<string, OutboxRow> } {
    const rows = new Map<string, OutboxRow>();
    return {
      rows,
      load: () => Promise.resolve([...rows.values()]),
      async put(row) {
        if (fails(row)) throw new OutboxError('not_written', 'the disk is full');
        rows.set(row.key, row);
      },
      async remove(key) {
        rows.delete(key);
      },
      close: () => Promise.resolve(),
    };
  }

  it.each([
    ['a hold that cannot be written down is not asked for', 'requested', []],
    [
      'one whose grant cannot be written down is canceled before any work',
      'held',
      ['PointsHeld', 'HoldCanceled'],
    ],
  ] as const)('%s', async (_, stage, types) => {
    const client = await setup.connect({ outbox: memoryOutbox((row) => row.stage === stage) });
    const accountId = await setup.account(100);
    let worked = false;
    const held = client.withHold(
      { accountId, estimate: { points: 10 } },
      async () => void (worked = true),
    );
    await expect(held).rejects.toMatchObject({ code: 'not_written' });
    expect(worked).toBe(false);
    expect(await setup.eventTypes(accountId)).toEqual(types);
    expect(client.outbox()).toEqual([]);
  });

  it('a use that cannot be written down is charged all the same', async () => {
    const client = await setup.connect({ outbox: memoryOutbox((row) => row.stage === 'settling') });
    const accountId = await setup.account(100);
    const { settlement } = await client.withHold({ accountId, estimate: { points: 10 } }, () =>
      Promise.resolve(),
    );
    expect(settlement).toMatchObject({ status: 'confirmed' });
    const after = await client
      .withHold({ accountId, estimate: { points: 10 } }, () => ledger.stop())
      .then(({ settlement: { status } }) => status);
    // NATS has it now, which is as good.
    expect(after).toBe('queued');
  });

  it('neither written down nor stored: the caller hears it, and has its result', async () => {
    const client = await setup.connect({ outbox: memoryOutbox((row) => row.stage === 'settling') });
    const accountId = await setup.account(100);
    const { result, settlement } = await client.withHold(
      { accountId, estimate: { points: 10 } },
      async () => {
        await setup.line.cut();
        await vi.waitFor(() => expect(client.isConnected()).toBe(false));
        return 'text';
      },
    );
    expect(result).toBe('text');
    expect(settlement).toMatchObject({ status: 'unsaved', error: { code: 'not_written' } });
    // It is tried on, and charged after all.
    await setup.line.mend();
    await vi.waitFor(() => expect(client.outbox()).toEqual([]), SETTLED);
    expect(await setup.eventTypes(accountId)).toEqual(['PointsHeld', 'HoldConfirmed']);
  });
});
