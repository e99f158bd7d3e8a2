import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { createJetStream } from '@points/runtime/jetstream';
import { createLog } from '@points/runtime/log';
import { connectNats, type Nats } from '@points/runtime/nats';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProvisionError, provisionStreams } from './provision.ts';
import { CONSUMERS } from './streams.ts';

const log = createLog('test', 'silent');
let dir: string;
let server: NatsServer;
const open: Nats[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'points-nats-'));
  server = await startNatsServer({ dir });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((nats) => nats.close()));
  await server.stop();
  rmSync(dir, { recursive: true });
});

async function as(name: string): Promise<Nats> {
  const { user, pass } = server.clients[name] ?? { user: '', pass: '' };
  const nats = await connectNats({ url: server.url, user, pass, name, log });
  open.push(nats);
  return nats;
}

it('makes everything once, and keeps what the streams hold', async () => {
  const job = await as('provision');
  const first = await provisionStreams(job);
  expect(first.done).toHaveLength(7);
  expect(first.done.every(({ how }) => how === 'created')).toBe(true);
  await createJetStream(await as('ai-demo')).publish(
    'ledger.v1.q.ai-demo.confirm',
    Buffer.from('1'),
  );
  const second = await provisionStreams(job);
  expect(second.done.every(({ how }) => how === 'unchanged')).toBe(true);
  expect(second.serverVersion).toMatch(/^\d+\.\d+\.\d+/);
  const state = await createJetStream(await as('ledger')).streamState('LEDGER_CMD');
  expect(state.messages).toBe(1);
});

it('changes what has been set up otherwise', async () => {
  const job = await as('provision');
  const other = CONSUMERS.map((consumer) => ({ ...consumer, ackWaitMs: 1_000, maxAckPending: 7 }));
  await provisionStreams(job, other);
  const how = async () =>
    (await provisionStreams(job)).done
      .filter(({ what }) => what.includes(' '))
      .map((each) => each.how);
  expect(await how()).toEqual(['changed', 'changed']);
  expect(await how()).toEqual(['unchanged', 'unchanged']);
});

it('does not call it a refusal when the link is lost', async () => {
  const job = await as('provision');
  const provisioning = provisionStreams(job).catch((error: unknown) => error);
  await job.connection.close();
  expect(await provisioning).toMatchObject({ name: 'JetStreamError', code: 'disconnected' });
});

it('says so when it may not', async () => {
  await expect(provisionStreams(await as('ai-demo'))).rejects.toThrow(ProvisionError);
  await expect(provisionStreams(await as('ai-demo'))).rejects.toThrow(
    'The streams of NATS could not be set up: the NATS server does not permit LEDGER_CMD.',
  );
});
