import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import { fileURLToPath } from 'node:url';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { describe, expect, it } from 'vitest';
import { connectEventStoreDb } from './eventstoredb.ts';
import {
  newEvents,
  protobufField,
  PATIENT,
  readStream,
  startAdapter,
} from './testing/eventstoredb-adapter.ts';

const GRPC_UNIMPLEMENTED = '12';

/** Answers GetSupportedMethods with "batchappend", everything else with a failure, and keeps all headers. */
async function startHeaderCatcher(
  features: 'batchappend' | 'none',
  answer: http2.OutgoingHttpHeaders = { 'grpc-status': GRPC_UNIMPLEMENTED },
): Promise<{
  url: string;
  headers: http2.IncomingHttpHeaders[];
  close: () => Promise<void>;
}> {
  const headers: http2.IncomingHttpHeaders[] = [];
  const sessions = new Set<http2.ServerHttp2Session>();
  const server = http2.createServer();
  server.on('session', (session) => {
    sessions.add(session);
  });
  server.on('stream', (stream, received) => {
    headers.push(received);
    stream.on('error', () => undefined);
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    if (features === 'none' || received[':path']?.endsWith('GetSupportedMethods') !== true) {
      stream.respond({ ...head, ...answer }, { endStream: true });
      return;
    }
    stream.respond(head, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(supportedMethods());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    headers,
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A gRPC frame with SupportedMethods{methods: [{method_name, service_name}]}, by hand: protobuf of three strings. */
function supportedMethods(): Buffer {
  const message = protobufField(
    1,
    Buffer.concat([
      protobufField(1, 'batchappend'),
      protobufField(2, 'event_store.client.streams.streams'),
    ]),
  );
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

describe('on the wire', () => {
  it('every call says that it takes no compression', async () => {
    const catcher = await startHeaderCatcher('batchappend');
    const log = connectEventStoreDb({ url: catcher.url, bounds: PATIENT });
    const all = { afterPosition: null, streamPrefixes: ['account-'] };
    const subscribe = async (): Promise<void> => {
      const { signal } = new AbortController();
      for await (const live of log.subscribeAll({ ...all, signal })) expect(live).toBeUndefined();
    };
    await Promise.allSettled([
      log.append('account-1', newEvents(), 'no_stream'),
      readStream(log, 'account-1'),
      log.readLast('account-1'),
      log.readAll({ ...all, maxCount: 1 }),
      subscribe(),
    ]);
    await log.close();
    await catcher.close();
    const paths = catcher.headers.map((headers) => headers[':path']?.split('/').at(-1) ?? '');
    expect(paths.toSorted((a, b) => a.localeCompare(b))).toEqual([
      'BatchAppend',
      'GetSupportedMethods',
      'Read',
      'Read',
      'Read',
      'Read',
    ]);
    expect(new Set(catcher.headers.map((headers) => headers['grpc-accept-encoding']))).toEqual(
      new Set(['identity']),
    );
  });

  it('no response is compressed, by a server that compresses for whoever takes it', async () => {
    const adapter = await startAdapter();
    const { server } = adapter;
    await adapter.log.append('account-1', newEvents(100), 'no_stream');
    expect(await readStream(adapter.log, 'account-1')).toHaveLength(100);
    expect(server.responses.compressed).toBe(0);
    // The check can fail: the client alone takes gzip.
    const client = EventStoreDBClient.connectionString(server.url);
    await client.appendToStream('other-1', jsonEvent({ type: 'A', data: {} }), {
      expectedRevision: 'no_stream',
    });
    expect(server.responses.compressed).toBeGreaterThan(0);
    await client.dispose();
    await adapter.stop();
  });

  it('also after the client has connected anew', async () => {
    const adapter = await startAdapter();
    await adapter.log.append('account-1', newEvents(2), 'no_stream');
    await readStream(adapter.log, 'account-1');
    await adapter.server.restart();
    await readStream(adapter.log, 'account-1').catch(() => undefined);
    expect(await readStream(adapter.log, 'account-1')).toHaveLength(2);
    await adapter.log.append('account-2', newEvents(2), 'no_stream').catch(() => undefined);
    expect(adapter.server.responses.uncompressed).toBeGreaterThan(0);
    expect(adapter.server.responses.compressed).toBe(0);
    await adapter.stop();
  });

  it('a server without batch append is told from one that is away', async () => {
    const catcher = await startHeaderCatcher('none');
    const log = connectEventStoreDb({ url: catcher.url, bounds: PATIENT });
    const append = log.append('account-1', newEvents(), 'no_stream');
    await expect(append).rejects.toMatchObject({ retryable: false });
    await expect(append).rejects.toThrow('no batch append');
    await log.close();
    await catcher.close();
  });

  it('an error that the client itself cannot take does not end the process', async () => {
    const notLeader = { 'grpc-status': '5', exception: 'not-leader' };
    const catcher = await startHeaderCatcher('batchappend', notLeader);
    const log = connectEventStoreDb({ url: catcher.url, bounds: PATIENT });
    // Not said: who the leader is. Reading that, the client throws where nobody listens.
    const append = log.append('account-1', newEvents(), 'no_stream');
    await expect(append).rejects.toThrow(Error);
    await log.close();
    await catcher.close();
  });

  it('appends and reads have a connection each, and another log has its own', async () => {
    const adapter = await startAdapter();
    const other = connectEventStoreDb({ url: `esdb://127.0.0.1:${adapter.proxy.port}?tls=false` });
    await adapter.log.append('account-1', newEvents(), 'no_stream');
    await readStream(adapter.log, 'account-1');
    expect(adapter.proxy.openConnections()).toBe(2);
    await readStream(other, 'account-1');
    expect(adapter.proxy.openConnections()).toBe(3);
    await other.close();
    await adapter.stop();
  });

  it('once closed, no connection is left open', async () => {
    const adapter = await startAdapter();
    await adapter.log.append('account-1', newEvents(), 'no_stream');
    await readStream(adapter.log, 'account-1');
    await adapter.log.close();
    await adapter.proxy.connectionsClosed();
    await adapter.stop();
  });

  it('once closed, nothing keeps the process alive', async () => {
    const adapter = await startAdapter();
    const program = `
      import { connectEventStoreDb } from ${JSON.stringify(new URL('eventstoredb.ts', import.meta.url).href)};
      const log = connectEventStoreDb({ url: ${JSON.stringify(adapter.server.url)} });
      const event = { id: crypto.randomUUID(), type: 'A', data: {}, metadata: {} };
      await log.append('account-1', [event], 'no_stream');
      await log.readLast('account-1');
      const subscription = log.subscribeAll({
        afterPosition: null, streamPrefixes: ['account-'], signal: new AbortController().signal,
      })[Symbol.asyncIterator]();
      await subscription.next();
      await log.close();
      console.log('closed');
    `;
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    const [code] = await once(child, 'close');
    expect(Buffer.concat(output).toString()).toBe('closed\n');
    expect(code).toBe(0);
    await adapter.stop();
  });
});
