import type { AuditEvent } from '../audit-event.ts';
import { accountEventsUpTo, pinPosition } from '../pinned-log.ts';
import { withEventLog } from './sources.ts';

/** One account of the live log, pinned. */
export interface PinnedAccount {
  readonly position: bigint | null;
  /** Begins to read again each time. */
  events(): AsyncIterable<AuditEvent>;
}

/** Pins the log, then does `work` with one account of it. */
export function withPinnedAccount<Result>(
  accountId: string,
  work: (account: PinnedAccount) => Promise<Result>,
): Promise<Result> {
  return withEventLog(async (log) => {
    const position = await pinPosition(log);
    const events = () => accountEventsUpTo(log, accountId, { pin: position });
    return work({ position, events });
  });
}
