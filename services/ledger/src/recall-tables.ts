import type { ReadTables } from '@points/read-model/tables';
import {
  type RecallQuery,
  type RecalledBatch,
  type RecalledPlaces,
  batchOrigins,
  recallPlaces,
} from '@points/read-model/recall';
import type { Kysely } from 'kysely';

/** Where accounts' forgotten ids stand in the log, as the read tables know it. Rejects with `ReadTablesError`. */
export interface RecallTables {
  places(query: RecallQuery): Promise<RecalledPlaces>;
  /** What these batches are; those that are not known are left out. */
  origins(accountId: string, batchIds: readonly string[]): Promise<readonly RecalledBatch[]>;
}

/** The read tables are away, too far behind, or not of this log. Nothing was decided. */
export class ReadTablesError extends Error {
  override readonly name = 'ReadTablesError';
}

export function recallTables(db: Kysely<ReadTables>): RecallTables {
  return {
    places: (query) => reading(recallPlaces(db, query)),
    origins: (accountId, batchIds) => reading(batchOrigins(db, accountId, batchIds)),
  };
}

async function reading<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (cause) {
    throw new ReadTablesError('the read tables cannot be read', { cause });
  }
}
