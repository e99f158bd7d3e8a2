import type { EventLog } from '@points/event-store/event-log';
import { InvalidArgumentError, Option } from 'commander';
import { pinPosition } from '../pinned-log.ts';
import { CannotRunError } from './outcome.ts';

/** The log as it was, for a report that has to say again what it said: gives `toPosition`. */
export function toPositionOption(): Option {
  return new Option(
    '--to-position <position>',
    'up to this position of the log (default: its end)',
  ).argParser(decimal);
}

/** Where this run ends: at the log's end, or at an earlier position that was asked for. Throws CannotRunError. */
export async function pinAt(
  log: Pick<EventLog, 'readLastPosition'>,
  toPosition: bigint | undefined,
): Promise<bigint | null> {
  const end = await pinPosition(log);
  if (toPosition !== undefined && (end === null || toPosition > end))
    throw new CannotRunError(
      `--to-position ${toPosition}: the log ends at ${end ?? 'nothing, it is empty'}. Give a position up to there.`,
    );
  return toPosition ?? end;
}

const DECIMAL = /^(0|[1-9]\d{0,19})$/;

function decimal(text: string): bigint {
  if (!DECIMAL.test(text))
    throw new InvalidArgumentError('A position is a whole number, as reports and exports tell it.');
  return BigInt(text);
}
