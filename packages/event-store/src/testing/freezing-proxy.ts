import { once } from 'node:events';
import net from 'node:net';

/** Stands between a client and a server, to be the network or the machine that stops without a word. */
export async function startFreezingProxy(serverPort: number): Promise<FreezingProxy> {
  const pairs = new Set<readonly [net.Socket, net.Socket]>();
  let bytesToClients = 0;
  const listener = net.createServer((toClient) => {
    const toServer = net.connect(serverPort, '127.0.0.1');
    const pair = [toClient, toServer] as const;
    pairs.add(pair);
    toClient.pipe(toServer);
    toServer.pipe(toClient);
    toServer.on('data', (chunk: Buffer) => {
      bytesToClients += chunk.length;
    });
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    bytesToClients: () => bytesToClients,
    openConnections: () => pairs.size,
    freeze() {
      for (const pair of pairs) freezePair(pair);
    },
    cut() {
      for (const [toClient] of pairs) toClient.resetAndDestroy();
    },
    async connectionsClosed() {
      await Promise.all([...pairs].map(([toClient]) => once(toClient, 'close')));
    },
    async close() {
      listener.close();
      for (const [toClient] of pairs) toClient.destroy();
      await once(listener, 'close');
    },
  };
}

export interface FreezingProxy {
  readonly port: number;
  /** All that has come from the server so far. */
  readonly bytesToClients: () => number;
  readonly openConnections: () => number;
  /** Nothing goes through the connections of this moment any more, and they are not closed. New ones work. */
  readonly freeze: () => void;
  /** Resets every connection. */
  readonly cut: () => void;
  /** Resolves when the connections of this moment are closed. */
  readonly connectionsClosed: () => Promise<void>;
  readonly close: () => Promise<void>;
}

function freezePair(pair: readonly [net.Socket, net.Socket]): void {
  for (const socket of pair) {
    socket.unpipe();
    socket.pause();
  }
}
