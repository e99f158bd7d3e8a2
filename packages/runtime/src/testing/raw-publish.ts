import { connect } from 'node:net';

/**
 * Publishes with headers as they are given, also such as no client library would send. Resolves when the server has
 * taken it.
 */
export async function rawPublish(options: {
  port: number;
  user: string;
  pass: string;
  subject: string;
  reply?: string;
  /** Lines `name: value`. */
  headers: string[];
  body: string;
}): Promise<void> {
  const { port, user, pass, subject, reply = '', headers, body } = options;
  const socket = connect({ host: '127.0.0.1', port });
  const block = `NATS/1.0\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`;
  const sizes = `${Buffer.byteLength(block)} ${Buffer.byteLength(block + body)}`;
  const hello = JSON.stringify({ user, pass, verbose: false, headers: true, protocol: 1 });
  socket.write(`CONNECT ${hello}\r\n`);
  socket.write(`HPUB ${subject} ${reply === '' ? '' : `${reply} `}${sizes}\r\n${block}${body}\r\n`);
  socket.write('PING\r\n');
  await new Promise<void>((resolve, reject) => {
    let heard = '';
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (heard.includes('-ERR')) reject(new Error(heard));
      if (heard.includes('PONG')) resolve();
    });
    socket.on('error', reject);
  });
  socket.destroy();
}
