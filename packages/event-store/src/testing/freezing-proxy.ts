import { once } from 'node:events';
import net from 'node:net';

/** Stands between a client and a server, to be the network or the machine that stops without a word. */
export async function startFreezingProxy(serverPort: number): Promise<FreezingProxy> {
  const pairs = new Set<readonly [net.Socket, net.Socket]>();
  let frozen = false;
  const listener = net.createServer((toClient) => {
    const toServer = net.connect(serverPort, '127.0.0.1');
    const pair = [toClient, toServer] as const;
    pairs.add(pair);
    toClient.pipe(toServer);
    toServer.pipe(toClient);
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    if (frozen) freezePair(pair);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    freeze() {
      frozen = true;
      for (const pair of pairs) freezePair(pair);
    },
    cut() {
      frozen = false;
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
  /** Nothing goes through any more; no connection is closed. */
  readonly freeze: () => void;
  /** Resets every connection; new ones go through again. */
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
