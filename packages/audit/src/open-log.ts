import { type EventLog, StoreUnavailableError } from '@points/event-store/event-log';
import { connectEventStoreDb } from '@points/event-store/eventstoredb';
import { LogEndsEarlyError } from './pinned-log.ts';

/** The event log, for those who know the audit and no event store. */
export type AuditLog = EventLog;

/**
 * The log at `url` (`esdb://…`), to be read by the functions of this package. Connects at the first read; close it.
 * Throws an `Error` that says what is wrong when `url` is no connection string.
 */
export function openLog(url: string): AuditLog {
  return connectEventStoreDb({ url });
}

/** Whether a read failed because of the store, and not because of what was read. */
export function isLogTrouble(error: unknown): boolean {
  return error instanceof StoreUnavailableError || error instanceof LogEndsEarlyError;
}
