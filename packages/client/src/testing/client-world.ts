import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startWorld, type World } from '@points/ledger/testing/ledger-under-test';
import { createLog } from '@points/runtime/log';
import { connectNats, type Nats } from '@points/runtime/nats';
import { onTestFinished } from 'vitest';
import { connect, type ConnectOptions, type LedgerClient } from '../connect.ts';
import { silentLog } from '../log.ts';
import { type CutLink, startCutLink } from './cut-link.ts';

export const CLIENT = 'ai-demo';

/** A real ledger behind a real nats-server with the real permissions, and clients that reach it over a line that can be cut. */
export interface ClientWorld {
  readonly world: World;
  readonly line: CutLink;
  /** A client with an outbox of its own unless `dir` names one; closed when the test is over. */
  connect(options?: Partial<ConnectOptions> & { dir?: string }): Promise<LedgerClient>;
  /** For connections that are not of the SDK, as that user of NATS. */
  nats(user: string): Promise<Nats>;
  credentials(user: string): { user: string; pass: string };
  /** An account with so many points. */
  account(points: number): Promise<string>;
  /** Types of the account's events after the recharge. */
  eventTypes(accountId: string): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startClientWorld(): Promise<ClientWorld> {
  const world = await startWorld();
  const line = await startCutLink(world.natsServer.port);
  const credentials = (user: string) => {
    const known = world.natsServer.clients[user];
    if (known === undefined) throw new Error(`no NATS client ${user}`);
    return known;
  };
  const nats = (user: string) =>
    connectNats({
      url: world.natsServer.url,
      ...credentials(user),
      name: 'test',
      log: createLog('test', 'silent'),
    });
  let accounts = 0;
  return {
    world,
    line,
    nats,
    credentials,
    async connect({ dir = newFolder(), ...options } = {}) {
      const client = await connect({
        servers: `nats://127.0.0.1:${line.port}`,
        client: CLIENT,
        credentials: credentials(CLIENT),
        outbox: { dir },
        log: silentLog,
        ...options,
      });
      onTestFinished(async () => void (await client.close(0)));
      return client;
    },
    async account(points) {
      const account_id = `user-${(accounts += 1)}`;
      await world.ok('admin', 'cmd.recharge', {
        account_id,
        source: 'admin',
        source_ref: 'test',
        points,
      });
      return account_id;
    },
    async eventTypes(accountId) {
      return (await world.events(accountId)).slice(1).map(({ type }) => type);
    },
    async stop() {
      await line.close();
      await world.stop();
    },
  };
}

export function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'outbox-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
