import type { AuditEvent } from '@points/audit/audit-event';
import { CSV_BOM, type CsvCell, csvRows } from '@points/audit/csv';

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
  return CSV_BOM + csvRows([COLUMNS]);
}

/** One event as a row; `data` is its JSON. What the log says is never taken for a formula. */
export function csvLine(event: AuditEvent): string {
  const { position, stream, revision, type, id, data, metadata } = event;
  const said = (name: string): CsvCell => ({ text: metadata[name] ?? '' });
  return csvRows([
    [
      String(position),
      stream,
      revision,
      said('occurred_at'),
      { text: type },
      said('command'),
      said('command_id'),
      said('actor_type'),
      said('actor_id'),
      numberOrNull(data['balance_before']),
      numberOrNull(data['balance_after']),
      id,
      said('hash'),
      JSON.stringify(data),
    ],
  ]);
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
