import type { AuditEvent } from '@points/audit/audit-event';
import { stringify } from 'csv-stringify/sync';

/** Excel takes a file without it for one in the local code page. */
const BYTE_ORDER_MARK = '\uFEFF';
const COLUMNS = [
  'position',
  'stream',
  'revision',
  'occurred_at',
  'type',
  'command',
  'command_id',
  'actor_type',
  'actor_id',
  'balance_before',
  'balance_after',
  'event_id',
  'hash',
  'data',
];

/** The byte order mark and the names of the columns. */
export function csvHead(): string {
  return BYTE_ORDER_MARK + lineOf(COLUMNS);
}

/** One event as a line (RFC 4180); `data` is its JSON. Text that a spreadsheet would compute begins with `'`. */
export function csvLine({
  position,
  stream,
  revision,
  type,
  id,
  data,
  metadata,
}: AuditEvent): string {
  return lineOf([
    String(position),
    stream,
    String(revision),
    harmless(metadata['occurred_at']),
    harmless(type),
    harmless(metadata['command']),
    harmless(metadata['command_id']),
    harmless(metadata['actor_type']),
    harmless(metadata['actor_id']),
    numberOf(data['balance_before']),
    numberOf(data['balance_after']),
    id,
    harmless(metadata['hash']),
    JSON.stringify(data),
  ]);
}

function lineOf(cells: readonly string[]): string {
  return stringify([[...cells]], { record_delimiter: '\r\n' });
}

/** Numbers are left alone: a negative balance is no formula. */
function numberOf(value: unknown): string {
  return typeof value === 'number' ? String(value) : '';
}

function harmless(text = ''): string {
  return /^[=+\-@\t\r＝＋－＠]/.test(text) ? `'${text}` : text;
}
