import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface FrozenLink {
  /** The same URL, through the link. */
  readonly url: string;
  /** From now on nothing passes in either direction, and nobody is told. */
  freeze(): void;
  thaw(): void;
  /** Ends all connections and takes no new ones until `thaw`. */
  cut(): void;
  close(): Promise<void>;
}

/** A TCP link to a server that a test can freeze or cut, as a network or a stopped machine does. */
export async function startFrozenLink(url: string): Promise<FrozenLink> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let refusing = false;
  const server = createServer((near) => {
    if (refusing) {
      near.destroy();
      return;
    }
    const far = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String(portOf(server.address()));
  const endAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: through.toString(),
    freeze: () => {
      for (const socket of sockets) socket.pause();
    },
    thaw: () => {
      refusing = false;
      for (const socket of sockets) socket.resume();
    },
    cut: () => {
      refusing = true;
      endAll();
    },
    close: async () => {
      endAll();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  return address.port;
}
