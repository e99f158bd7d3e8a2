import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { provisionStreams } from '../../../infra/nats/provision.ts';
import { CONSUMERS } from '../../../infra/nats/streams.ts';
import {
  consume,
  type ConsumeOptions,
  type Consuming,
  type Delivery,
} from './jetstream-consume.ts';
import { createJetStream } from './jetstream.ts';
import { createLog } from './log.ts';
import { connectNats, type Nats } from './nats.ts';
import { rawPublish } from './testing/raw-publish.ts';

const log = createLog('test', 'silent');
const ACK_WAIT_MS = 500;
const MAX_DELIVER = 10;
let dir: string;
let server: NatsServer;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'points-nats-'));
  server = await startNatsServer({ dir });
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
  await server.stop();
  rmSync(dir, { recursive: true });
});

async function client(name: string): Promise<Nats> {
  const { user, pass } = server.clients[name] ?? { user: '', pass: '' };
  const nats = await connectNats({ url: server.url, user, pass, name, log });
  closing.push(() => nats.close());
  return nats;
}

async function provision(): Promise<void> {
  const consumers = CONSUMERS.map((consumer) => ({
    ...consumer,
    ackWaitMs: ACK_WAIT_MS,
    maxDeliver: consumer.stream === 'LEDGER_CMD' ? MAX_DELIVER : consumer.maxDeliver,
  }));
  await provisionStreams(await client('provision'), consumers);
}

async function start(
  handler: (delivery: Delivery) => Promise<void>,
  changes: Partial<ConsumeOptions> = {},
): Promise<Consuming> {
  const consuming = consume(await client('ledger'), {
    stream: 'LEDGER_CMD',
    consumer: 'ledger-cmd',
    maxInHand: 64,
    handler,
    mayPull: () => true,
    log,
    ...changes,
  });
  closing.push(() => consuming.stop());
  return consuming;
}

async function put(count: number): Promise<void> {
  const streams = createJetStream(await client('ai-demo'));
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      streams.publish('ledger.v1.q.ai-demo.confirm', Buffer.from(String(index)), {
        headers: { x: String(index) },
      }),
    ),
  );
}

const left = async (): Promise<number> =>
  (await createJetStream(await client('ledger')).streamState('LEDGER_CMD')).messages;

