import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { subjectOf } from '@points/contracts/ledger';
import type { Endpoint } from '@points/contracts/ledger-requests';
import { type Failure, type Success, replySchema } from '@points/contracts/ledger-replies';
import { accountStream } from '@points/contracts/streams';
import { type DevEventStore, startDevEventStore } from '@points/dev-event-store/server';
import { CLIENTS, type Client } from '../../../../infra/nats/permissions.ts';
import { provisionStreams } from '../../../../infra/nats/provision.ts';
import { CONSUMERS } from '../../../../infra/nats/streams.ts';
import { type NatsServer, startNatsServer } from '@points/dev-stack/nats-server';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { GENESIS_HASH, verifyEvent } from '@points/event-store/hash-chain';
import type { ConsumerDefinition } from '@points/runtime/jetstream-setup';
import { createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import { type Nats, connectNats } from '@points/runtime/nats';
import { type Clock, systemClock } from '@points/runtime/clock';
import type { Session } from '@points/read-model/database';
import { expect, vi } from 'vitest';
import { v7 } from 'uuid';
import { type RecallTables, ReadTablesError } from '../recall-tables.ts';
import { type Ledger, type LedgerSettings, startLedger } from '../start.ts';

const PRICES = fileURLToPath(new URL('../../../../config/points-config.yaml', import.meta.url));
const CLIENT_LIST: Client[] = [...CLIENTS, { name: 'ai-other', role: 'ai' }];

/** A real nats-server with the real permissions, the dev event store over the wire, and ledgers as many as a test wants. */
export interface World {
  readonly eventStore: DevEventStore;
  readonly natsServer: NatsServer;
  readonly log: EventLog;
  readonly configFile: string;
  readonly fatal: unknown[];
  startLedger(settings?: Partial<LedgerSettings>, parts?: Parts): Promise<Ledger>;
  /** A UUIDv7 of now. */
  newId(): string;
  /** The connection of that client. */
  connection(client: string): Promise<Nats>;
  /** Asks as that client; fields `command_id` and, for holds, `hold_id` are filled in when absent. */
  ask<Name extends Endpoint>(
    client: string,
    endpoint: Name,
    body: object,
  ): Promise<Success<Name> | Failure>;
  /** The same, sent as they are. */
  send(
    client: string,
    endpoint: Endpoint,
    bytes: Uint8Array | string,
    headers?: Record<string, string>,
  ): Promise<unknown>;
  ok<Name extends Endpoint>(client: string, endpoint: Name, body: object): Promise<Success<Name>>;
  events(accountId: string): Promise<StoredEvent[]>;
  stop(): Promise<void>;
}

/** What a test replaces of a ledger's surroundings. */
export interface Parts {
  readonly clock?: Clock;
  readonly openSession?: () => Promise<Session>;
  readonly recallTables?: RecallTables;
  /** Another way to the same NATS server. */
  readonly natsUrl?: string;
  /** What is waited for; default: ready. */
  readonly readiness?: object;
}

const noTables = (): Promise<never> =>
  Promise.reject(new ReadTablesError('no read tables in this test'));
const NO_TABLES: RecallTables = { places: noTables, origins: noTables };

export async function startWorld(
  options: {
    /** Default: as in production. null = no streams. */
    readonly consumers?: ConsumerDefinition[] | null;
    /** Of the event store, of every ledger, and of the ids that `ask` makes. */
    readonly clock?: Clock;
  } = {},
): Promise<World> {
  const clock = options.clock ?? systemClock;
  const dir = await mkdtemp(join(tmpdir(), 'ledger-'));
  const configFile = join(dir, 'points-config.yaml');
  await writeFile(configFile, readFileSync(PRICES));
  const logger = createLog('test', 'silent');
  const natsServer = await startNatsServer({ dir: join(dir, 'nats'), clients: CLIENT_LIST });
  const { consumers = CONSUMERS } = options;
  if (consumers !== null) {
    const job = await connect(natsServer, 'provision');
    await provisionStreams(job, consumers);
    await job.close();
  }
  const eventStore = await startDevEventStore({ dataDir: null, now: clock.now });
  const log = connectEventStoreDb({ url: eventStore.url });
  const connections = new Map<string, Nats>();
  const running: { ledger: Ledger; nats: Nats; log: EventLog }[] = [];
  const fatal: unknown[] = [];

  const newId = (): string => v7({ msecs: clock.now() });

  async function connection(client: string): Promise<Nats> {
    const known = connections.get(client);
    if (known !== undefined) return known;
    const nats = await connect(natsServer, client);
    connections.set(client, nats);
    return nats;
  }

  async function send(
    client: string,
    endpoint: Endpoint,
    bytes: Uint8Array | string,
    headers?: Record<string, string>,
  ): Promise<unknown> {
    const nats = await connection(client);
    const options = { timeoutMs: 10_000, ...(headers === undefined ? {} : { headers }) };
    const reply = await nats.request(subjectOf(endpoint, client), Buffer.from(bytes), options);
    const body: unknown = JSON.parse(Buffer.from(reply.data).toString());
    const parsed = replySchema(endpoint).safeParse(body);
    expect(
      parsed.error,
      `reply to ${endpoint} is not in its shape: ${JSON.stringify(body)}`,
    ).toBeUndefined();
    return body;
  }

  async function ask<Name extends Endpoint>(
    client: string,
    endpoint: Name,
    body: object,
  ): Promise<Success<Name> | Failure> {
    const filled = {
      ...(endpoint.startsWith('cmd.') ? { command_id: newId() } : {}),
      ...(endpoint === 'cmd.hold' ? { hold_id: newId() } : {}),
      ...body,
    };
    // `send` has compared the reply with the schema of this endpoint.
    return (await send(client, endpoint, JSON.stringify(filled))) as Success<Name> | Failure;
  }

  return {
    eventStore,
    newId,
    natsServer,
    connection,
    log,
    configFile,
    fatal,
    send,
    ask,
    async ok(client, endpoint, body) {
      const reply = await ask(client, endpoint, body);
      if (!reply.ok) throw new Error(`${endpoint} was refused: ${JSON.stringify(reply.error)}`);
      return reply;
    },
    async startLedger(settings, parts) {
      const nats = await connect(natsServer, 'ledger', parts?.natsUrl);
      const ownLog = connectEventStoreDb({ url: eventStore.url });
      const ledger = await startLedger({
        log: ownLog,
        nats,
        openSession:
          parts?.openSession ?? (() => Promise.reject(new Error('no read tables in this test'))),
        recallTables: parts?.recallTables ?? NO_TABLES,
        clock: parts?.clock ?? clock,
        logger,
        metrics: createMetrics('ledger'),
        onFatal: (error) => fatal.push(error),
        settings: {
          configFile,
          singleWriter: false,
          admins: ['admin'],
          sweepEveryMs: 3_600_000,
          holdGraceMs: 60_000,
          holdExpiryQuietMs: 0,
          ...settings,
        },
      });
      running.push({ ledger, nats, log: ownLog });
      const readiness = parts?.readiness ?? { ok: true };
      await vi.waitFor(() => expect(ledger.ready()).toEqual(readiness), { timeout: 20_000 });
      return ledger;
    },
    async events(accountId) {
      const events: StoredEvent[] = [];
      let hash = GENESIS_HASH;
      for await (const event of log.readStream(accountStream(accountId), { fromRevision: 0 })) {
        expect(verifyEvent(event, hash)).toBeNull();
        hash = event.metadata['hash'] ?? '';
        events.push(event);
      }
      return events;
    },
    async stop() {
      for (const each of running) {
        await each.ledger.stop();
        await each.nats.close();
        await each.log.close();
      }
      for (const nats of connections.values()) await nats.close();
      await log.close();
      await eventStore.close();
      await natsServer.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function connect(
  server: NatsServer,
  client: string,
  url: string = server.url,
): Promise<Nats> {
  const credentials = server.clients[client];
  if (credentials === undefined) throw new Error(`no NATS client ${client}`);
  return connectNats({
    url,
    ...credentials,
    name: client,
    log: createLog('test', 'silent'),
  });
}
