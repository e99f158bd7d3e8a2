import { queuedSubject, resultSubject } from '@points/contracts/ledger-subjects';
import { createJetStream } from '@points/runtime/jetstream';
import type { Nats } from '@points/runtime/nats';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { LedgerUnavailable } from './errors.ts';
import { CLIENT, type ClientWorld, newFolder, startClientWorld } from './testing/client-world.ts';
import {
  canceled,
  confirmed,
  held,
  refusal,
  type Script,
  type ScriptedLedger,
  startScriptedLedger,
} from './testing/scripted-ledger.ts';

/** Ledgers that are slow, silent or wrong, heard through the real nats-server. */
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

async function script(each: Script): Promise<ScriptedLedger> {
  const ledger = await startScriptedLedger(ledgerNats, each);
  onTestFinished(() => ledger.stop());
  return ledger;
}

/** The settlements that NATS has stored, by subject. */
async function stored(): Promise<{ subject: string; messageId: string | null; body: unknown }[]> {
  const stream = createJetStream(ledgerNats);
  const { firstSequence, lastSequence } = await stream.streamState('LEDGER_CMD');
  const found = [];
  for (let sequence = firstSequence; sequence <= lastSequence; sequence += 1) {
    const message = await stream.message('LEDGER_CMD', sequence);
    if (message === null) continue;
    found.push({
      subject: message.subject,
      messageId: message.header('Nats-Msg-Id'),
      body: JSON.parse(Buffer.from(message.data).toString()) as unknown,
    });
  }
  return found;
}

const options = { accountId: 'user-1', estimate: { points: 10 } };

describe('a hold that gets no answer', () => {
  it('is asked for again with the same ids, and the first answer that comes counts', async () => {
    const peer = await script((asked, count) =>
      asked.verb === 'hold' ? (count === 1 ? null : held(asked)) : confirmed(asked),
    );
    const ledger = await setup.connect();
    const { result } = await ledger.withHold(options, () => Promise.resolve('done'));
    expect(result).toBe('done');
    const holds = peer.asked.filter(({ verb }) => verb === 'hold');
    expect(holds).toHaveLength(2);
    expect(holds[1]).toEqual(holds[0]);
    expect(Number(holds[0]?.deadline)).toBeGreaterThan(Date.now() - 60_000);
    expect(peer.asked.slice(2)).toMatchObject([{ verb: 'confirm', deadline: null }]);
  });

  it('and never does: no work, the reason, and a stored cancel for what may be there', async () => {
    const peer = await script(() => null);
    const ledger = await setup.connect();
    let worked = false;
    const error = await ledger
      .withHold(options, async () => void (worked = true))
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LedgerUnavailable);
    expect(error).toMatchObject({ reason: 'timeout', applied: 'unknown' });
    const holds = peer.asked.filter(({ verb }) => verb === 'hold');
    const { hold_id, command_id } = holds[0]?.body ?? {};
    expect(error).toMatchObject({ commandId: command_id });
    expect(String(error)).toContain('no hold, so no work may be done');
    expect(String(error)).toContain(`hold ${String(hold_id)} is being canceled`);
    expect(worked).toBe(false);
    expect(holds.length).toBeGreaterThan(1);
    await vi.waitFor(async () =>
      expect(await stored()).toContainEqual({
        subject: queuedSubject(CLIENT, 'cancel'),
        messageId: expect.any(String),
        body: { command_id: expect.any(String), account_id: 'user-1', hold_id, reason: 'failed' },
      }),
    );
    const cancel = (await stored()).find(({ body }) =>
      JSON.stringify(body).includes(String(hold_id)),
    );
    expect(cancel?.body).toMatchObject({ command_id: cancel?.messageId });
    expect(ledger.outbox()).toMatchObject([{ stage: 'settling', intent: { verb: 'cancel' } }]);
  });

  it('placed by itself: the same', async () => {
    await script((asked) => (asked.verb === 'hold' ? 'not json' : canceled(asked)));
    const ledger = await setup.connect();
    await expect(ledger.hold({ accountId: 'user-1', amount: 5 })).rejects.toMatchObject({
      reason: 'bad_reply',
      applied: 'unknown',
      message: expect.stringContaining('is being canceled'),
    });
    expect(ledger.outbox()).toMatchObject([{ stage: 'settling', intent: { verb: 'cancel' } }]);
  });

  it('because nobody is there: nothing to cancel', async () => {
    const ledger = await setup.connect();
    await expect(ledger.withHold(options, () => Promise.resolve())).rejects.toMatchObject({
      reason: 'no_responders',
      applied: 'no',
      message: expect.stringContaining('nothing was done'),
    });
    expect(ledger.outbox()).toEqual([]);
  });

  it('because nobody is there yet: waits for it', async () => {
    const ledger = await setup.connect();
    const asked = ledger.hold({ accountId: 'user-1', amount: 5 });
    await script((each) => held(each));
    expect(await asked).toMatchObject({ result: { status: 'held' } });
  });

  it('because the ledger has trouble: again when it says so, then the trouble by its name', async () => {
    const peer = await script((asked, count) =>
      count < 3 ? refusal(asked, 'contention', 20) : refusal(asked, 'store_unavailable', 20),
    );
    const ledger = await setup.connect();
    await expect(ledger.hold({ accountId: 'user-1', amount: 5 })).rejects.toMatchObject({
      reason: 'ledger_unavailable',
      applied: 'no',
      retryAfterMs: 20,
      message: expect.stringContaining('store_unavailable'),
    });
    expect(peer.asked).toHaveLength(3);
    expect(ledger.outbox()).toEqual([]);
  });

  it('but once outcome_unknown: it may be there, and is canceled', async () => {
    await script((asked, count) =>
      asked.verb === 'cancel'
        ? null
        : count === 1
          ? refusal(asked, 'outcome_unknown', 1)
          : refusal(asked, 'store_unavailable', 1),
    );
    const ledger = await setup.connect();
    await expect(ledger.withHold(options, () => Promise.resolve())).rejects.toMatchObject({
      applied: 'unknown',
    });
    expect(ledger.outbox()).toMatchObject([{ stage: 'settling', intent: { verb: 'cancel' } }]);
  });

  it('because there is no link: fails at once and sends nothing', async () => {
    const ledger = await setup.connect();
    await setup.line.cut();
    await vi.waitFor(() => expect(ledger.isConnected()).toBe(false));
    await expect(ledger.withHold(options, () => Promise.resolve())).rejects.toMatchObject({
      reason: 'not_connected',
      applied: 'no',
      message: expect.stringContaining('no hold, so no work may be done'),
    });
    await expect(ledger.balance({ accountId: 'user-1' })).rejects.toMatchObject({
      reason: 'not_connected',
    });
    expect(ledger.outbox()).toEqual([]);
    await setup.line.mend();
    await vi.waitFor(() => expect(ledger.isConnected()).toBe(true), { timeout: 10_000 });
  });
});

