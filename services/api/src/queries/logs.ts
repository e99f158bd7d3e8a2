import { CHANGE_TYPE_NAMES, type ChangeType } from '@points/contracts/display-names';
import type { ConsumptionLog, ConsumptionLogs } from '@points/contracts/http';
import type { PointTransactionsTable, ReadTables } from '@points/read-model/tables';
import type { Kysely, Selectable } from 'kysely';
import { formatLocalTime } from '../local-time.ts';

export interface LogsFilter {
  /** From 1. */
  readonly page: number;
  readonly size: number;
  readonly changeType: ChangeType | undefined;
  /** Included. */
  readonly startTime: Date | undefined;
  /** Excluded. */
  readonly endTime: Date | undefined;
  readonly keyword: string | undefined;
}

/** The account's rows, newest first. `records` and `total` are of one moment. */
export async function selectLogs(
  db: Kysely<ReadTables>,
  accountId: string,
  filter: LogsFilter,
): Promise<ConsumptionLogs> {
  const { page, size } = filter;
  const { total, rows } = await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (transaction) => {
      const matching = matchingRows(transaction, accountId, filter);
      const counted = await matching
        .select((of) => of.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow();
      const pageRows = await matching
        .selectAll()
        .orderBy('id', 'desc')
        .limit(size)
        .offset((page - 1) * size)
        .execute();
      return { total: counted.total, rows: pageRows };
    });
  return { records: rows.map(toRecord), total, page, size, totalPages: Math.ceil(total / size) };
}

function matchingRows(db: Kysely<ReadTables>, accountId: string, filter: LogsFilter) {
  const { changeType, startTime, endTime, keyword } = filter;
  let query = db.selectFrom('point_transactions').where('user_id', '=', accountId);
  if (changeType !== undefined) query = query.where('type', '=', changeType);
  if (startTime !== undefined) query = query.where('occurred_at', '>=', startTime);
  if (endTime !== undefined) query = query.where('occurred_at', '<', endTime);
  if (keyword === undefined) return query;
  const pattern = containing(keyword);
  return query.where((row) =>
    row.or([row('description', 'ilike', pattern), row('task_no', 'ilike', pattern)]),
  );
}

/** A LIKE pattern in which nothing of the keyword is a wildcard. */
function containing(keyword: string): string {
  return `%${keyword.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

function toRecord(row: Selectable<PointTransactionsTable>): ConsumptionLog {
  return {
    id: Number(row.id),
    taskNo: row.task_no,
    changeType: row.type,
    changeTypeName: CHANGE_TYPE_NAMES[row.type],
    changeAmount: row.delta,
    balanceBefore: row.balance_before,
    balanceAfter: row.balance_after,
    description: row.description,
    createTime: formatLocalTime(row.occurred_at),
    duration: row.duration,
  };
}
