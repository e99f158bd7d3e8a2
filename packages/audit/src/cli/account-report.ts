import type { AuditEvent } from '../audit-event.ts';
import { accountEventsUpTo } from '../pinned-log.ts';
import { pinAt } from './pin.ts';
import { withEventLog } from './sources.ts';

/** One account of the live log, pinned. */
export interface PinnedAccount {
  readonly position: bigint | null;
  /** Begins to read again each time. */
  events(): AsyncIterable<AuditEvent>;
}

/** Pins the log, at its end or at an earlier position, then does `work` with one account of it. */
export function withPinnedAccount<Result>(
  accountId: string,
  toPosition: bigint | undefined,
  work: (account: PinnedAccount) => Promise<Result>,
): Promise<Result> {
  return withEventLog(async (log) => {
    const position = await pinAt(log, toPosition);
    const events = () => accountEventsUpTo(log, accountId, { pin: position });
    return work({ position, events });
  });
}
