import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { createLog } from '@points/runtime/log';
import { connectNats, type Nats } from '@points/runtime/nats';
import { serve, type Serving } from '@points/runtime/nats-service';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type LedgerLink, openLedgerLink } from './ledger-link.ts';

const log = createLog('api', 'silent');
const dir = mkdtempSync(join(tmpdir(), 'points-nats-'));

let server: NatsServer;
let link: LedgerLink;
let ledger: { nats: Nats; serving: Serving } | undefined;

beforeAll(async () => {
  server = await startNatsServer({ dir });
});

afterEach(async () => {
  await link.stop();
  await ledger?.serving.stop();
  await ledger?.nats.close();
  ledger = undefined;
});

afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true });
});

function open(natsPass = server.clients['api']?.pass ?? ''): void {
  link = openLedgerLink({ natsUrl: server.url, natsUser: 'api', natsPass, log });
}

/** Something that answers in the ledger's place. */
async function answerHealth(reply: object): Promise<void> {
  const pass = server.clients['ledger']?.pass ?? '';
  const nats = await connectNats({ url: server.url, user: 'ledger', pass, name: 'ledger', log });
  const data = new TextEncoder().encode(JSON.stringify(reply));
  const handler = () => Promise.resolve({ data });
  const serving = await serve(nats, {
    name: 'ledger',
    version: '1.0.0',
    endpoints: [{ name: 'health', subject: 'ledger.v1.qry.*.health', queue: 'ledger', handler }],
    maxInFlight: 10,
    overloaded: () => ({ data }),
    failed: () => ({ data }),
    onBroken: (error) => expect.unreachable(error.message),
    log,
  });
  ledger = { nats, serving };
}

const healthy = {
  ok: true,
  result: { event_store: 'up', caught_up: true },
  at: '2025-10-22T02:30:00.000Z',
};

/** What `health` comes to say; the connection is made in the background. */
async function eventually(expected: unknown): Promise<void> {
  const health = () =>
    link.health().catch((error: unknown) => (error instanceof Error ? error.message : error));
  await vi.waitFor(async () => expect(await health()).toEqual(expected), {
    timeout: 20_000,
    interval: 50,
  });
}

test('says what the ledger says of itself', async () => {
  await answerHealth(healthy);
  open();
  await eventually({ eventStore: 'up', caughtUp: true, reason: undefined });
});

test('passes on the reason of a ledger that is not well', async () => {
  await answerHealth({
    ...healthy,
    result: { event_store: 'down', caught_up: false, reason: 'event store: cut' },
  });
  open();
  await eventually({ eventStore: 'down', caughtUp: false, reason: 'event store: cut' });
});

test('fails while nobody answers', async () => {
  open();
  await eventually('nobody answers on ledger.v1.qry.api.health');
});

test('fails when the answer is not one of the ledger', async () => {
  await answerHealth({ hello: 'world' });
  open();
  await eventually(expect.stringContaining('ok'));
});

test('fails with the reason while the server refuses us', async () => {
  open('wrong');
  await eventually(expect.stringMatching(/refuses user api$/));
});

test('starts without a server, and finds it when it is there', async () => {
  await server.stop();
  open();
  await eventually(expect.stringMatching(/^no NATS server answers/));
  server = await startNatsServer({ dir, port: server.port });
  await eventually('nobody answers on ledger.v1.qry.api.health');
});

test('fails at once while the server is away, and works again by itself', async () => {
  open();
  await eventually('nobody answers on ledger.v1.qry.api.health');
  await server.stop();
  await eventually('no connection to NATS for ledger.v1.qry.api.health');
  server = await startNatsServer({ dir, port: server.port });
  await eventually('nobody answers on ledger.v1.qry.api.health');
});
