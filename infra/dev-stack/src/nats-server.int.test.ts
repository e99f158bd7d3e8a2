import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { CLIENTS } from '../../nats/permissions.ts';
import { type NatsServer, startNatsServer } from './nats-server.ts';

const dir = mkdtempSync(join(tmpdir(), 'points nats-')); // a blank in the path must not matter
const running: NatsServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});
afterAll(() => rmSync(dir, { recursive: true }));

async function start(port = 0): Promise<NatsServer> {
  const server = await startNatsServer({ dir, port });
  running.push(server);
  return server;
}

async function connects(server: NatsServer, user: string, pass: string): Promise<boolean> {
  try {
    const connection = await connect({ servers: server.url, user, pass, reconnect: false });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

describe('startNatsServer', () => {
  it('lets in each client with its password and nobody else', async () => {
    const server = await start();
    for (const { user, pass } of Object.values(server.clients)) {
      expect(await connects(server, user, pass)).toBe(true);
      expect(await connects(server, user, 'wrong')).toBe(false);
    }
    expect(Object.keys(server.clients)).toEqual(CLIENTS.map(({ name }) => name));
  });

  it('keeps the passwords over a restart and makes others in another folder', async () => {
    const first = await start();
    await first.stop();
    expect((await start()).clients).toEqual(first.clients);
    const other = mkdtempSync(join(tmpdir(), 'points-nats-'));
    const stranger = await startNatsServer({ dir: other });
    expect(stranger.clients).not.toEqual(first.clients);
    await stranger.stop();
    rmSync(other, { recursive: true });
  });

  it('has JetStream', async () => {
    const server = await start();
    const connection = await connect({ servers: server.url, ...server.clients['admin'] });
    expect(connection.info?.jetstream).toBe(true);
    await connection.close();
  });

  it('ends a server that somebody left running on the same folder', async () => {
    const orphan = await start();
    const next = await start(orphan.port);
    await orphan.exited;
    expect(next.port).toBe(orphan.port);
  });

  it('says that a given port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await expect(start(port)).rejects.toThrow(
      /^nats-server did not start: .*address already in use.*nats-server\.log/,
    );
    other.close();
  });
});
