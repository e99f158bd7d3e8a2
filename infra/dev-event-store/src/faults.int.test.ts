import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent, streamNameFilter } from '@eventstore/db-client';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streamsRpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { credentials, status } from '@grpc/grpc-js';
import type { StatusObject } from '@grpc/grpc-js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AppendFault } from './faults.ts';
import { startDevEventStore } from './server.ts';

/** Each switch, seen from the vendor's client: what the caller gets, and whether the events are there. */
describe.each(['batch', 'classic'] as const)('appends, %s path', (path) => {
  const perCall =
    path === 'classic' ? { credentials: { username: 'admin', password: 'changeit' } } : {};
  const batch = path === 'batch';

  it.each<[name: string, fault: AppendFault, error: object, written: boolean]>([
    ['access denied', { kind: 'refused', as: 'access_denied' }, { type: 'access-denied' }, false],
    [
      'not ready',
      { kind: 'refused', as: 'not_ready' },
      batch
        ? { type: 'unknown', message: expect.stringContaining('Server Is Not Ready') }
        : { type: 'unavailable' },
      false,
    ],
    [
      'busy',
      { kind: 'refused', as: 'busy' },
      batch
        ? { type: 'unknown', message: expect.stringContaining('Server Is Busy') }
        : { type: 'unavailable' },
      false,
    ],
    ['bad request', { kind: 'refused', as: 'bad_request' }, { type: 'unknown' }, false],
    [
      'timeout, not written',
      { kind: 'refused', as: 'timeout', written: false },
      { type: batch ? 'deadline-exceeded' : 'timeout' },
      false,
    ],
    [
      'timeout, written',
      { kind: 'refused', as: 'timeout', written: true },
      { type: batch ? 'deadline-exceeded' : 'timeout' },
      true,
    ],
    [
      'not leader',
      { kind: 'not_leader', host: '127.0.0.1', port: 1 },
      { type: 'not-leader' },
      false,
    ],
    [
      'call failed, not written',
      { kind: 'call_failed', code: 13, written: false },
      { type: 'unknown', code: 13 },
      false,
    ],
    [
      'call failed, written',
      { kind: 'call_failed', code: 14, written: true },
      { type: 'unavailable' },
      true,
    ],
    [
      'connection cut, written',
      { kind: 'ack_lost', then: 'cut' },
      { type: batch ? 'unavailable' : expect.stringMatching(/unavailable|cancelled/) },
      true,
    ],
  ])('%s', async (_name, fault, error, written) => {
    const { server, client, append, revisions } = await start();
    // A batch call that is open already, as in real life.
    await client.appendToStream('account-0', happened(), perCall);
    const handle = server.faults.append(fault);
    await expect(append()).rejects.toMatchObject(error);
    expect(handle.hits).toBe(1);
    expect(await revisions()).toEqual(written ? [0n] : []);
  });

  it.each<[name: string, fault: AppendFault, written: boolean]>([
    ['ack lost in silence', { kind: 'ack_lost', then: 'silence' }, true],
    ['never answered', { kind: 'never_answered' }, false],
  ])('%s: no answer', async (_name, fault, written) => {
    const { server, append, revisions } = await start();
    const handle = server.faults.append(fault);
    let settled = false;
    const pending = append().finally(() => {
      settled = true;
    });
    pending.catch(() => undefined);
    await handle.whenHit();
    // A later append on the same connection has its answer: nothing is on its way any more.
    await append('account-2');
    expect(settled).toBe(false);
    expect(await revisions()).toEqual(written ? [0n] : []);
  });

  it('late, on release: written at once, answered then', async () => {
    const { server, append, revisions } = await start();
    const handle = server.faults.append({ kind: 'late', afterMs: null });
    const pending = append();
    await handle.whenHit();
    await expect.poll(revisions).toEqual([0n]);
    handle.release();
    expect((await pending).success).toBe(true);
  });

  it('late by a time, and slow within the limit: answered as usual', async () => {
    const { server, append } = await start();
    server.faults.append({ kind: 'late', afterMs: 20 });
    expect((await append()).success).toBe(true);
    server.faults.append({ kind: 'slow', delayMs: 20 });
    expect((await append('account-2')).success).toBe(true);
  });

  it('slow beyond the limit: answered Timeout, and written all the same', async () => {
    const { server, append, revisions } = await start();
    server.faults.append({ kind: 'slow', delayMs: 2_500 });
    await expect(append()).rejects.toMatchObject({ type: batch ? 'deadline-exceeded' : 'timeout' });
    expect(await revisions()).toEqual([]);
    await expect.poll(revisions, { timeout: 10_000 }).toEqual([0n]);
  });

  it('scope: one stream, and that often', async () => {
    const { server, append } = await start();
    const handle = server.faults.append(
      { kind: 'refused', as: 'access_denied' },
      { stream: 'account-1', times: 2 },
    );
    expect((await append('account-2')).success).toBe(true);
    await expect(append()).rejects.toMatchObject({ type: 'access-denied' });
    await expect(append()).rejects.toMatchObject({ type: 'access-denied' });
    await handle.whenHit(2);
    expect((await append()).success).toBe(true);
  });

  async function start() {
    const { server, client } = await startWithClient();
    return {
      server,
      client,
      append: (stream = 'account-1') =>
        client.appendToStream(stream, [happened()], { expectedRevision: 'no_stream', ...perCall }),
      revisions: async () => {
        const reader = newClient(server.url);
        const found = await collect(reader.readStream('account-1')).catch(() => []);
        return found.map(({ revision }) => revision);
      },
    };
  }
});

