import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** A way to a server that is cut at a certain word of the client, which the server then never hears. */
export interface CuttingProxy {
  readonly port: number;
  /** How often it was cut. */
  cuts(): number;
  /** From now on every connection is cut as soon as the client says `text`, and refused afterwards. */
  cutAt(text: string): void;
  /** Lets everything through (again). */
  letThrough(): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(serverPort: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let fatal: string | null = null;
  let isCut = false;
  let cuts = 0;

  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: serverPort });
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on('data', (chunk) => {
      const at = fatal === null ? -1 : chunk.indexOf(fatal);
      if (at === -1) {
        upstream.write(chunk);
        return;
      }
      isCut = true;
      cuts += 1;
      end();
    });
    upstream.on('data', (chunk) => client.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    cuts: () => cuts,
    cutAt(text) {
      fatal = text;
    },
    letThrough() {
      fatal = null;
      isCut = false;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
