import { canonicalJson } from '@points/event-store/canonical-json';
import { UNREADABLE } from '@points/event-store/eventstoredb-event';
import type { AuditEvent } from './audit-event.ts';

/**
 * One event as a line of an export, without the line feed: canonical JSON (RFC 8785) of `{data, id, metadata, position,
 * revision, stream, type}`, the position in decimal. Throws `TypeError` when the event holds what JSON cannot carry
 * (a lone surrogate).
 */
export function formatLine({
  data,
  id,
  metadata,
  position,
  revision,
  stream,
  type,
}: AuditEvent): string {
  return canonicalJson({ data, id, metadata, position: String(position), revision, stream, type });
}

/** The same; what has no canonical form keeps the one that it has, so that it is found and named like everything else. */
export function lineOf(event: AuditEvent): string {
  try {
    return formatLine(event);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  const { data, id, metadata, position, revision, stream, type } = event;
  const rest = { id, metadata, position: `${position}`, revision, stream, type };
  try {
    return JSON.stringify({ data, ...rest });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return JSON.stringify({ data: { [UNREADABLE]: 'nested too deeply to be written' }, ...rest });
  }
}

/** What the end of a line says, which is enough to know where the event belongs without reading all of it. */
export interface LinePlace {
  /** Log position, decimal. */
  readonly position: string;
  readonly revision: number;
  readonly stream: string;
  readonly type: string;
  /** The members above as the line has them, with the braces of an object of their own. */
  readonly text: string;
}

const POSITION_MEMBER = Buffer.from(',"position":"');
const PLACE =
  /^,"position":"(0|[1-9]\d{0,19})","revision":(0|[1-9]\d{0,15}),"stream":"([!#-[\]-~]*)","type":"([!#-[\]-~]*)"\}$/;

/** The place of the event whose line this is; null = it does not end as canonical lines of events do. */
export function placeOf(line: Buffer): LinePlace | null {
  const start = line.lastIndexOf(POSITION_MEMBER);
  if (start === -1) return null;
  const tail = line.toString('latin1', start);
  const match = PLACE.exec(tail);
  if (match === null) return null;
  const [, position = '', revision = '', stream = '', type = ''] = match;
  return { position, revision: Number(revision), stream, type, text: `{${tail.slice(1)}` };
}
