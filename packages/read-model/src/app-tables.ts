import type { ColumnType } from 'kysely';

/** Tables of schema `app`: state that no rebuild touches. */
export type AppTables = {
  relay_marks: RelayMarksTable;
};

/** How many of the accounts' events lie before a place in the log: kept by the relay of facts, one row. */
export type RelayMarksTable = {
  name: string;
  /** The event below is the fact of this number, the first one being 1. */
  sequence: number;
  event_position: bigint;
  event_stream: string;
  event_revision: number;
  event_id: string;
  updated_at: ColumnType<Date, Date | string, Date | string>;
};
