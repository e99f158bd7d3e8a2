import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client';
import serverFeatures from '@eventstore/db-client/generated/serverfeatures_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import streamsRpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { credentials } from '@grpc/grpc-js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import timestamps from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDevEventStore } from './server.ts';
import type { DevEventStore, DevEventStoreOptions } from './server.ts';

const FEATURES_PATH = '/event_store.client.server_features.ServerFeatures/GetSupportedMethods';

describe('compression', () => {
  it.each([
    ['identity,deflate,gzip', 'gzip', 1],
    ['identity', 'identity', 0],
    [undefined, 'identity', 0],
  ])('caller accepts %s: answered in %s', async (accepted, encoding, flag) => {
    const { server } = await start();
    const answer = await rawCall(server, FEATURES_PATH, accepted);
    expect(answer.headers['grpc-encoding']).toBe(encoding);
    expect(answer.body[0]).toBe(flag);
    const message = flag === 1 ? gunzipSync(answer.body.subarray(5)) : answer.body.subarray(5);
    const methods = serverFeatures.SupportedMethods.deserializeBinary(message).getMethodsList();
    expect(methods.map((method) => method.getMethodName())).toContain('batchappend');
    expect(server.responses).toEqual({
      compressed: flag,
      uncompressed: 1 - flag,
      lastAcceptEncoding: accepted ?? null,
    });
  });
});

describe('calls that are not as they should be', () => {
  it('unknown method: unimplemented', async () => {
    const { server } = await start();
    expect((await rawCall(server, '/no.such.Service/Method', 'identity')).status).toBe('12');
  });

  it('bytes that are no message: the call fails, the server goes on', async () => {
    const { server, client } = await start();
    for (const method of Object.values(streamsRpc.StreamsService)) {
      const answer = await rawCall(
        server,
        method.path,
        'identity',
        Buffer.from([0xff, 0xff, 0xff]),
      );
      expect(answer.status, method.path).toBe('2');
    }
    await append(client, 'account-1', 'no_stream');
  });

  it('a deadline that has passed: answered Timeout, not written', async () => {
    const { client } = await start();
    const late = client.appendToStream('account-1', [happened()], {
      expectedRevision: 'no_stream',
      deadline: -1_000,
    });
    await expect(late).rejects.toMatchObject({ type: 'deadline-exceeded' });
    await append(client, 'account-1', 'no_stream');
  });

  it('a batch append that is never finished: answered Timeout at its deadline', async () => {
    const { server } = await start();
    const grpc = new streamsRpc.StreamsClient(
      `127.0.0.1:${server.port}`,
      credentials.createInsecure(),
    );
    onTestFinished(() => grpc.close());
    const call = grpc.batchAppend().on('error', () => undefined);
    onTestFinished(() => call.cancel());
    const options = new streams.BatchAppendReq.Options()
      .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from('account-1')))
      .setAny(new empty.Empty())
      .setDeadline(timestamps.Timestamp.fromDate(new Date(Date.now() + 200)));
    const correlationId = new shared.UUID().setString(randomUUID());
    call.write(new streams.BatchAppendReq().setCorrelationId(correlationId).setOptions(options));
    const answer = await new Promise<streams.BatchAppendResp>((resolve) =>
      call.once('data', resolve),
    );
    expect(answer.getError()?.getMessage()).toBe('Timeout');
    expect(answer.getCorrelationId()?.getString()).toBe(correlationId.getString());
  });

  it('a tombstoned stream with a name beyond ASCII: refused as deleted, and the server goes on', async () => {
    const { client } = await start();
    await append(client, 'konto-é漢', 'no_stream');
    await client.tombstoneStream('konto-é漢');
    const error = { type: 'stream-deleted' };
    await expect(collect(client.readStream('konto-é漢'))).rejects.toMatchObject(error);
    await expect(append(client, 'konto-é漢', 0n)).rejects.toMatchObject(error);
    await append(client, 'account-1', 'no_stream');
  });

  it('one connection carries a hundred calls at once, as the real server allows', async () => {
    const { server } = await start();
    const session = http2.connect(`http://127.0.0.1:${server.port}`);
    onTestFinished(() => session.destroy());
    const settings = await new Promise<http2.Settings>((resolve) =>
      session.once('remoteSettings', resolve),
    );
    expect(settings.maxConcurrentStreams).toBe(100);
  });

  it('a position in the middle of a record: reads and subscriptions are refused', async () => {
    const { client } = await start();
    const { position } = await append(client, 'account-1', 'no_stream', 2);
    const wrong = { commit: (position?.commit ?? 0n) - 1n, prepare: (position?.commit ?? 0n) - 1n };
    await expect(collect(client.readAll({ fromPosition: wrong }))).rejects.toMatchObject({
      type: 'unknown',
    });
    const subscription = client.subscribeToAll({ fromPosition: wrong });
    const error = await new Promise((resolve) => subscription.on('error', resolve));
    expect(error).toMatchObject({ code: 3 });
  });

  it('a read that is left: its call is over on both sides', async () => {
    const { server, client } = await start();
    await append(client, 'account-1', 'no_stream', 1_000);
    const before = server.openCalls;
    const reading = client.readAll();
    for await (const _ of reading) break;
    await reading.cancel();
    await expect.poll(() => server.openCalls).toBe(before);
    const subscription = client.subscribeToAll();
    await new Promise((resolve) => subscription.once('caughtUp', resolve).resume());
    expect(server.openCalls).toBe(before + 1);
    await subscription.unsubscribe();
    await expect.poll(() => server.openCalls).toBe(before);
  });
});

