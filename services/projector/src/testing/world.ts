import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import type { InMemoryEventLog } from '@points/event-store/in-memory';
import { openSession } from '@points/read-model/database';
import { createLog } from '@points/runtime/log';
import { expect } from 'vitest';
import { startProjector } from '../start.ts';
import type { ProjectorDeps } from '../start.ts';
import type { Follower } from '../follower.ts';
import { readRows } from '../table-rows.ts';
import { actualAccount } from './actual-account.ts';
import { expectedAccount } from './expected-account.ts';
import { createLedgerWriter } from './ledger-writer.ts';
import type { LedgerWriter } from './ledger-writer.ts';
import { createRandom, randomStep } from './random-history.ts';
import { createReadDatabase } from './read-tables.ts';
import type { ReadDatabase } from './read-tables.ts';

const ACCOUNTS = ['a', 'b', 'c'];
const POLL = { timeout: 30_000, interval: 10 };

/** An event log in memory with accounts that live at random, a real database, and projectors between them. */
export interface World {
  readonly database: ReadDatabase;
  eventLog: InMemoryEventLog;
  writer: LedgerWriter;
  start(options?: Partial<ProjectorDeps>): Promise<Follower>;
  /** Random commands in every account, appended. */
  live(steps: number): Promise<void>;
  /** Another event store in the place of this one. */
  replaceEventLog(): void;
  events(): Promise<readonly StoredEvent[]>;
  endOfLog(): Promise<bigint>;
  /** Waits until all of the log is announced, then compares the tables with the fold of each account. */
  expectTablesAgree(): Promise<void>;
  /** The rows that a projector makes of this log to which nothing ever happens. */
  undisturbedDump(): Promise<Record<string, string[]>>;
  close(): Promise<void>;
}

export async function createWorld(postgresUrl: string): Promise<World> {
  const database = await createReadDatabase(postgresUrl);
  const projectors: Follower[] = [];
  const random = createRandom(7);
  const eventLog = createInMemoryEventLog();
  const world: World = {
    database,
    eventLog,
    writer: createLedgerWriter(eventLog),
    async start(options) {
      const projector = startProjector({
        eventLog: world.eventLog,
        databaseUrl: database.url,
        log: createLog('test', 'silent'),
        backoff: { firstMs: 5, maxMs: 50 },
        ...options,
      });
      projectors.push(projector);
      return projector;
    },
    async live(steps) {
      for (let step = 1; step <= steps; step += 1) {
        for (const id of ACCOUNTS) randomStep(world.writer.book(id), random);
        if (step % 10 === 0 || step === steps) await world.writer.flush();
      }
    },
    replaceEventLog() {
      world.eventLog = createInMemoryEventLog();
      world.writer = createLedgerWriter(world.eventLog);
    },
    events: () => allEvents(world.eventLog),
    endOfLog: async () => (await allEvents(world.eventLog)).at(-1)?.position ?? 0n,
    async expectTablesAgree() {
      await database.announced(await world.endOfLog());
      const session = await openSession({ url: database.url, applicationName: 'test' });
      for (const id of ACCOUNTS) {
        const book = world.writer.book(id);
        const actual = await actualAccount((...what) => readRows(session.db, ...what), id, book);
        expect(actual).toEqual(book.events.length === 0 ? null : expectedAccount(book));
      }
      await session.close();
    },
    async undisturbedDump() {
      const other = await createReadDatabase(postgresUrl);
      const projector = await world.start({ databaseUrl: other.url });
      await other.announced(await world.endOfLog());
      await projector.stop();
      const dump = await other.dump();
      await other.drop();
      return dump;
    },
    async close() {
      await Promise.all(projectors.map((projector) => projector.stop()));
      await database.drop();
    },
  };
  return world;
}

/** For what no event tells of, such as a projector's status. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, POLL);
}

async function allEvents(eventLog: EventLog): Promise<readonly StoredEvent[]> {
  const page = await eventLog.readAll({
    afterPosition: null,
    streamPrefixes: LEDGER_STREAM_PREFIXES,
    maxCount: 100_000,
  });
  return page.events;
}
