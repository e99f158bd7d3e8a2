import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeFact } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import { EVENT_STREAM } from '@points/contracts/ledger-subjects';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import { createJetStream } from '@points/runtime/jetstream';
import type { StoredMessage } from '@points/runtime/jetstream';
import { createJetStreamSetup } from '@points/runtime/jetstream-setup';
import { createLog } from '@points/runtime/log';
import { type Nats, connectNats } from '@points/runtime/nats';
import { expect } from 'vitest';
import { provisionStreams } from '../../../../../infra/nats/provision.ts';
import { STREAMS } from '../../../../../infra/nats/streams.ts';

/** Messages asked for at the same time. */
const PARALLEL_READS = 64;
const POLL = { timeout: 30_000, interval: 20 };

export interface NatsUnderTest {
  readonly server: () => NatsServer;
  /** Settings of a relay for this server. */
  readonly access: () => { url: string; user: string; pass: string };
  connect(user?: string): Promise<Nats>;
  /** The messages that LEDGER_EVT holds, the oldest first. */
  messages(): Promise<StoredMessage[]>;
  facts(): Promise<Fact[]>;
  /** How many messages were ever stored in it. */
  sequence(): Promise<number>;
  /** Resolves when it has ever stored so many. */
  reached(sequence: number): Promise<void>;
  /** Drops all messages for their age. */
  expireAll(): Promise<void>;
  kill(): Promise<void>;
  /** On the same port and with the same data; resolves when all are connected again. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** nats-server with the real permissions and, unless told otherwise, the real streams. */
export async function startNatsUnderTest({ streams = true } = {}): Promise<NatsUnderTest> {
  const dir = mkdtempSync(join(tmpdir(), 'relay-nats-'));
  const log = createLog('test', 'silent');
  const open: Nats[] = [];
  let server = await startNatsServer({ dir });

  const access = (user = 'relay') => ({
    url: server.url,
    user,
    pass: server.clients[user]?.pass ?? '',
  });
  const connect = async (user?: string) => {
    const nats = await connectNats({ ...access(user), name: 'test', log });
    open.push(nats);
    return nats;
  };
  const provision = await connect('provision');
  if (streams) await provisionStreams(provision);
  const reader = createJetStream(await connect());

  const messages = async (): Promise<StoredMessage[]> => {
    const { messages: count, firstSequence, lastSequence } = await reader.streamState(EVENT_STREAM);
    const read: StoredMessage[] = [];
    for (let from = firstSequence; count > 0 && from <= lastSequence; from += PARALLEL_READS) {
      const sequences = Array.from(
        { length: Math.min(PARALLEL_READS, lastSequence - from + 1) },
        (_, index) => from + index,
      );
      const page = await Promise.all(
        sequences.map((sequence) => reader.message(EVENT_STREAM, sequence)),
      );
      for (const message of page) {
        if (message === null) throw new Error('LEDGER_EVT has lost a message in its middle');
        read.push(message);
      }
    }
    return read;
  };

  return {
    server: () => server,
    access,
    connect,
    messages,
    facts: async () => (await messages()).map(({ data }) => decodeFact(data)),
    sequence: async () => (await reader.streamState(EVENT_STREAM)).lastSequence,
    async reached(sequence) {
      const stored = () =>
        reader.streamState(EVENT_STREAM).then(
          ({ lastSequence }) => lastSequence,
          () => 0,
        );
      await expect.poll(stored, POLL).toBeGreaterThanOrEqual(sequence);
    },
    async expireAll() {
      const definition = STREAMS.find(({ name }) => name === EVENT_STREAM);
      if (definition === undefined) throw new Error('no such stream');
      const setup = createJetStreamSetup(provision);
      await setup.stream({ ...definition, maxAgeMs: 100, duplicateWindowMs: 100 });
      const held = () => reader.streamState(EVENT_STREAM).then((state) => state.messages);
      await expect.poll(held, POLL).toBe(0);
      await setup.stream(definition);
    },
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async start() {
      server = await startNatsServer({ dir, port: server.port });
      await expect.poll(() => open.every((nats) => nats.isConnected()), POLL).toBe(true);
    },
    async stop() {
      await Promise.all(open.map((nats) => nats.close()));
      await server.stop();
      rmSync(dir, { recursive: true });
    },
  };
}
