import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';

const DEFAULT_READY_TIMEOUT_MS = 2_000;

/**
 * `reason` says in words what is missing, such as "event store does not answer". `parts` are shown with it and decide
 * nothing: one that is not ok is for people to look at, while the process can do its work.
 */
export type Readiness = {
  ok: boolean;
  reason?: string;
  parts?: Readonly<Record<string, { readonly ok: boolean; readonly reason?: string }>>;
};

export type HealthServer = { port: number; stop: () => Promise<void> };

/**
 * Answers GET /healthz (200 while the process lives), /readyz (200, or 503 with the reason) and
 * /metrics for a process that speaks no HTTP otherwise. `port` 0 = a free one. Rejects when the
 * port is taken.
 */
export async function startHealthServer(options: {
  ready: () => Readiness | Promise<Readiness>;
  metrics: Metrics;
  port: number;
  host?: string;
  /** A readiness check that takes longer counts as "not ready". */
  readyTimeoutMs?: number;
}): Promise<HealthServer> {
  const { metrics, port, host = '127.0.0.1', readyTimeoutMs = DEFAULT_READY_TIMEOUT_MS } = options;
  const ready = () => withTimeout(Promise.resolve(options.ready()), readyTimeoutMs);
  const server = createServer((request, response) => {
    answer(request, response, ready, metrics).catch((error: unknown) => {
      send(response, 500, { ok: false, reason: String(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the health server has no port');
  return {
    port: address.port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  ready: () => Promise<Readiness>,
  metrics: Metrics,
): Promise<void> {
  if (request.url === '/healthz') return send(response, 200, { ok: true });
  if (request.url === '/readyz') {
    const readiness = await ready();
    return send(response, readiness.ok ? 200 : 503, readiness);
  }
  if (request.url === '/metrics') {
    const text = await metrics.text();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
    return;
  }
  send(response, 404, { ok: false, reason: 'only /healthz, /readyz and /metrics are here' });
}

async function withTimeout(readiness: Promise<Readiness>, timeoutMs: number): Promise<Readiness> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Readiness>((resolve) => {
    timer = setTimeout(
      () => resolve({ ok: false, reason: 'the readiness check did not end in time' }),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([readiness, late]);
  } finally {
    clearTimeout(timer);
  }
}

function send(response: ServerResponse, status: number, body: Readiness): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
