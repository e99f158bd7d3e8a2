import { createTestDatabase } from '@points/read-model/testing/test-database';
import type { TestDatabase } from '@points/read-model/testing/test-database';
import pg from 'pg';

/** And views, which a rebuild makes anew, too. */
const TABLES = {
  user_points: 'user_id',
  point_batches: 'user_id, batch_id',
  point_transactions: 'id',
  point_holds: 'user_id, hold_id',
  point_tombstones: 'user_id, hold_id',
  point_sources: 'user_id, source_ref',
  memberships: 'user_id, order_no',
  point_commands: 'account_id, command_id',
  ai_models: 'model_id',
  mjk_user_points: 'id',
  mjk_point_transactions: 'id',
  muey_point_record: 'user_id, id',
  credit_transactions: 'id',
  points_consumption_log: 'id',
  points_packages: 'price_id',
  membership_prices: 'price_id',
};

export interface ReadDatabase extends TestDatabase {
  /** Every row of every read table as text, in a fixed order. */
  dump(schema?: string): Promise<Record<string, string[]>>;
  /** Resolves when this position, or a later one, has been announced since the database was made. */
  announced(position: bigint): Promise<void>;
  readonly announcements: readonly string[];
}

/** A database with an ear on the projector's channel. */
export async function createReadDatabase(postgresUrl: string): Promise<ReadDatabase> {
  const database = await createTestDatabase(postgresUrl);
  const announcements: string[] = [];
  const waiting = new Set<() => void>();
  const ear = new pg.Client({ connectionString: database.url });
  ear.on('error', () => undefined);
  ear.on('notification', ({ payload }) => {
    announcements.push(payload ?? '');
    for (const look of waiting) look();
  });
  await ear.connect();
  await ear.query('listen points_position');
  return {
    ...database,
    announcements,
    announced: (position) =>
      new Promise((resolve) => {
        const look = () => {
          if (!announcements.some((text) => BigInt(text) >= position)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async dump(schema = 'read') {
      const tables: Record<string, string[]> = {};
      for (const [table, order] of Object.entries(TABLES)) {
        const text = `select t::text as row from "${schema}".${table} t order by ${order}`;
        tables[table] = (await database.query(text)).map(({ row }) => String(row));
      }
      return tables;
    },
    async drop() {
      await ear.end();
      await database.drop();
    },
  };
}