describe('a confirm that gets no answer', () => {
  it('is stored under the same id, and done when its result comes', async () => {
    const peer = await script((asked) => (asked.verb === 'hold' ? held(asked) : null));
    const ledger = await setup.connect();
    const { result, settlement } = await ledger.withHold(options, () => Promise.resolve('done'));
    expect(result).toBe('done');
    const confirms = peer.asked.filter(({ verb }) => verb === 'confirm');
    expect(confirms.length).toBe(3);
    const [first] = confirms;
    expect(settlement).toEqual({ status: 'queued', commandId: first?.body['command_id'] });
    for (const each of confirms) expect(each).toEqual(first);
    await vi.waitFor(async () =>
      expect(await stored()).toContainEqual({
        subject: queuedSubject(CLIENT, 'confirm'),
        messageId: first?.body['command_id'],
        body: first?.body,
      }),
    );
    expect(ledger.outbox()).toMatchObject([{ stage: 'settling' }]);
    if (first === undefined) throw new Error('nothing was asked');
    const commandId = String(first.body['command_id']);
    ledgerNats.connection.publish(
      resultSubject(CLIENT, commandId),
      JSON.stringify(confirmed(first)),
    );
    await vi.waitFor(() => expect(ledger.outbox()).toEqual([]));
    expect(peer.asked.some(({ verb }) => verb === 'cancel')).toBe(false);
  });

  it('and whose result came while the link was cut: it is found afterwards', async () => {
    const peer = await script((asked) => (asked.verb === 'hold' ? held(asked) : null));
    const ledger = await setup.connect();
    const { settlement } = await ledger.withHold(options, async () => {
      await setup.line.cut();
      await vi.waitFor(() => expect(ledger.isConnected()).toBe(false));
    });
    expect(settlement.status).toBe('queued');
    const [row] = ledger.outbox();
    if (row?.stage !== 'settling') throw new Error('nothing is being settled');
    const asked = { verb: 'confirm', body: row.intent.command, deadline: null };
    const commandId = row.intent.command.command_id;
    const stream = createJetStream(ledgerNats);
    await stream.publish(
      resultSubject(CLIENT, commandId),
      Buffer.from(JSON.stringify(confirmed(asked))),
    );
    await setup.line.mend();
    await vi.waitFor(() => expect(ledger.outbox()).toEqual([]), { timeout: 20_000 });
    expect(peer.asked.filter(({ verb }) => verb === 'confirm')).toHaveLength(0);
  });

  it('a result that is a refusal: reported, kept, not tried again', async () => {
    const peer = await script((asked) =>
      asked.verb === 'hold' ? held(asked) : refusal(asked, 'hold_expired'),
    );
    const dir = newFolder();
    const problems: unknown[] = [];
    const ledger = await setup.connect({ dir, onSettlementProblem: (each) => problems.push(each) });
    const { result, settlement } = await ledger.withHold(options, () => Promise.resolve('done'));
    expect(result).toBe('done');
    expect(settlement).toMatchObject({ status: 'refused', refusal: { code: 'hold_expired' } });
    expect(problems).toMatchObject([
      { stage: 'refused', intent: { verb: 'confirm' }, refusal: { code: 'hold_expired' } },
    ]);
    expect(ledger.problems()).toEqual(problems);
    expect(await ledger.close()).toEqual([]);

    const next = await setup.connect({ dir });
    expect(next.problems()).toEqual(problems);
    expect(next.dismiss(next.problems()[0]?.key ?? '')).toBe(true);
    expect(next.problems()).toEqual([]);
    await next.close();
    expect((await setup.connect({ dir })).outbox()).toEqual([]);
    expect(peer.asked.filter(({ verb }) => verb === 'confirm')).toHaveLength(1);
  });
});

