import type { AuditLog } from '@points/audit/open-log';
import { invalidArgument } from '../error-body.ts';
import { toLogAnswer } from './event-log.ts';

/** Position of the log's last event, null when it is empty. Asks once: a store that is away is a 503 at once. */
export function endOfLog(log: AuditLog): Promise<bigint | null> {
  return log.readLastPosition().catch((error: unknown) => {
    throw toLogAnswer(error);
  });
}

/**
 * Up to where to read: `to`, else the end of the log. Positions beyond the end are of another log, or of one that has
 * lost events: 400, nothing to pass over in silence.
 */
export function checkedPin(
  { from_position, to_position }: PositionRange,
  end: bigint | null,
): bigint | null {
  for (const [field, position] of Object.entries({ from_position, to_position })) {
    if (position === undefined || (end !== null && position <= end)) continue;
    const at = end ?? '-';
    throw invalidArgument(field, {
      zh: `超出日志末尾（${at}）`,
      en: `lies beyond the end of the log (${at})`,
    });
  }
  return to_position ?? end;
}

export interface PositionRange {
  readonly from_position?: bigint | undefined;
  readonly to_position?: bigint | undefined;
}
