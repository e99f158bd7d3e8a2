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

const POSITION_MEMBER = ',"position":"';
const PLACE =
  /^,"position":"(0|[1-9]\d{0,19})","revision":(0|[1-9]\d{0,15}),"stream":"([!#-[\]-~]*)","type":"([!#-[\]-~]*)"\}$/;
/** Bytes; the names of the ledger's streams and types leave half of it free. */
const USUAL_TAIL_BYTES = 256;

/** The place of the event whose line this is; null = it does not end as canonical lines of events do. */
export function placeOf(line: Buffer): LinePlace | null {
  const tail =
    tailOf(line.toString('latin1', Math.max(0, line.length - USUAL_TAIL_BYTES))) ??
    tailOf(line.toString('latin1'));
  const match = tail === null ? null : PLACE.exec(tail);
  if (tail === null || match === null) return null;
  const [, position = '', revision = '', stream = '', type = ''] = match;
  return { position, revision: Number(revision), stream, type, text: `{${tail.slice(1)}` };
}

function tailOf(text: string): string | null {
  const start = text.lastIndexOf(POSITION_MEMBER);
  return start === -1 ? null : text.slice(start);
}
