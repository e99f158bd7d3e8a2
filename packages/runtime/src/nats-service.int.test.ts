import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLog } from './log.ts';
import { connectNats, type Nats } from './nats.ts';
import {
  type NatsAnswer,
  type NatsRequest,
  serve,
  type ServeOptions,
  type Serving,
} from './nats-service.ts';
import { rawPublish } from './testing/raw-publish.ts';

const dir = mkdtempSync(join(tmpdir(), 'points-nats-'));
const log = createLog('test', 'silent');
const SUBJECT = 'ledger.v1.cmd.ai-demo.hold';
let server: NatsServer;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startNatsServer({ dir });
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true });
});

const text = (value: string): NatsAnswer => ({ data: Buffer.from(value) });

async function client(user: string): Promise<Nats> {
  const pass = server.clients[user]?.pass ?? '';
  const nats = await connectNats({ url: server.url, user, pass, name: 'test', log });
  closing.push(() => nats.close());
  return nats;
}

async function startService(
  handler: (request: NatsRequest) => Promise<NatsAnswer>,
  changes: Partial<ServeOptions> = {},
): Promise<Serving> {
  const serving = await serve(await client('ledger'), {
    name: 'ledger',
    version: '1.0.0',
    endpoints: [{ name: 'cmd', subject: 'ledger.v1.cmd.*.*', queue: 'ledger', handler }],
    maxInFlight: 10,
    overloaded: () => text('overloaded'),
    failed: () => text('failed'),
    onBroken: (error) => expect.unreachable(error.message),
    log,
    ...changes,
  });
  closing.push(() => serving.stop());
  return serving;
}

async function ask(nats: Nats, subject = SUBJECT, timeoutMs = 2_000): Promise<string> {
  return Buffer.from(
    (await nats.request(subject, Buffer.from('body'), { timeoutMs })).data,
  ).toString();
}

/** A handler that waits until `open` is called. */
function gate(): { handler: () => Promise<NatsAnswer>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { handler: () => opened.then(() => text('done')), open };
}

describe('serve', () => {
  it('gives the handler subject, body and headers and sends its answer with headers', async () => {
    await startService(async ({ subject, data, header }) => ({
      data: Buffer.from(
        `${subject} ${Buffer.from(data).toString()} ${header('Ledger-Deadline')} ${header('other')}`,
      ),
      headers: { 'Nats-Service-Error-Code': '402' },
    }));
    const asker = await client('ai-demo');
    const reply = await asker.request(SUBJECT, Buffer.from('body'), {
      timeoutMs: 2_000,
      headers: { 'Ledger-Deadline': '17' },
    });
    expect(Buffer.from(reply.data).toString()).toBe(`${SUBJECT} body 17 null`);
    expect(reply.header('Nats-Service-Error-Code')).toBe('402');
  });

  it('answers at once that it is overloaded when too many requests are in work', async () => {
    const { handler, open } = gate();
    const serving = await startService(handler, { maxInFlight: 2 });
    const asker = await client('ai-demo');
    const first = [ask(asker), ask(asker)];
    await vi.waitFor(() => expect(serving.inFlight()).toBe(2));
    expect(await ask(asker)).toBe('overloaded');
    open();
    expect(await Promise.all(first)).toEqual(['done', 'done']);
    await vi.waitFor(() => expect(serving.inFlight()).toBe(0));
    expect(await ask(asker)).toBe('done');
  });

  it('answers a request whose handler throws, and goes on', async () => {
    await startService(() => Promise.reject(new Error('bug')));
    const asker = await client('ai-demo');
    expect(await ask(asker)).toBe('failed');
    expect(await ask(asker)).toBe('failed');
  });

  it('answers `failed` when the answer itself cannot be sent', async () => {
    await startService(async () => ({ data: new Uint8Array(1_100_000) }));
    expect(await ask(await client('ai-demo'))).toBe('failed');
  });

  it('drops a request that wants the answer sent elsewhere, or nowhere', async () => {
    const handled: string[] = [];
    const serving = await startService(async ({ data }) => {
      handled.push(Buffer.from(data).toString());
      return text('done');
    });
    const victim = await client('api');
    const seen: string[] = [];
    victim.connection.subscribe('_INBOX.api.>', {
      callback: (_error, message) => void seen.push(message.subject),
    });
    await victim.connection.flush();
    const attacker = await client('ai-demo');
    attacker.connection.publish(SUBJECT, Buffer.from('elsewhere'), { reply: '_INBOX.api.x' });
    attacker.connection.publish(SUBJECT, Buffer.from('nobody’s'), { reply: '_INBOX.ai-demo' });
    attacker.connection.publish(SUBJECT, Buffer.from('nowhere'));
    expect(await ask(attacker)).toBe('done'); // sent last, so the others have been looked at
    await victim.connection.flush();
    expect(handled).toEqual(['body']);
    expect(serving.dropped()).toBe(3);
    expect(seen).toEqual([]);
  });

  it('reads a request whose headers cannot be read as one without any', async () => {
    const headers: (string | null)[] = [];
    await startService(async ({ header }) => {
      headers.push(header('Ledger-Deadline'));
      return text('done');
    });
    const { user, pass } = server.clients['ai-demo'] ?? { user: '', pass: '' };
    await rawPublish({
      port: server.port,
      user,
      pass,
      subject: SUBJECT,
      reply: '_INBOX.ai-demo.x',
      headers: ['Ledger-Deadline: 17', 'bad name: x'],
      body: 'body',
    });
    expect(await ask(await client('ai-demo'))).toBe('done');
    expect(headers).toEqual([null, null]);
  });

  it('stop takes nothing new and ends when what is in work is answered', async () => {
    const { handler, open } = gate();
    const serving = await startService(handler);
    const asker = await client('ai-demo');
    const inWork = ask(asker);
    await vi.waitFor(() => expect(serving.inFlight()).toBe(1));
    let hasStopped = false;
    const stopped = serving.stop().then(() => (hasStopped = true));
    await vi.waitFor(() =>
      expect(ask(asker, SUBJECT, 200)).rejects.toMatchObject({ code: 'no_responders' }),
    );
    expect(hasStopped).toBe(false);
    open();
    await stopped;
    expect(serving.inFlight()).toBe(0);
    expect(await inWork).toBe('done');
  });

  it('stop ends although a handler never does', async () => {
    const serving = await startService(() => new Promise(() => {}), { stopTimeoutMs: 100 });
    const asker = await client('ai-demo');
    const lost = ask(asker, SUBJECT, 500).catch((error: unknown) => error);
    await vi.waitFor(() => expect(serving.inFlight()).toBe(1));
    await serving.stop();
    expect(await lost).toMatchObject({ code: 'timeout' });
  });

  it('says when a subscription is lost, such as one that the server does not permit', async () => {
    const broken = new Promise<Error>((resolve) => {
      void startService(async () => text('x'), {
        endpoints: [
          {
            name: 'cmd',
            subject: 'ledger.v1.evt.>',
            queue: 'ledger',
            handler: async () => text('x'),
          },
        ],
        onBroken: resolve,
      });
    });
    expect((await broken).message).toMatch(/permission/i);
  });

  it('shows itself to administrators by the NATS services protocol', async () => {
    await startService(async () => text('x'));
    const admin = await client('admin');
    const reply = await admin.request('$SRV.INFO.ledger', new Uint8Array(), { timeoutMs: 2_000 });
    expect(JSON.parse(Buffer.from(reply.data).toString())).toMatchObject({
      name: 'ledger',
      version: '1.0.0',
      endpoints: [{ subject: 'ledger.v1.cmd.*.*' }],
    });
  });
});
