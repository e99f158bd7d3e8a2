import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { provisionStreams } from '../../../infra/nats/provision.ts';
import { createJetStream, type JetStream } from './jetstream.ts';
import { createLog } from './log.ts';
import { connectNats, type Nats } from './nats.ts';

const dir = mkdtempSync(join(tmpdir(), 'points-nats-'));
const log = createLog('test', 'silent');
const CONFIRM = 'ledger.v1.q.ai-demo.confirm';
let server: NatsServer;
const open = new Map<string, Nats>();

beforeAll(async () => {
  server = await startNatsServer({ dir });
  for (const [name, { user, pass }] of Object.entries(server.clients))
    open.set(name, await connectNats({ url: server.url, user, pass, name, log }));
  await provisionStreams(as('provision'));
});
afterAll(async () => {
  await Promise.all([...open.values()].map((nats) => nats.close()));
  await server.stop();
  rmSync(dir, { recursive: true });
});

function as(name: string): Nats {
  const nats = open.get(name);
  if (!nats) throw new Error(`no client ${name}`);
  return nats;
}
const streams = (name: string): JetStream => createJetStream(as(name));
const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString();

describe('publish', () => {
  it('resolves with the sequence, and stores one id once', async () => {
    const client = streams('ai-demo');
    const first = await client.publish(CONFIRM, bytes('1'), { msgId: 'a', headers: { x: 'y' } });
    const again = await client.publish(CONFIRM, bytes('2'), { msgId: 'a' });
    expect(again).toEqual({ sequence: first.sequence, duplicate: true });
    const stored = await streams('ledger').message('LEDGER_CMD', first.sequence);
    expect(stored).toMatchObject({
      subject: CONFIRM,
      sequence: first.sequence,
      headers: { 'Nats-Msg-Id': 'a', x: 'y' },
    });
    expect(text(stored?.data)).toBe('1');
    expect(stored?.header('x')).toBe('y');
    expect(stored?.header('other')).toBeNull();
    expect(Math.abs((stored?.storedMs ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('is not led astray by the value of another header', async () => {
    const headers = { x: 'Nats-Msg-Id Nats-Expected-Last-Sequence' };
    const relay = streams('relay');
    const { sequence } = await relay.last('LEDGER_EVT');
    const options = { headers, msgId: 'astray' };
    const subject = 'ledger.v1.evt.HoldConfirmed.u2';
    const first = await relay.publish(subject, bytes('1'), options);
    expect(await relay.publish(subject, bytes('1'), options)).toMatchObject({ duplicate: true });
    await expect(
      relay.publish(subject, bytes('2'), { headers, expectLastSequence: sequence }),
    ).rejects.toMatchObject({ code: 'wrong_last_sequence' });
    expect((await relay.last('LEDGER_EVT')).sequence).toBe(first.sequence);
  });

  it('refuses what the stream does not take, and says that nothing was stored', async () => {
    const client = streams('ai-demo');
    await expect(client.publish(CONFIRM, new Uint8Array(20_000))).rejects.toMatchObject({
      code: 'refused',
      applied: 'no',
    });
    await expect(client.publish('ledger.v1.res.ai-demo.x', bytes('1'))).rejects.toMatchObject({
      code: 'not_permitted',
      applied: 'no',
    });
    await expect(
      streams('ai-demo').publish('ledger.v1.cmd.ai-demo.hold', bytes('1')),
    ).rejects.toMatchObject({ code: 'not_found', applied: 'no' });
  });

  it('with a fence stores nothing when somebody else was faster', async () => {
    const relay = streams('relay');
    const { sequence } = await relay.last('LEDGER_EVT');
    const subject = 'ledger.v1.evt.HoldConfirmed.u1';
    const first = await relay.publish(subject, bytes('1'), { expectLastSequence: sequence });
    await expect(
      relay.publish(subject, bytes('2'), { expectLastSequence: sequence }),
    ).rejects.toMatchObject({ code: 'wrong_last_sequence', applied: 'no' });
    const last = await relay.last('LEDGER_EVT');
    expect(last.sequence).toBe(first.sequence);
    expect(text(last.message?.data)).toBe('1');
  });

  it('fails at once while the server is away', async () => {
    const admin = as('admin');
    const { port } = server;
    await server.stop();
    await vi.waitFor(() => expect(admin.isConnected()).toBe(false));
    const client = streams('ai-demo');
    await vi.waitFor(() => expect(as('ai-demo').isConnected()).toBe(false));
    await expect(client.publish(CONFIRM, bytes('1'))).rejects.toMatchObject({
      code: 'not_connected',
      applied: 'no',
    });
    server = await startNatsServer({ dir, port });
    await vi.waitFor(
      () => expect([...open.values()].every((nats) => nats.isConnected())).toBe(true),
      { timeout: 10_000 },
    );
  });
});

describe('reading', () => {
  it('an empty stream has no first time and no last message', async () => {
    const dlq = streams('dlq');
    expect(await dlq.streamState('LEDGER_DLQ')).toMatchObject({ messages: 0, firstMs: null });
    expect(await dlq.last('LEDGER_DLQ')).toEqual({ sequence: 0, message: null });
  });

  it('tells the oldest message, and takes one out by its sequence', async () => {
    const client = streams('ai-demo');
    const ledger = streams('ledger');
    const before = await ledger.streamState('LEDGER_CMD');
    const { sequence } = await client.publish(CONFIRM, bytes('last'), { msgId: 'take out' });
    const stored = await ledger.streamState('LEDGER_CMD');
    expect(stored.messages).toBe(before.messages + 1);
    expect(stored.lastSequence).toBe(sequence);
    const first = await ledger.message('LEDGER_CMD', stored.firstSequence);
    expect(stored.firstMs).toBe(first?.storedMs);
    expect(await ledger.deleteMessage('LEDGER_CMD', sequence)).toBe(true);
    expect(await ledger.deleteMessage('LEDGER_CMD', sequence)).toBe(false);
    expect(await ledger.deleteMessage('LEDGER_CMD', sequence + 100)).toBe(false);
    expect(await ledger.message('LEDGER_CMD', sequence)).toBeNull();
  });

  it('the last result of one command, by the client that it is for and by no other', async () => {
    const subject = 'ledger.v1.res.ai-demo.c1';
    await streams('ledger').publish(subject, bytes('first'));
    await streams('ledger').publish(subject, bytes('second'), { headers: { x: 'y' } });
    const found = await streams('ai-demo').lastOf('LEDGER_RES', subject);
    expect(text(found?.data)).toBe('second');
    expect(found).toMatchObject({ subject, headers: { x: 'y' } });
    expect(await streams('ai-demo').lastOf('LEDGER_RES', `${subject}x`)).toBeNull();
    await expect(streams('api').lastOf('LEDGER_RES', subject)).rejects.toMatchObject({
      code: 'not_permitted',
    });
  });

  it('says that a stream is missing', async () => {
    const dir2 = mkdtempSync(join(tmpdir(), 'points-nats-'));
    const bare = await startNatsServer({ dir: dir2 });
    const { user, pass } = bare.clients['ledger'] ?? { user: '', pass: '' };
    const nats = await connectNats({ url: bare.url, user, pass, name: 'test', log });
    await expect(createJetStream(nats).streamState('LEDGER_CMD')).rejects.toMatchObject({
      code: 'not_found',
    });
    await nats.close();
    await bare.stop();
    rmSync(dir2, { recursive: true });
  });
});
