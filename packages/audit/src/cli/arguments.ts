import { isId } from '@points/contracts/text';
import { InvalidArgumentError } from 'commander';
import { parseReportTime } from '../report-time.ts';

/** For commander: a time or a day of Shanghai, of which `edge` says which end is meant, as ISO-8601 UTC. */
export function reportTime(edge: 'start' | 'end'): (text: string) => string {
  return (text) => {
    const time = parseReportTime(text, edge);
    if (time === null)
      throw new InvalidArgumentError(
        'Give a day (2026-11-26, in Asia/Shanghai) or a time with its zone (2026-11-26T08:00:00+08:00).',
      );
    return time;
  };
}

/** For commander. */
export function accountId(text: string): string {
  if (!isId(text))
    throw new InvalidArgumentError('An account id is 1 to 64 of A-Z, a-z, 0-9, _ and -.');
  return text;
}