describe('up and down', () => {
  it.each(['on disk', 'in memory'])(
    'stop and start, %s: same port, same events, recent ids forgotten',
    async (where) => {
      const { server, client } = await start({ dataDir: where === 'on disk' ? newFolder() : null });
      const { url } = server;
      const events = [happened(), happened(), happened()];
      const first = await client.appendToStream('account-1', events, {
        expectedRevision: 'no_stream',
      });
      await server.stop();
      await expect(append(client, 'account-1', 2n)).rejects.toMatchObject({ code: 14 });
      await server.start();
      expect(server.url).toBe(url);
      await untilConnected(client);
      expect(await collect(client.readStream('account-1'))).toHaveLength(3);
      const exact = await client.appendToStream('account-1', events, {
        expectedRevision: 'no_stream',
      });
      expect(exact).toEqual(first);
      const any = await client.appendToStream('account-1', events, { expectedRevision: 'any' });
      expect(any.nextExpectedRevision).toBe(5n);
    },
  );

  it('stopped under load: what was acknowledged is there, nothing was left half, nothing failed', async () => {
    const failures: Error[] = [];
    const { server, client } = await start({
      dataDir: newFolder(),
      onFailure: (error) => failures.push(error),
    });
    let acknowledged = 0;
    const stopping: Promise<void>[] = [];
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; ; n += 1) {
        await append(client, `account-${writer}-${n}`, 'no_stream', 3);
        acknowledged += 1;
        if (acknowledged === 300) stopping.push(server.stop());
      }
    };
    await Promise.allSettled(Array.from({ length: 64 }, (_, writer) => write(writer)));
    await Promise.all(stopping);
    await server.start();
    const reader = newClient(server);
    await untilConnected(reader);
    const counts = new Map<string, number>();
    for (const { streamId } of await collect(reader.readAll())) {
      counts.set(streamId, (counts.get(streamId) ?? 0) + 1);
    }
    expect(counts.size).toBeGreaterThanOrEqual(acknowledged);
    expect([...counts.values()].every((count) => count === 3)).toBe(true);
    expect(failures).toEqual([]);
  });

  it('a folder in use, a port that is taken: refused, and the folder is free again', async () => {
    const { server } = await start({ dataDir: newFolder() });
    const folder = newFolder();
    const other = startDevEventStore({ dataDir: folder, port: server.port });
    await expect(other).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const { server: second } = await start({ dataDir: folder });
    await expect(startDevEventStore({ dataDir: folder })).rejects.toThrow(
      'it is in use by process',
    );
    expect(second.port).not.toBe(server.port);
  });
});

