import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { createLog } from '@points/runtime/log';
import { connectNats, type Nats, NatsRequestError } from '@points/runtime/nats';
import { serve } from '@points/runtime/nats-service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findNatsServer } from '../../scripts/find-nats-server.mjs';
import { CLIENTS, passwordVariable } from './permissions.ts';
import { provisionStreams } from './provision.ts';

const dir = mkdtempSync(join(tmpdir(), 'points-nats-'));
const log = createLog('test', 'silent');
const nothing = new Uint8Array();
let server: NatsServer;
const open = new Map<string, Nats>();

beforeAll(async () => {
  const clients = [...CLIENTS, { name: 'ai-other', role: 'ai' as const }];
  server = await startNatsServer({ dir, clients });
  for (const { name } of clients) {
    const { user, pass } = server.clients[name] ?? { user: '', pass: '' };
    open.set(name, await connectNats({ url: server.url, user, pass, name, log }));
  }
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

/** Only the server's own streams answer in these tests; any other permitted request ends with "no responders". */
async function ask(client: string, subject: string): Promise<string> {
  try {
    await as(client).request(subject, nothing, { timeoutMs: 2_000 });
    return 'answered';
  } catch (error) {
    if (!(error instanceof NatsRequestError)) throw error;
    return error.code === 'no_responders'
      ? 'permitted'
      : error.code === 'not_permitted'
        ? 'refused'
        : error.code;
  }
}

async function hear(client: string, subject: string, queue?: string): Promise<string> {
  let result = 'permitted';
  const callback = (error: Error | null) => {
    if (error) result = 'refused';
  };
  const { connection } = as(client);
  const subscription = connection.subscribe(subject, queue ? { queue, callback } : { callback });
  await connection.flush(); // a refusal arrives before the answer to this
  subscription.unsubscribe();
  return result;
}

describe('requests', () => {
  it.each([
    ['ai-demo', 'ledger.v1.cmd.ai-demo.hold', 'permitted'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.confirm', 'permitted'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.cancel', 'permitted'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.extend', 'permitted'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.consume', 'permitted'],
    ['ai-demo', 'ledger.v1.qry.ai-demo.balance', 'permitted'],
    ['ai-demo', 'ledger.v1.qry.ai-demo.command', 'permitted'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.recharge', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.refund', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.adjust', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.register_model', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.reload_config', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-other.hold', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.admin.recharge', 'refused'],
    ['ai-demo', 'ledger.v1.qry.ai-other.balance', 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.hold.x', 'refused'],
    ['ai-demo', '$SRV.INFO', 'refused'],
    ['ai-demo', '$JS.API.INFO', 'refused'],
    ['ai-demo', '$SYS.REQ.SERVER.PING', 'refused'],
    ['api', 'ledger.v1.cmd.api.consume', 'permitted'],
    ['api', 'ledger.v1.qry.api.health', 'permitted'],
    ['api', 'ledger.v1.cmd.api.recharge', 'refused'],
    ['api', 'ledger.v1.cmd.ai-demo.confirm', 'refused'],
    ['billing', 'ledger.v1.cmd.billing.recharge', 'permitted'],
    ['billing', 'ledger.v1.cmd.billing.reverse_recharge', 'permitted'],
    ['billing', 'ledger.v1.cmd.billing.refund', 'permitted'],
    ['billing', 'ledger.v1.cmd.billing.grant_membership', 'permitted'],
    ['billing', 'ledger.v1.qry.billing.balance', 'permitted'],
    ['billing', 'ledger.v1.cmd.billing.adjust', 'refused'],
    ['billing', 'ledger.v1.cmd.billing.hold', 'refused'],
    ['admin', 'ledger.v1.cmd.admin.recharge', 'permitted'],
    ['admin', 'ledger.v1.cmd.admin.register_model', 'permitted'],
    ['admin', 'ledger.v1.qry.admin.health', 'permitted'],
    ['admin', '$SRV.PING', 'permitted'],
    ['admin', 'ledger.v1.cmd.billing.recharge', 'refused'],
    ['admin', '$JS.API.INFO', 'refused'],
    ['ledger', 'ledger.v1.cmd.ledger.recharge', 'refused'],
    ['ledger', '$JS.API.STREAM.INFO.LEDGER_CMD', 'answered'],
    ['ledger', '$JS.API.STREAM.MSG.GET.LEDGER_CMD', 'answered'],
    ['ledger', '$JS.API.STREAM.MSG.DELETE.LEDGER_CMD', 'answered'],
    ['ledger', '$JS.API.CONSUMER.INFO.LEDGER_CMD.ledger-cmd', 'answered'],
    ['ledger', '$JS.API.CONSUMER.INFO.LEDGER_DLQ_ADV.ledger-adv', 'answered'],
    ['ledger', '$JS.API.STREAM.MSG.DELETE.LEDGER_EVT', 'refused'],
    ['ledger', '$JS.API.STREAM.MSG.DELETE.LEDGER_RES', 'refused'],
    ['ledger', '$JS.API.STREAM.PURGE.LEDGER_CMD', 'refused'],
    ['ledger', '$JS.API.STREAM.UPDATE.LEDGER_CMD', 'refused'],
    ['ledger', '$JS.API.CONSUMER.DELETE.LEDGER_CMD.ledger-cmd', 'refused'],
    ['relay', '$JS.API.STREAM.INFO.LEDGER_EVT', 'answered'],
    ['relay', '$JS.API.STREAM.MSG.GET.LEDGER_EVT', 'answered'],
    ['relay', '$JS.API.STREAM.MSG.DELETE.LEDGER_EVT', 'refused'],
    ['relay', '$JS.API.STREAM.INFO.LEDGER_CMD', 'refused'],
    ['relay', 'ledger.v1.cmd.relay.hold', 'refused'],
    ['relay', 'ledger.v1.qry.relay.balance', 'refused'],
    ['provision', '$JS.API.STREAM.CREATE.LEDGER_CMD', 'answered'],
    ['provision', '$JS.API.CONSUMER.DURABLE.CREATE.LEDGER_CMD.ledger-cmd', 'answered'],
    ['provision', '$JS.API.STREAM.CREATE.OTHER', 'refused'],
    ['provision', '$JS.API.STREAM.DELETE.LEDGER_CMD', 'refused'],
    ['provision', '$JS.API.STREAM.MSG.GET.LEDGER_CMD', 'refused'],
    ['dlq', '$JS.API.STREAM.MSG.GET.LEDGER_DLQ', 'answered'],
    ['dlq', '$JS.API.STREAM.MSG.DELETE.LEDGER_DLQ', 'answered'],
    ['dlq', '$JS.API.STREAM.MSG.GET.LEDGER_CMD', 'refused'],
    ['dlq', 'ledger.v1.cmd.ai-demo.confirm', 'refused'],
    ['ai-demo', '$JS.API.STREAM.INFO.LEDGER_CMD', 'refused'],
    ['ai-demo', '$JS.API.STREAM.MSG.GET.LEDGER_RES', 'refused'],
    ['ai-demo', '$JS.API.DIRECT.GET.LEDGER_RES', 'refused'],
    ['ai-demo', '$JS.API.DIRECT.GET.LEDGER_RES.ledger.v1.res.ai-other.x', 'refused'],
    ['ai-demo', '$JS.API.CONSUMER.MSG.NEXT.LEDGER_CMD.ledger-cmd', 'refused'],
    ['ai-demo', '$JS.API.CONSUMER.CREATE.LEDGER_RES', 'refused'],
    ['ai-demo', '$JS.ACK.LEDGER_CMD.ledger-cmd.1.1.1.1.0', 'refused'],
    ['billing', '$JS.API.DIRECT.GET.LEDGER_RES.ledger.v1.res.billing.x', 'refused'],
    ['ledger', 'ledger.v1.cmd.admin.recharge', 'refused'],
    ['ledger', '$JS.API.INFO', 'refused'],
  ])('%s asks %s: %s', async (client, subject, expected) => {
    expect(await ask(client, subject)).toBe(expected);
  });
});

describe('what looks like an event, a result or a reply', () => {
  it.each([
    ['ai-demo', 'ledger.v1.evt.PointsRecharged.test_user', 'refused'],
    ['ai-demo', 'ledger.v1.res.ai-demo.x', 'refused'],
    ['ai-demo', 'ledger.v1.dlq.ai-demo.confirm', 'refused'],
    ['ai-demo', 'ledger.v1.q.ai-demo.confirm', 'answered'],
    ['ai-demo', 'ledger.v1.q.ai-demo.cancel', 'answered'],
    ['ai-demo', 'ledger.v1.q.ai-demo.hold', 'refused'],
    ['ai-demo', 'ledger.v1.q.ai-other.confirm', 'refused'],
    ['api', 'ledger.v1.q.api.cancel', 'answered'],
    ['api', 'ledger.v1.q.ai-demo.cancel', 'refused'],
    ['api', 'ledger.v1.res.api.x', 'refused'],
    ['billing', 'ledger.v1.q.billing.confirm', 'refused'],
    ['billing', 'ledger.v1.q.ai-demo.confirm', 'refused'],
    ['admin', 'ledger.v1.q.admin.confirm', 'refused'],
    ['admin', 'ledger.v1.q.ai-demo.confirm', 'refused'],
    ['admin', 'ledger.v1.dlq.ai-demo.confirm', 'refused'],
    ['relay', 'ledger.v1.evt.HoldConfirmed.u1', 'answered'],
    ['relay', 'ledger.v1.res.ai-demo.x', 'refused'],
    ['relay', 'ledger.v1.q.ai-demo.confirm', 'refused'],
    ['dlq', 'ledger.v1.q.ai-demo.confirm', 'answered'],
    ['dlq', 'ledger.v1.q.ai-demo.hold', 'refused'],
    ['dlq', 'ledger.v1.dlq.ai-demo.confirm', 'refused'],
    ['provision', 'ledger.v1.q.ai-demo.confirm', 'refused'],
    ['ledger', 'ledger.v1.res.ai-demo.x', 'answered'],
    ['ledger', 'ledger.v1.dlq.ai-demo.confirm', 'answered'],
    ['ledger', 'ledger.v1.q.ai-demo.confirm', 'refused'],
    ['ai-demo', '_INBOX.ai-other.x', 'refused'],
    ['api', 'ledger.v1.evt.PointsRecharged.test_user', 'refused'],
    ['admin', 'ledger.v1.evt.PointsRecharged.test_user', 'refused'],
    ['ledger', 'ledger.v1.evt.PointsRecharged.test_user', 'refused'],
    ['ledger', 'anything', 'refused'],
    ['ledger', '_INBOX.nobody.x', 'permitted'],
  ])('%s to %s: %s', async (client, subject, expected) => {
    expect(await ask(client, subject)).toBe(expected);
  });
});

describe('listening', () => {
  it.each([
    ['ai-demo', '_INBOX.ai-demo.x', undefined, 'permitted'],
    ['ai-demo', '_INBOX.ai-other.>', undefined, 'refused'],
    ['ai-demo', '_INBOX.>', undefined, 'refused'],
    ['ai-demo', '>', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.cmd.>', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.cmd.ai-demo.hold', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.cmd.>', 'ledger', 'refused'],
    ['ai-demo', 'ledger.v1.evt.>', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.res.ai-demo.>', undefined, 'permitted'],
    ['ai-demo', 'ledger.v1.res.ai-demo.*', undefined, 'permitted'],
    ['ai-demo', 'ledger.v1.res.ai-other.x', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.res.>', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.q.ai-demo.confirm', undefined, 'refused'],
    ['ai-demo', 'ledger.v1.dlq.>', undefined, 'refused'],
    ['relay', 'ledger.v1.evt.>', undefined, 'refused'],
    ['dlq', 'ledger.v1.dlq.>', undefined, 'refused'],
    ['ledger', 'ledger.v1.q.>', undefined, 'refused'],
    ['ledger', '$JS.EVENT.ADVISORY.>', undefined, 'refused'],
    ['admin', 'ledger.v1.cmd.>', undefined, 'refused'],
    ['admin', '_INBOX.>', undefined, 'refused'],
    ['ledger', 'ledger.v1.cmd.*.hold', 'ledger', 'permitted'],
    ['ledger', 'ledger.v1.qry.>', 'ledger', 'permitted'],
    ['ledger', 'ledger.v1.cmd.>', undefined, 'refused'],
    ['ledger', 'ledger.v1.cmd.>', 'spy', 'refused'],
    ['ledger', '_INBOX.>', undefined, 'refused'],
  ])('%s to %s (queue %s): %s', async (client, subject, queue, expected) => {
    expect(await hear(client, subject, queue)).toBe(expected);
  });
});

it('a hold travels from an AI service to the ledger and back', async () => {
  const serving = await serve(as('ledger'), {
    name: 'ledger',
    version: '1.0.0',
    endpoints: [
      {
        name: 'hold',
        subject: 'ledger.v1.cmd.*.hold',
        queue: 'ledger',
        handler: async ({ subject }) => ({ data: Buffer.from(subject) }),
      },
    ],
    maxInFlight: 10,
    overloaded: () => ({ data: nothing }),
    failed: () => ({ data: nothing }),
    onBroken: (error) => expect.unreachable(error.message),
    log,
  });
  const reply = await as('ai-demo').request('ledger.v1.cmd.ai-demo.hold', nothing, {
    timeoutMs: 2_000,
  });
  expect(Buffer.from(reply.data).toString()).toBe('ledger.v1.cmd.ai-demo.hold');
  await serving.stop();
});

it('nats-server accepts the production files with passwords from its environment', () => {
  const passwords = Object.fromEntries(
    CLIENTS.map(({ name }) => [passwordVariable(name), `p-${name}`]),
  );
  const config = fileURLToPath(new URL('nats.conf', import.meta.url));
  const run = spawnSync(findNatsServer() ?? '', ['-t', '-c', config], {
    env: { ...process.env, ...passwords },
    encoding: 'utf8',
  });
  expect(run.stderr).toContain('is valid');
  const without = spawnSync(findNatsServer() ?? '', ['-t', '-c', config], { encoding: 'utf8' });
  expect(without.status).not.toBe(0);
});
