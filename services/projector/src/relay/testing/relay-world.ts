import { factOf } from '@points/contracts/facts';
import type { Fact } from '@points/contracts/facts';
import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { startDevEventStore } from '@points/dev-event-store/server';
import type { EventLog } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { createTestDatabase } from '@points/read-model/testing/test-database';
import type { TestDatabase } from '@points/read-model/testing/test-database';
import { createLog } from '@points/runtime/log';
import { expect } from 'vitest';
import type { Follower } from '../../follower.ts';
import { createLedgerWriter } from '../../testing/ledger-writer.ts';
import type { LedgerWriter } from '../../testing/ledger-writer.ts';
import { startOwnProcess } from '../../testing/own-process.ts';
import type { OwnProcess } from '../../testing/own-process.ts';
import { createRandom, randomStep } from '../../testing/random-history.ts';
import type { RelaySettings } from '../start.ts';
import { startRelay } from '../start.ts';
import { startNatsUnderTest } from './nats-under-test.ts';
import type { NatsUnderTest } from './nats-under-test.ts';

const ACCOUNTS = 20;
const PAGE_EVENTS = 2_048;
/** As the ledger's appends. */
const STEPS_PER_FLUSH = 200;

const MODEL = {
  model_id: 'm',
  model_name: 'm',
  display_name: 'M',
  description: '',
  platform: 'p',
  provider_type: 'openai',
  model_type: 'image',
  task_type: 'text_to_image',
  is_enabled: true,
  extended_config: {},
} as const;

/** A nats-server, an event store over the wire, databases, and relays between them. */
export interface RelayWorld {
  readonly nats: NatsUnderTest;
  readonly database: TestDatabase;
  readonly store: Store;
  /** Another event store, to be used in the place of this one. */
  openStore(): Promise<Store>;
  openDatabase(): Promise<TestDatabase>;
  start(settings?: Partial<RelaySettings>): Follower;
  /** The projector's whole process. */
  startProcess(): OwnProcess;
  /** Waits until all of the log is published, then compares every fact with its event. */
  expectAllPublished(): Promise<void>;
  close(): Promise<void>;
}

export interface Store {
  readonly eventLog: EventLog;
  readonly writer: LedgerWriter;
  readonly url: string;
  /** At least so many random commands in several accounts, appended, with some of the catalog between them. */
  live(steps: number): Promise<void>;
  /** What should be published of it. */
  facts(): Promise<Fact[]>;
}

export async function createRelayWorld(postgresUrl: string): Promise<RelayWorld> {
  const closing: (() => Promise<unknown>)[] = [];
  const relays: Follower[] = [];
  const processes: OwnProcess[] = [];
  const openStore = async () => {
    const store = await startStore();
    closing.push(store.close);
    return store;
  };
  const openDatabase = async () => {
    const opened = await createTestDatabase(postgresUrl);
    closing.push(opened.drop);
    return opened;
  };
  const nats = await startNatsUnderTest();
  closing.push(nats.stop);
  const store = await openStore();
  const database = await openDatabase();
  return {
    ...{ nats, database, store, openStore, openDatabase },
    start(settings) {
      const relay = startRelay({
        eventLog: store.eventLog,
        databaseUrl: database.url,
        nats: nats.access(),
        log: createLog('test', 'silent'),
        backoff: { firstMs: 5, maxMs: 50 },
        ...settings,
      });
      relays.push(relay);
      return relay;
    },
    startProcess() {
      const { url, user, pass } = nats.access();
      const started = startOwnProcess('main.ts', [], {
        EVENTSTORE_URL: store.url,
        DATABASE_URL: database.url,
        NATS_URL: url,
        NATS_USER: user,
        NATS_PASS: pass,
      });
      processes.push(started);
      return started;
    },
    async expectAllPublished() {
      const expected = await store.facts();
      await nats.reached(expected.length);
      const published = await nats.facts();
      // Ids first: a difference in 10,000 whole facts says little.
      expect(published.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      expect(published).toEqual(expected);
    },
    async close() {
      await Promise.all(relays.map((relay) => relay.stop()));
      for (const started of processes) started.kill('SIGKILL');
      await Promise.all(processes.map((started) => started.ended));
      for (const close of closing.toReversed()) await close();
    },
  };
}

async function startStore(): Promise<Store & { close(): Promise<void> }> {
  const server = await startDevEventStore({ dataDir: null });
  const eventLog = connectEventStoreDb({ url: server.url });
  const writer = createLedgerWriter(eventLog);
  const random = createRandom(11);
  let cost = 1;
  await writer.model({ type: 'ModelRegistered', data: { ...MODEL, points_cost: cost } });
  return {
    ...{ eventLog, writer, url: server.url },
    async live(steps) {
      for (let step = 1; step <= steps; step += 1) {
        randomStep(writer.book(`u${step % ACCOUNTS}`), random);
        if (step % STEPS_PER_FLUSH !== 0 && step !== steps) continue;
        await writer.flush();
        const data = {
          model_id: MODEL.model_id,
          points_cost: cost + 1,
          previous_points_cost: cost,
        };
        await writer.model({ type: 'ModelPriced', data });
        cost += 1;
      }
    },
    async facts() {
      const facts: Fact[] = [];
      for (let afterPosition: bigint | null = null; ;) {
        const page = await eventLog.readAll({
          afterPosition,
          streamPrefixes: LEDGER_STREAM_PREFIXES,
          maxCount: PAGE_EVENTS,
        });
        facts.push(...page.events.flatMap((event) => factOf(event) ?? []));
        if (page.end) return facts;
        afterPosition = page.position;
      }
    },
    async close() {
      await eventLog.close();
      await server.close();
    },
  };
}