describe('a live subscriber that does not keep up', () => {
  it('cut: ended as too slow, after a prefix of the events without a gap', async () => {
    const { server, client } = await start({ slowSubscriber: 'cut' });
    const { seen, ended } = await overrun(server, client);
    expect(await ended).toMatchObject({
      type: 'timeout',
      message: expect.stringContaining(
        'Consumer too slow to handle event while live. Client resubscription required.',
      ),
    });
    expect(seen.length).toBeLessThan(OVERRUN_EVENTS);
    expect(seen).toEqual(seen.map((_, n) => BigInt(n)));
  });

  it('catch_up: every event once, in order, and caught up again', async () => {
    const { server, client } = await start({ slowSubscriber: 'catch_up' });
    const { seen, caughtUp, complete } = await overrun(server, client);
    await complete;
    expect(seen).toEqual(Array.from({ length: OVERRUN_EVENTS }, (_, n) => BigInt(n)));
    await expect.poll(caughtUp).toBeGreaterThan(1);
  });

  const OVERRUN_EVENTS = 4_000;

  /** Subscribes, takes nothing while much more is written than all buffers hold, then takes everything. */
  async function overrun(server: DevEventStore, client: EventStoreDBClient) {
    const subscription = newClient(server).subscribeToAll({
      filter: streamNameFilter({ prefixes: ['account-'] }),
    });
    onTestFinished(() => subscription.unsubscribe());
    let caughtUp = 0;
    const first = new Promise<void>((resolve) =>
      subscription.on('caughtUp', () => {
        caughtUp += 1;
        resolve();
      }),
    );
    subscription.resume();
    await first;
    subscription.pause();
    for (let n = 0; n < OVERRUN_EVENTS; n += 40) {
      await append(
        client,
        'account-1',
        n === 0 ? 'no_stream' : BigInt(n - 1),
        40,
        'x'.repeat(2_000),
      );
    }
    const seen: bigint[] = [];
    const ended = new Promise<unknown>((resolve) => subscription.on('error', resolve));
    const complete = new Promise<void>((resolve) => {
      subscription.on('data', ({ event }) => {
        if (event !== undefined) seen.push(event.revision);
        if (seen.length === OVERRUN_EVENTS) resolve();
      });
    });
    subscription.resume();
    return { seen, ended, complete, caughtUp: () => caughtUp };
  }
});

async function start(options: Partial<DevEventStoreOptions> = {}) {
  const server = await startDevEventStore({ dataDir: null, ...options });
  onTestFinished(() => server.close());
  return { server, client: newClient(server) };
}

function newClient(server: DevEventStore): EventStoreDBClient {
  const client = EventStoreDBClient.connectionString(server.url);
  onTestFinished(() => client.dispose());
  return client;
}

function newFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dev-event-store-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function happened(text = '') {
  return jsonEvent({ type: 'Happened', data: { text } });
}

async function append(
  client: EventStoreDBClient,
  stream: string,
  expectedRevision: 'no_stream' | bigint,
  count = 1,
  text = '',
) {
  const events = Array.from({ length: count }, () => happened(text));
  return client.appendToStream(stream, events, { expectedRevision });
}

async function collect<Event>(reading: AsyncIterable<{ event?: Event }>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const { event } of reading) if (event !== undefined) events.push(event);
  return events;
}

/** After a restart a client finds its connection gone, and waits a while before it tries again. */
async function untilConnected(client: EventStoreDBClient): Promise<void> {
  const isConnected = () =>
    collect(client.readAll({ maxCount: 1 })).then(
      () => true,
      () => false,
    );
  await expect.poll(isConnected, { timeout: 20_000 }).toBe(true);
}

/** One call as bytes on the wire. */
async function rawCall(
  server: DevEventStore,
  pathName: string,
  acceptEncoding?: string,
  request = Buffer.alloc(0),
) {
  const session = http2.connect(`http://127.0.0.1:${server.port}`);
  onTestFinished(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': pathName,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(acceptEncoding === undefined ? {} : { 'grpc-accept-encoding': acceptEncoding }),
  });
  const frame = Buffer.alloc(5 + request.length);
  frame.writeUInt32BE(request.length, 1);
  request.copy(frame, 5);
  stream.end(frame);
  let status: unknown;
  const chunks: Buffer[] = [];
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) =>
    stream.on('response', resolve),
  );
  status = headers['grpc-status'];
  stream.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  for await (const chunk of stream) chunks.push(chunk);
  return { headers, body: Buffer.concat(chunks), status };
}
