import { READ_SCHEMA, openDatabase } from '@points/read-model/database';
import { migrate } from '@points/read-model/migrate';
import type {
  AiModelsTable,
  PointBatchesTable,
  PointTransactionsTable,
  ReadTables,
  UserPointsTable,
} from '@points/read-model/tables';
import { createTestDatabase, type TestDatabase } from '@points/read-model/testing/test-database';
import type { Insertable, Kysely } from 'kysely';
import { NOW } from './test-app.ts';

export interface TestTables {
  readonly db: Kysely<ReadTables>;
  readonly database: TestDatabase;
  readonly close: () => Promise<void>;
}

/** Empty read tables in a database of their own. */
export async function createTestTables(postgresUrl: string): Promise<TestTables> {
  const database = await createTestDatabase(postgresUrl);
  const db = openDatabase({ url: database.url, applicationName: 'points-api test', poolSize: 4 });
  await migrate(db, READ_SCHEMA);
  const close = async () => {
    await db.destroy();
    await database.drop();
  };
  return { db, database, close };
}

let lastId = 0n;

function nextId(): bigint {
  lastId += 1n;
  return lastId;
}

/** An account whose points all come from recharges, unless the totals say something else. */
export async function insertAccount(
  db: Kysely<ReadTables>,
  account: Partial<Insertable<UserPointsTable>> & { user_id: string; balance: number },
): Promise<void> {
  const values = {
    id: nextId(),
    held: 0,
    debt: 0,
    total_recharged: account.balance,
    total_rewarded: 0,
    total_adjusted: 0,
    total_consumed: 0,
    total_refunded: 0,
    total_expired: 0,
    ledger_version: 0,
    updated_at: NOW,
    ...account,
  };
  await db.insertInto('user_points').values(values).execute();
}

export async function insertBatch(
  db: Kysely<ReadTables>,
  batch: Partial<Insertable<PointBatchesTable>> & { user_id: string; remaining: number },
): Promise<void> {
  const id = nextId();
  const values = {
    id,
    batch_id: `batch-${id}`,
    kind: 'paid' as const,
    points: batch.remaining,
    held: 0,
    created_at: NOW,
    ...batch,
  };
  await db.insertInto('point_batches').values(values).execute();
}

export async function insertTransaction(
  db: Kysely<ReadTables>,
  transaction: Partial<Insertable<PointTransactionsTable>> & { user_id: string },
): Promise<void> {
  const id = nextId();
  const values = {
    id,
    type: 'consume' as const,
    delta: -10,
    balance_before: 1510,
    balance_after: 1500,
    batch_allocations: '[]',
    description: '',
    event_id: `event-${id}`,
    occurred_at: NOW,
    ...transaction,
  };
  await db.insertInto('point_transactions').values(values).execute();
}

export async function insertModel(
  db: Kysely<ReadTables>,
  model: Partial<Insertable<AiModelsTable>> & { model_name: string },
): Promise<void> {
  const values = {
    id: nextId(),
    model_id: model.model_name,
    display_name: model.model_name,
    description: '',
    points_cost: 10,
    platform: '',
    provider_type: 'runninghub',
    model_type: '',
    task_type: 'text_to_video',
    is_enabled: true,
    extended_config: '{}',
    ledger_version: 0,
    ...model,
  };
  await db.insertInto('ai_models').values(values).execute();
}

/** Ten models, eight enabled, with the numbers of the documented example; and one that was removed. */
export async function insertCatalog(db: Kysely<ReadTables>): Promise<void> {
  const sora = { provider_type: 'openai', task_type: 'text_to_image', points_cost: 11 };
  const name = 'Sora高质量图片生成';
  await insertModel(db, {
    id: 1n,
    model_name: 'sora_image',
    display_name: name,
    description: name,
    ...sora,
  });
  await insertModel(db, {
    model_name: 'dall_e',
    provider_type: 'openai',
    task_type: 'text_to_image',
  });
  await insertModel(db, {
    model_name: 'gpt',
    provider_type: 'openai',
    task_type: 'llm',
    extended_config: '{"max_tokens":100}',
  });
  for (const number of [1, 2, 3, 4]) await insertModel(db, { model_name: `video_${number}` });
  await insertModel(db, { model_name: 'animate', task_type: 'image_to_video' });
  await insertModel(db, { model_name: 'speech', task_type: 'text_to_audio', is_enabled: false });
  await insertModel(db, {
    model_name: 'caption',
    task_type: 'image_to_text',
    provider_type: 'qwen',
    is_enabled: false,
  });
  await insertModel(db, { model_name: 'removed', deleted_at: NOW });
}

/** Moves the checkpoint as the projector does: with an announcement at the commit. */
export async function applyPosition(db: Kysely<ReadTables>, position: bigint): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('projection_checkpoints')
      .values({ name: 'read', position, updated_at: NOW })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ position }))
      .execute();
    await transaction
      .selectNoFrom((of) =>
        of.fn('pg_notify', [of.val('points_position'), of.val(String(position))]).as('sent'),
      )
      .execute();
  });
}
