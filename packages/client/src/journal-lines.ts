import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { type OutboxRow, outboxRow } from './outbox.ts';

/**
 * The outbox file: a first line that names its format, then one line per change:
 *
 *   <CRC-32 of the rest, 8 hex digits> <durable bytes> <JSON of the change>
 *
 * `durable bytes` says how much of the file was known to be on disk when the line was written. A bad line behind all of
 * that is what a crash left of something never promised; a bad line before it is damage.
 */
export const FILE_HEADER = 'points-ledger outbox 1\n';

const change = z.union([z.object({ put: outboxRow }), z.object({ remove: z.string() })]);
export type Change = z.output<typeof change>;

export function encodeChange(each: Change, durableBytes: number): Buffer {
  const text = `${durableBytes} ${JSON.stringify(each)}`;
  return Buffer.from(`${checksum(text)} ${text}\n`);
}

export type Recovered =
  | {
      readonly ok: true;
      readonly rows: Map<string, OutboxRow>;
      /** Where the last good line ends; what lies behind it was never promised. */
      readonly endBytes: number;
    }
  | { readonly ok: false; readonly atByte: number };

/** What a file says. It may end anywhere: only what was promised has to be there. */
export function readJournal(bytes: Buffer): Recovered {
  const rows = new Map<string, OutboxRow>();
  const header = Buffer.from(FILE_HEADER);
  if (bytes.length < header.length && header.subarray(0, bytes.length).equals(bytes)) {
    return { ok: true, rows, endBytes: 0 };
  }
  if (!bytes.subarray(0, header.length).equals(header)) return { ok: false, atByte: 0 };
  let endBytes = header.length;
  let badAt: number | null = null;
  for (let at = header.length; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const next = newline === -1 ? bytes.length : newline + 1;
    const line = newline === -1 ? null : decodeLine(bytes.toString('utf8', at, newline));
    if (line === 'unknown') return { ok: false, atByte: at };
    if (line === null) badAt ??= at;
    else if (badAt === null) {
      apply(line.change, rows);
      endBytes = next;
    } else if (line.durableBytes > badAt) return { ok: false, atByte: badAt };
    at = next;
  }
  return { ok: true, rows, endBytes };
}

const NEWLINE = 0x0a;
const LINE = /^([0-9a-f]{8}) ((\d+) (.*))$/s;

/** null when it is no whole line, `unknown` when it is one of another version. */
function decodeLine(text: string): { change: Change; durableBytes: number } | null | 'unknown' {
  const [, sum, checked, durableBytes, json] = LINE.exec(text) ?? [];
  if (checked === undefined || json === undefined || checksum(checked) !== sum) return null;
  const parsed = change.safeParse(JSON.parse(json));
  if (!parsed.success) return 'unknown';
  return { change: parsed.data, durableBytes: Number(durableBytes) };
}

function apply(each: Change, rows: Map<string, OutboxRow>): void {
  if ('put' in each) rows.set(each.put.key, each.put);
  else rows.delete(each.remove);
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