describe('close', () => {
  it('does not wait for ever for work: its result is kept, its charge is for the next process to decide', async () => {
    await script((asked) => (asked.verb === 'hold' ? held(asked) : confirmed(asked)));
    const dir = newFolder();
    const ledger = await setup.connect({ dir });
    let end = (): void => {};
    const work = new Promise<void>((resolve) => (end = resolve));
    const running = ledger.withHold(options, () => work.then(() => 'text'));
    await vi.waitFor(() => expect(ledger.outbox()).toMatchObject([{ stage: 'held' }]));
    expect(await ledger.close(10)).toMatchObject([{ stage: 'held' }]);
    end();
    expect(await running).toMatchObject({
      result: 'text',
      settlement: { status: 'unsaved', error: { code: 'closed' } },
    });
    const next = await setup.connect({ dir, onOrphan: () => 'confirm' });
    await vi.waitFor(() => expect(next.outbox()).toEqual([]));
  });

  it('says what is left, and the next process settles it', async () => {
    const silent = await script((asked) => (asked.verb === 'hold' ? held(asked) : null));
    const dir = newFolder();
    const ledger = await setup.connect({ dir });
    let returned = (): void => {};
    const work = new Promise<void>((resolve) => (returned = resolve));
    const running = ledger.withHold(options, () => work);
    await vi.waitFor(() => expect(ledger.outbox()).toMatchObject([{ stage: 'held' }]));
    returned();
    await vi.waitFor(() => expect(ledger.outbox()).toMatchObject([{ stage: 'settling' }]));
    const closing = ledger.close(50);
    await expect(ledger.withHold(options, () => Promise.resolve())).rejects.toMatchObject({
      reason: 'closed',
    });
    expect(await closing).toMatchObject([{ stage: 'settling', intent: { verb: 'confirm' } }]);
    expect((await running).settlement.status).toBe('queued');
    await silent.stop();

    const peer = await script((asked) => confirmed(asked));
    const next = await setup.connect({ dir });
    await vi.waitFor(() => expect(next.outbox()).toEqual([]));
    expect(peer.asked).toMatchObject([{ verb: 'confirm' }]);
  });
});