it.each([true, false])(
  'batch call ended with OK, written %s: over without an answer',
  async (written) => {
    const { server, client } = await startWithClient();
    server.faults.append({ kind: 'call_ended', written });
    const grpc = new streamsRpc.StreamsClient(
      `127.0.0.1:${server.port}`,
      credentials.createInsecure(),
    );
    onTestFinished(() => grpc.close());
    const call = grpc.batchAppend();
    const answers: unknown[] = [];
    call.on('data', (answer) => answers.push(answer));
    const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
    const options = new streams.BatchAppendReq.Options()
      .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from('account-1')))
      .setAny(new empty.Empty());
    const correlationId = new shared.UUID().setString(randomUUID());
    call.write(
      new streams.BatchAppendReq()
        .setCorrelationId(correlationId)
        .setOptions(options)
        .setIsFinal(true),
    );
    expect((await ended).code).toBe(status.OK);
    expect(answers).toEqual([]);
    await expect.poll(() => server.openCalls).toBe(0);
    await client.appendToStream('account-2', happened());
  },
);

describe('GetSupportedMethods', () => {
  it('internal error: the append fails', async () => {
    const { server, client } = await startWithClient();
    server.faults.features('internal');
    await expect(client.appendToStream('account-1', happened())).rejects.toMatchObject({
      code: 13,
    });
  });

  it('never answered: the append waits, until release', async () => {
    const { server, client } = await startWithClient();
    const handle = server.faults.features('never_answered');
    const pending = client.appendToStream('account-1', happened());
    await handle.whenHit();
    expect(server.openCalls).toBe(1);
    handle.release();
    expect((await pending).success).toBe(true);
  });
});

describe('reads', () => {
  it('hangs: nothing until release, then all of it', async () => {
    const { server, client } = await startWithClient();
    await client.appendToStream('account-1', [happened(), happened()]);
    const handle = server.faults.read({ kind: 'hangs' }, { stream: 'account-1' });
    const reading = collect(client.readStream('account-1'));
    await handle.whenHit();
    expect(await collect(client.readAll())).toHaveLength(2);
    handle.release();
    expect(await reading).toHaveLength(2);
  });

  it('fails after some events', async () => {
    const { server, client } = await startWithClient();
    await client.appendToStream(
      'account-1',
      Array.from({ length: 100 }, () => happened()),
    );
    server.faults.read({ kind: 'fails', code: 14, afterEvents: 40 }, { stream: '$all' });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { event } of client.readAll()) seen.push(event);
    })();
    await expect(reading).rejects.toMatchObject({ type: 'unavailable' });
    expect(seen.length).toBeLessThanOrEqual(40);
    expect(await collect(client.readAll())).toHaveLength(100);
  });
});

describe('subscriptions', () => {
  it.each([
    ['ok', null],
    ['too_slow', { type: 'timeout' }],
    ['unavailable', { type: 'unavailable' }],
  ] as const)('ended as %s', async (as, error) => {
    const { server, client } = await startWithClient();
    const subscription = client.subscribeToAll({
      filter: streamNameFilter({ prefixes: ['account-'] }),
    });
    const ended = new Promise((resolve) => {
      subscription.on('error', resolve).on('end', () => resolve(null));
    });
    await new Promise((resolve) => subscription.on('caughtUp', resolve).resume());
    server.faults.endSubscriptions(as);
    const outcome = await ended;
    if (error === null) expect(outcome).toBeNull();
    else expect(outcome).toMatchObject(error);
  });

  it('every connection cut: ends with an error', async () => {
    const { server, client } = await startWithClient();
    const subscription = client.subscribeToAll();
    const ended = new Promise((resolve) => subscription.on('error', resolve));
    await new Promise((resolve) => subscription.on('caughtUp', resolve).resume());
    server.faults.cutConnections();
    expect(await ended).toBeInstanceOf(Error);
  });

  it('an event sent twice: comes twice', async () => {
    const { server, client } = await startWithClient();
    server.faults.delivery('sent_twice', { stream: 'account-2' });
    await client.appendToStream('account-1', happened());
    await client.appendToStream('account-2', [happened(), happened()]);
    const seen: string[] = [];
    const subscription = client.subscribeToAll();
    onTestFinished(() => subscription.unsubscribe());
    await new Promise<void>((resolve) => {
      subscription.on('data', ({ event }) => {
        seen.push(`${event?.streamId} ${event?.revision}`);
        if (seen.length === 4) resolve();
      });
    });
    expect(seen).toEqual(['account-1 0', 'account-2 0', 'account-2 0', 'account-2 1']);
  });
});

it('clear: held answers leave, and nothing more is hit', async () => {
  const { server, client } = await startWithClient();
  const handle = server.faults.append({ kind: 'late', afterMs: null }, { times: Infinity });
  const pending = client.appendToStream('account-1', happened());
  await handle.whenHit();
  server.faults.clear();
  expect((await pending).success).toBe(true);
  await client.appendToStream('account-1', happened());
  expect(handle.hits).toBe(1);
});

async function startWithClient() {
  const server = await startDevEventStore({ dataDir: null });
  onTestFinished(() => server.close());
  return { server, client: newClient(server.url) };
}

function newClient(url: string): EventStoreDBClient {
  const client = EventStoreDBClient.connectionString(url);
  onTestFinished(() => client.dispose());
  return client;
}

function happened() {
  return jsonEvent({ type: 'Happened', data: {} });
}

async function collect<Event>(reading: AsyncIterable<{ event?: Event }>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const { event } of reading) if (event !== undefined) events.push(event);
  return events;
}
