import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { type ProjectorDeps, startProjector } from '@points/projector/start';
import { type Session, openDatabase, openSession } from '@points/read-model/database';
import { createTestDatabase } from '@points/read-model/testing/test-database';
import { createLog } from '@points/runtime/log';
import { type RecallTables, recallTables } from '../recall-tables.ts';
import type { World } from './ledger-under-test.ts';

/** A real database with a real projector between it and the world's event store. */
export interface ReadSide {
  readonly tables: RecallTables;
  openSession(): Promise<Session>;
  query(text: string): Promise<Record<string, unknown>[]>;
  startProjector(): void;
  stopProjector(): Promise<void>;
  stop(): Promise<void>;
}

export async function startReadSide(world: World, postgresUrl: string): Promise<ReadSide> {
  const database = await createTestDatabase(postgresUrl);
  const log = connectEventStoreDb({ url: world.eventStore.url });
  const db = openDatabase({ url: database.url, applicationName: 'recall-test', poolSize: 4 });
  const options: ProjectorDeps = {
    eventLog: log,
    databaseUrl: database.url,
    log: createLog('test', 'silent'),
    backoff: { firstMs: 5, maxMs: 50 },
  };
  let projector: ReturnType<typeof startProjector> | null = startProjector(options);

  async function stopProjector(): Promise<void> {
    await projector?.stop();
    projector = null;
  }

  return {
    tables: recallTables(db),
    openSession: () => openSession({ url: database.url, applicationName: 'sweeper-test' }),
    query: database.query,
    startProjector() {
      projector ??= startProjector(options);
    },
    stopProjector,
    async stop() {
      await stopProjector();
      await db.destroy();
      await log.close();
      await database.drop();
    },
  };
}
