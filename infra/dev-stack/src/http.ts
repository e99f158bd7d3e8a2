import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from './start-error.ts';

const READY_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 5_000;
const POLL_EVERY_MS = 100;

/** Throws StartError when `port` cannot be listened on. */
export async function checkHttpPort(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EADDRINUSE') {
      throw new StartError(
        `Port ${port} of ${host} is taken by another program: stop that one, or choose another port, as in PORT=${port + 1} npm start.`,
      );
    }
    if (code === 'EACCES')
      throw new StartError(
        `Port ${port} may not be used by this user: choose one above 1023 with PORT.`,
      );
    throw new StartError(
      `HOST=${host} cannot be listened on (${String(error)}): give an address of this machine, such as 127.0.0.1.`,
    );
  }
  await new Promise((resolve) => server.close(resolve));
}

/** Waits until /readyz says yes and what is at `position` of the log can be read over HTTP. Throws StartError. */
export async function waitUntilReadable(
  url: string,
  position: string,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  let trouble = 'no answer';
  while (Date.now() < deadline && !signal.aborted) {
    try {
      const ready = await get(`${url}/readyz`, signal);
      trouble = await ready.text();
      if (ready.ok) {
        const models = await get(`${url}/user/ai/models/stats`, signal, {
          'x-ledger-position': position,
        });
        trouble = `${models.status} ${await models.text()}`;
        const applied = models.headers.get('x-ledger-position');
        if (models.ok && applied !== null && BigInt(applied) >= BigInt(position)) return;
      }
    } catch (error) {
      trouble = String(error);
    }
    await sleep(POLL_EVERY_MS);
  }
  throw new StartError(`${url} did not get ready: ${trouble}`);
}

function get(
  url: string,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    headers,
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
  });
}
