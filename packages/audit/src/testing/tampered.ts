import type { JsonObject } from '@points/event-store/event-log';
import { GENESIS_HASH, chainEvents } from '@points/event-store/hash-chain';
import type { AuditEvent } from '../audit-event.ts';
import type { LineBlock } from '../export-file.ts';
import { formatLine } from '../export-line.ts';

/** For tests: lines as `verify` takes them. */
export async function* inBlocks(lines: readonly (string | Buffer)[]): AsyncGenerator<LineBlock> {
  const bytes = Buffer.concat(
    lines.flatMap((line) => [Buffer.from(line as string), Buffer.from('\n')]),
  );
  const ends: number[] = [];
  for (let at = bytes.indexOf('\n'); at !== -1; at = bytes.indexOf('\n', at + 1)) ends.push(at);
  yield { bytes, ends, firstLine: 1, share: 1 };
}

export function inLines(log: readonly AuditEvent[]): string[] {
  return log.map(formatLine);
}

/** The log with one event changed by somebody who does not care for hashes. */
export function edited(
  log: readonly AuditEvent[],
  place: number,
  change: (event: AuditEvent) => AuditEvent,
): AuditEvent[] {
  return log.map((event, index) => (index === place ? change(event) : event));
}

/**
 * The same events by somebody who can write the whole store: of `stream`, revisions, hashes and ids are computed anew
 * from its first event on.
 */
export function resealed(log: readonly AuditEvent[], stream: string): AuditEvent[] {
  const drafts = log
    .filter((event) => event.stream === stream)
    .map(({ type, data, metadata }) => {
      const { hash: _, prev_hash: __, ...rest } = metadata;
      return { type, data, metadata: rest };
    });
  const chain = chainEvents(stream, 0, GENESIS_HASH, drafts);
  let revision = -1;
  return log.map((event) => {
    if (event.stream !== stream) return event;
    revision += 1;
    return { ...event, ...chain[revision], revision };
  });
}

export function withFields(event: AuditEvent, fields: JsonObject): AuditEvent {
  return { ...event, data: { ...event.data, ...fields } };
}
