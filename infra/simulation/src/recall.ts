import { ReadTablesError, type RecallTables } from '@points/ledger/recall-tables';
import {
  ACCOUNTS,
  BATCHES,
  COMMANDS,
  HOLDS,
  MEMBERSHIPS,
  SOURCES,
  TOMBSTONES,
  TRANSACTIONS,
} from '@points/projector/rows';
import type { HoldRow } from '@points/projector/rows';
import type { RecallHoldBy, RecalledHold, RecalledPlaces } from '@points/read-model/recall';
import type { Faults } from './faults.ts';
import type { Process } from './process.ts';
import type { MemoryTables } from './tables.ts';

/** What a ledger looks up in the read tables, which may be away and mostly lag behind. */
export function connectRecall(
  process: Process,
  tables: MemoryTables,
  faults: Faults,
): RecallTables {
  const ask = <Answer>(what: string, answer: () => Answer): Promise<Answer> =>
    process.call(what, () => {
      if (faults.strikes('read tables away')) throw new ReadTablesError('simulated');
      return answer();
    });
  return {
    places: (query) =>
      ask('recall', () => {
        const { accountId, commandId, hold: by, sourceRef, orderNo } = query;
        const own = <Row extends { readonly user_id: string }>(rows: readonly Row[]) =>
          rows.filter((row) => row.user_id === accountId);
        const holds = own(tables.rows(HOLDS));
        const hold = holds.find((row) => isNamed(row, by, tables));
        const late = holds.find((row) => row.hold_id === hold?.late_hold_id);
        const tombstone = own(tables.rows(TOMBSTONES)).find(
          (row) => by !== undefined && 'holdId' in by && row.hold_id === by.holdId,
        );
        const places: RecalledPlaces = {
          appliedRevision: own(tables.rows(ACCOUNTS))[0]?.ledger_version ?? -1,
          command:
            tables
              .rows(COMMANDS)
              .find((row) => row.account_id === accountId && row.command_id === commandId) ?? null,
          hold:
            hold !== undefined
              ? placeOf(hold)
              : tombstone === undefined
                ? null
                : { kind: 'tombstone', record_id: null, ...tombstone },
          lateHold: late === undefined ? null : placeOf(late),
          source: own(tables.rows(SOURCES)).find((row) => row.source_ref === sourceRef) ?? null,
          order: own(tables.rows(MEMBERSHIPS)).find((row) => row.order_no === orderNo) ?? null,
        };
        return structuredClone(places);
      }),
    origins: (accountId, batchIds) =>
      ask('batch origins', () =>
        tables
          .rows(BATCHES)
          .filter((row) => row.user_id === accountId && batchIds.includes(row.batch_id))
          .map(({ created_at, expires_at, ...row }) => ({
            ...row,
            created_at: new Date(created_at),
            expires_at: expires_at === null ? null : new Date(expires_at),
          })),
      ),
  };
}

function isNamed(row: HoldRow, by: RecallHoldBy | undefined, tables: MemoryTables): boolean {
  if (by === undefined) return false;
  if ('holdId' in by) return row.hold_id === by.holdId;
  if ('recordId' in by) return row.record_id === by.recordId;
  return tables
    .rows(TRANSACTIONS)
    .some((each) => each.event_id === by.transactionId && each.hold_id === row.hold_id);
}

function placeOf({ hold_id, record_id, status, revisions }: HoldRow): RecalledHold {
  return { kind: 'hold', hold_id, record_id, status, revisions };
}
