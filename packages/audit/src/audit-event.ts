import type { StoredEvent } from '@points/event-store/event-log';

/** One event of the log, wherever it was read from. The store's own clock is no part of what is proved. */
export type AuditEvent = Omit<StoredEvent, 'createdMs'>;