describe('consume', () => {
  it('gives the handler what was stored, and an acknowledged message is gone', async () => {
    await provision();
    const seen: Delivery[] = [];
    const consuming = await start(async (delivery) => {
      seen.push(delivery);
      delivery.ack();
    });
    const before = Date.now();
    await put(1);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    expect(seen[0]).toMatchObject({
      subject: 'ledger.v1.q.ai-demo.confirm',
      sequence: 1,
      deliveries: 1,
      headers: { x: '0' },
    });
    expect(seen[0]?.storedMs).toBeGreaterThanOrEqual(before - 1);
    expect(seen[0]?.storedMs).toBeLessThanOrEqual(Date.now() + 1);
    expect(seen[0]?.header('x')).toBe('0');
    await vi.waitFor(async () => expect(await left()).toBe(0));
    expect(consuming.trouble()).toBeNull();
  });

  it('gives the handler a message whose headers cannot be read as one without any', async () => {
    await provision();
    const { user, pass } = server.clients['ai-demo'] ?? { user: '', pass: '' };
    await rawPublish({
      port: server.port,
      user,
      pass,
      subject: 'ledger.v1.q.ai-demo.confirm',
      headers: ['Nats-Msg-Id: 1', 'bad name: x'],
      body: 'body',
    });
    const stored = await createJetStream(await client('ledger')).message('LEDGER_CMD', 1);
    expect(stored?.headers).toEqual({});
    const seen: Delivery[] = [];
    await start(async (delivery) => {
      seen.push(delivery);
      delivery.ack();
    });
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    expect(seen[0]?.headers).toEqual({});
    expect(Buffer.from(seen[0]?.data ?? []).toString()).toBe('body');
  });

  it('has never more in hand than it may, and takes the next when one is done', async () => {
    await provision();
    await put(20);
    const waiting: Delivery[] = [];
    let most = 0;
    const doneOf = new Map<Delivery, () => void>();
    const consuming = await start(
      (delivery) => {
        waiting.push(delivery);
        most = Math.max(most, waiting.length);
        delivery.working();
        return new Promise((resolve) => doneOf.set(delivery, () => resolve()));
      },
      { maxInHand: 4 },
    );
    for (let remaining = 20; remaining > 0; remaining -= 1) {
      await vi.waitFor(() => expect(waiting).toHaveLength(Math.min(4, remaining)));
      const delivery = waiting.shift();
      delivery?.ack();
      if (delivery) doneOf.get(delivery)?.();
    }
    expect(most).toBe(4);
    await vi.waitFor(() => expect(consuming.inHand()).toBe(0));
    await vi.waitFor(async () => expect(await left()).toBe(0));
  });

  it('asks for nothing while it may not', async () => {
    await provision();
    await put(1);
    let may = false;
    const seen: Delivery[] = [];
    let asked = 0;
    await start(
      async (delivery) => {
        seen.push(delivery);
        delivery.ack();
      },
      {
        mayPull: () => {
          asked += 1;
          return may;
        },
      },
    );
    await vi.waitFor(() => expect(asked).toBeGreaterThan(3));
    expect(seen).toEqual([]);
    may = true;
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    expect(seen[0]?.deliveries).toBe(1);
  });

  it('nak, silence and a failing handler bring a message again, working keeps it, term ends it', async () => {
    await provision();
    await put(1);
    const counts: number[] = [];
    let leftAtWork = 0;
    await start(async (delivery) => {
      counts.push(delivery.deliveries);
      if (delivery.deliveries === 1) delivery.nak(10);
      else if (delivery.deliveries === 2) throw new Error('bug');
      else {
        for (const until = Date.now() + 2 * ACK_WAIT_MS; Date.now() < until;) {
          delivery.working();
          await new Promise((resolve) => setTimeout(resolve, ACK_WAIT_MS / 5));
        }
        leftAtWork = await left();
        delivery.term();
        delivery.ack(); // too late to be said
      }
    });
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 10_000 });
    expect(counts).toEqual([1, 2, 3]);
    expect(leftAtWork).toBe(1);
  });

  it('waits for a consumer that is not there, says so, and goes on when it is', async () => {
    const seen: Delivery[] = [];
    const consuming = await start(async (delivery) => {
      seen.push(delivery);
      delivery.ack();
    });
    await vi.waitFor(() =>
      expect(consuming.trouble()).toBe('there is no stream LEDGER_CMD with a consumer ledger-cmd'),
    );
    await provision();
    await put(1);
    await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 5_000 });
    await vi.waitFor(() => expect(consuming.trouble()).toBeNull(), { timeout: 5_000 });
  });

  it('says so when it may not listen', async () => {
    await provision();
    const { user, pass } = server.clients['ledger'] ?? { user: '', pass: '' };
    const foreign = { user, pass, inboxPrefix: '_INBOX.api', url: server.url, name: 'test', log };
    const nats = await connectNats(foreign);
    closing.push(() => nats.close());
    const consuming = consume(nats, {
      stream: 'LEDGER_CMD',
      consumer: 'ledger-cmd',
      maxInHand: 1,
      handler: () => Promise.resolve(),
      mayPull: () => false,
      log,
    });
    closing.push(() => consuming.stop());
    await vi.waitFor(() => expect(consuming.trouble()).toContain('cannot be received'));
  });

  it('goes on after the server was away', async () => {
    await provision();
    const seen: Delivery[] = [];
    await start(async (delivery) => {
      seen.push(delivery);
      delivery.ack();
    });
    await put(1);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    const { port } = server;
    await server.stop();
    server = await startNatsServer({ dir, port });
    await put(1);
    await vi.waitFor(() => expect(seen.some(({ sequence }) => sequence === 2)).toBe(true), {
      timeout: 15_000,
    });
  });

  it('stop waits for what is in hand and asks for nothing more', async () => {
    await provision();
    let finish = (): void => {};
    const consuming = await start(
      (delivery) =>
        new Promise((resolve) => {
          finish = () => {
            delivery.ack();
            resolve();
          };
        }),
    );
    await put(1);
    await vi.waitFor(() => expect(consuming.inHand()).toBe(1));
    let stopped = false;
    const stopping = consuming.stop().then(() => (stopped = true));
    await put(1);
    expect(stopped).toBe(false);
    finish();
    await stopping;
    expect(await left()).toBe(1);
  });
});
