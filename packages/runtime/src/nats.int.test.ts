import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog } from './log.ts';
import { connectNats, type Nats } from './nats.ts';

const dir = mkdtempSync(join(tmpdir(), 'points-nats-'));
const log = createLog('test', 'silent');
const nothing = new Uint8Array();
let server: NatsServer;
const open: Nats[] = [];

beforeAll(async () => {
  server = await startNatsServer({ dir });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((nats) => nats.close()));
});
afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true });
});

async function client(user: string, pass = server.clients[user]?.pass ?? ''): Promise<Nats> {
  const nats = await connectNats({ url: server.url, user, pass, name: 'test', log });
  open.push(nats);
  return nats;
}

describe('connectNats', () => {
  it('refuses wrong credentials at once instead of trying for ever', async () => {
    await expect(client('ledger', 'wrong')).rejects.toMatchObject({
      code: 'not_permitted',
      message: expect.stringContaining('refuses user ledger'),
    });
  });

  it('fails at once without a server when told not to wait', async () => {
    const nobody = connectNats({
      url: 'nats://127.0.0.1:1',
      user: 'a',
      pass: 'b',
      name: 'test',
      log,
      waitForServer: false,
    });
    await expect(nobody).rejects.toMatchObject({
      code: 'not_connected',
      applied: 'no',
      message: 'no NATS server answers at nats://127.0.0.1:1',
    });
  });

  it('waits for a server that comes later', async () => {
    const { port } = server;
    await server.stop();
    const pending = client('ai-demo');
    server = await startNatsServer({ dir, port });
    expect((await pending).isConnected()).toBe(true);
  });
});

describe('request', () => {
  it('gets the answer with its headers', async () => {
    const ledger = await client('ledger');
    ledger.connection.subscribe('ledger.v1.qry.ai-demo.balance', {
      queue: 'ledger',
      callback: (_error, message) => message.respond(Buffer.from(`answer to ${message.string()}`)),
    });
    await ledger.connection.flush();
    const asker = await client('ai-demo');
    const reply = await asker.request('ledger.v1.qry.ai-demo.balance', Buffer.from('q'), {
      timeoutMs: 2_000,
    });
    expect(Buffer.from(reply.data).toString()).toBe('answer to q');
    expect(reply.header('Nats-Service-Error')).toBeNull();
  });

  it.each([
    ['nobody listens', 'ledger.v1.qry.ai-demo.quote', 'no_responders', 'no'],
    ['the server does not permit it', 'ledger.v1.cmd.ai-demo.recharge', 'not_permitted', 'no'],
  ])('%s: it fails at once and nothing was applied', async (_name, subject, code, applied) => {
    const asker = await client('ai-demo');
    await expect(asker.request(subject, nothing, { timeoutMs: 30_000 })).rejects.toMatchObject({
      code,
      applied,
    });
  });

  it('no answer in time: unknown whether it was applied', async () => {
    const ledger = await client('ledger');
    ledger.connection.subscribe('ledger.v1.qry.ai-demo.price', {
      queue: 'ledger',
      callback: () => {},
    });
    await ledger.connection.flush();
    const asker = await client('ai-demo');
    const asked = asker.request('ledger.v1.qry.ai-demo.price', nothing, { timeoutMs: 100 });
    await expect(asked).rejects.toMatchObject({ code: 'timeout', applied: 'unknown' });
  });

  it('more than the server takes: not sent', async () => {
    const asker = await client('ai-demo');
    const asked = asker.request('ledger.v1.qry.ai-demo.price', new Uint8Array(1_100_000), {
      timeoutMs: 100,
    });
    await expect(asked).rejects.toMatchObject({ code: 'not_sent', applied: 'no' });
  });

  it('server gone: fails at once while it is away, works again when it is back', async () => {
    const ledger = await client('ledger');
    ledger.connection.subscribe('ledger.v1.qry.ai-demo.hold', {
      queue: 'ledger',
      callback: (_error, message) => message.respond(),
    });
    const asker = await client('ai-demo');
    const { port } = server;
    await server.stop();
    await vi.waitFor(() => expect(asker.isConnected()).toBe(false));
    const away = asker.request('ledger.v1.qry.ai-demo.hold', nothing, { timeoutMs: 30_000 });
    await expect(away).rejects.toMatchObject({ code: 'not_connected', applied: 'no' });

    server = await startNatsServer({ dir, port });
    await vi.waitFor(
      () => expect([asker.isConnected(), ledger.isConnected()]).toEqual([true, true]),
      { timeout: 10_000 },
    );
    await vi.waitFor(
      () => asker.request('ledger.v1.qry.ai-demo.hold', nothing, { timeoutMs: 1_000 }),
      { timeout: 5_000 },
    );
  });

  it('closes although the server is away, and then says so', async () => {
    const asker = await client('ai-demo');
    const { port } = server;
    await server.stop();
    await vi.waitFor(() => expect(asker.isConnected()).toBe(false));
    await asker.close();
    expect(await asker.closed).toBeNull();
    server = await startNatsServer({ dir, port });
  });
});
