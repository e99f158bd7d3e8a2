import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HealthServer, type Readiness, startHealthServer } from './health.ts';
import { createMetrics } from './metrics.ts';

let server: HealthServer | undefined;
afterEach(() => server?.stop());

async function start(ready: () => Readiness | Promise<Readiness>, port = 0): Promise<string> {
  server = await startHealthServer({
    ready,
    metrics: createMetrics('test'),
    port,
    readyTimeoutMs: 50,
  });
  return `http://127.0.0.1:${server.port}`;
}

describe('startHealthServer', () => {
  it('says that the process lives, and 200 when ready', async () => {
    const url = await start(() => ({ ok: true }));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('answers 503 with the reason when not ready', async () => {
    const url = await start(() => ({ ok: false, reason: 'event store does not answer' }));
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ok: false, reason: 'event store does not answer' });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('answers 500 when the check itself fails, and goes on', async () => {
    const url = await start(() => Promise.reject(new Error('bug')));
    expect((await fetch(`${url}/readyz`)).status).toBe(500);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('answers 503 when the check does not end', async () => {
    const url = await start(() => new Promise(() => {}));
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
  });

  it('serves metrics in Prometheus format, and 404 elsewhere', async () => {
    const url = await start(() => ({ ok: true }));
    const metrics = await fetch(`${url}/metrics`);
    expect(metrics.headers.get('content-type')).toContain('text/plain');
    expect(await metrics.text()).toContain('process_cpu');
    expect((await fetch(`${url}/other`)).status).toBe(404);
  });

  it('rejects when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    await expect(start(() => ({ ok: true }), port)).rejects.toThrow(/EADDRINUSE/);
    other.close();
  });
});
