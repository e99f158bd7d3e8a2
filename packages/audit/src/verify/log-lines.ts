import type { EventLog } from '@points/event-store/event-log';
import { type LineBlock, lineEnds } from '../export-file.ts';
import { lineOf } from '../export-line.ts';
import { eventsUpTo } from '../pinned-log.ts';

const BLOCK_UNITS = 256 * 1024;

/** The log itself, up to a position, as the lines that an export of it would have. Throws what `eventsUpTo` throws. */
export async function* logLines(
  log: Pick<EventLog, 'readAll'>,
  pin: bigint | null,
): AsyncGenerator<LineBlock, void> {
  let lines: string[] = [];
  let units = 0;
  let firstLine = 1;
  let share = 0;
  const block = (): LineBlock => {
    const bytes = Buffer.from(`${lines.join('\n')}\n`, 'utf8');
    const made = { bytes, ends: lineEnds(bytes), firstLine, share };
    firstLine += lines.length;
    lines = [];
    units = 0;
    return made;
  };
  for await (const event of eventsUpTo(log, { pin })) {
    const line = lineOf(event);
    lines.push(line);
    units += line.length;
    share = pin === null || pin === 0n ? 1 : Number(event.position) / Number(pin);
    if (units >= BLOCK_UNITS) yield block();
  }
  if (lines.length > 0) yield block();
}
