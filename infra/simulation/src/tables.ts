import { decodeStoredEvent } from '@points/contracts/stored-events';
import type { EventBatch } from '@points/projector/follow-log';
import { type Checkpoint, CheckpointMovedError } from '@points/projector/checkpoint';
import { project } from '@points/projector/projections';
import type { Tables } from '@points/projector/projector';
import type { TableSpec } from '@points/projector/rows';
import { loadTouched, saveChanged } from '@points/projector/touched-rows';
import type { Faults } from './faults.ts';
import type { Process } from './process.ts';

/** The read tables in memory: what PostgreSQL does for the projector, rows and checkpoint together or not at all. */
export interface MemoryTables {
  connect(process: Process): Tables;
  rows<Row>(spec: TableSpec<Row>): Row[];
  checkpoint(): Checkpoint | null;
}

/** Something of the server's, not of the events: the projector takes a new session and goes on. */
export class TransactionError extends Error {
  override readonly name = 'TransactionError';
}

export function createTables(faults: Faults): MemoryTables {
  let committed: ReadonlyMap<string, Table> = new Map();
  let checkpoint: Checkpoint | null = null;

  async function apply(
    expected: Checkpoint | null,
    { events, position }: EventBatch,
  ): Promise<Checkpoint> {
    if (expected?.position !== checkpoint?.position) throw new CheckpointMovedError('simulated');
    const transaction = begin(committed);
    const placed = events.map((stored) => {
      const { id: eventId, revision } = stored;
      const ledgerEvent = decodeStoredEvent(stored);
      return { ledgerEvent, eventId, position: stored.position, revision };
    });
    const set = await loadTouched(transaction.read, placed);
    for (const each of placed) project(set, each);
    await saveChanged(transaction.write, set);
    if (faults.strikes('transaction rolled back')) throw new TransactionError('rolled back');
    committed = transaction.tables;
    checkpoint = { position, event: events.at(-1) ?? checkpoint?.event ?? null };
    if (faults.strikes('transaction committed, answer lost')) throw new TransactionError('cut');
    return checkpoint;
  }

  return {
    // A table holds the rows of its own spec only.
    rows: (spec) => [...(committed.get(spec.table)?.values() ?? [])] as never[],
    checkpoint: () => checkpoint,
    connect: (process) => ({
      checkpoint: () => process.call('checkpoint', () => checkpoint),
      apply: (expected, batch) =>
        process.call(`apply ${batch.events.length}`, () => apply(expected, batch)),
    }),
  };
}

/** Rows as JSON by their keys, for a row that is changed elsewhere must not change here. */
type Table = ReadonlyMap<string, unknown>;

function begin(committed: ReadonlyMap<string, Table>) {
  const tables = new Map(committed);
  const keyOf = <Row>(row: Row, by: readonly (keyof Row)[]) =>
    JSON.stringify(by.map((column) => row[column]));

  async function read<Row>(
    spec: TableSpec<Row>,
    keys: readonly (readonly string[])[],
    by: readonly (keyof Row & string)[] = spec.key,
  ): Promise<Row[]> {
    const wanted = new Set(keys.map((key) => JSON.stringify(key)));
    const found = [...(tables.get(spec.table)?.values() ?? [])] as Row[];
    return structuredClone(found.filter((row) => wanted.has(keyOf(row, by))));
  }

  async function write<Row>(spec: TableSpec<Row>, rows: readonly Row[]): Promise<void> {
    const table = new Map(tables.get(spec.table));
    for (const row of rows) {
      const key = keyOf(row, spec.key);
      if (spec.existing === 'refuse' && table.has(key))
        throw new Error(`two rows ${key} in ${spec.table}`);
      if (spec.existing === 'update' || !table.has(key)) table.set(key, structuredClone(row));
    }
    tables.set(spec.table, table);
  }

  return { tables, read, write };
}
