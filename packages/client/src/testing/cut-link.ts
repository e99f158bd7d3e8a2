import { once } from 'node:events';
import net from 'node:net';

/** A line to a server of this machine that can be cut and mended; its port stays the same. */
export interface CutLink {
  readonly port: number;
  cut(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function startCutLink(serverPort: number): Promise<CutLink> {
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((toClient) => {
    const toServer = net.connect(serverPort, '127.0.0.1');
    toClient.pipe(toServer).pipe(toClient);
    for (const socket of [toClient, toServer]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        toClient.destroy();
        toServer.destroy();
      });
    }
  });
  let port = 0;
  const mend = async (): Promise<void> => {
    if (listener.listening) return;
    listener.listen(port, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    port = address.port;
  };
  const cut = async (): Promise<void> => {
    if (!listener.listening) return;
    listener.close();
    for (const socket of sockets) socket.destroy();
    await once(listener, 'close');
  };
  await mend();
  return { port, cut, mend, close: cut };
}
