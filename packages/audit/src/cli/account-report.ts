import { isId } from '@points/contracts/text';
import type { EventLog } from '@points/event-store/event-log';
import { InvalidArgumentError } from 'commander';
import { accountEventsUpTo, pinPosition } from '../pinned-log.ts';
import { parseReportTime } from '../report-time.ts';
import type { AuditEvent } from '../audit-event.ts';
import { withEventLog } from './sources.ts';

/** One account of the live log, pinned. */
export interface PinnedAccount {
  readonly position: bigint | null;
  /** Begins to read again each time. */
  events(): AsyncIterable<AuditEvent>;
  readonly log: EventLog;
}

/** Pins the log, then does `work` with one account of it. */
export function withPinnedAccount<Result>(
  accountId: string,
  work: (account: PinnedAccount) => Promise<Result>,
): Promise<Result> {
  return withEventLog(async (log) => {
    const position = await pinPosition(log);
    const events = () => accountEventsUpTo(log, accountId, { pin: position });
    return work({ position, events, log });
  });
}

/** For commander: an account id. */
export function accountArgument(text: string): string {
  if (isId(text)) return text;
  throw new InvalidArgumentError(
    'an account id is 1 to 64 letters, digits, "-" and "_", such as user-1.',
  );
}

/** For commander: a time, or a day of Asia/Shanghai of which `edge` says which end is meant. */
export function timeArgument(edge: 'start' | 'end'): (text: string) => string {
  return (text) => {
    const time = parseReportTime(text, edge);
    if (time !== null) return time;
    throw new InvalidArgumentError(
      'write a time with its zone, such as 2026-01-31T18:00:00+08:00, or a day in Shanghai, such as 2026-01-31.',
    );
  };
}
