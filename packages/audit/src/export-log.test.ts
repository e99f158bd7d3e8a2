import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInMemoryEventLog } from '@points/event-store/in-memory';
import { type EventLog, StoreUnavailableError } from '@points/event-store/event-log';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEvent } from './audit-event.ts';
import { formatLine } from './export-line.ts';
import { type ExportRequest, exportLog } from './export-log.ts';
import { LogEndsEarlyError, accountEventsUpTo, eventsUpTo, pinPosition } from './pinned-log.ts';
import { makeLog } from './testing/make-log.ts';
import { logLines } from './verify/log-lines.ts';
import { verify } from './verify/verify.ts';

const folder = mkdtempSync(join(tmpdir(), 'export-log-'));
afterAll(() => rmSync(folder, { recursive: true }));

const made = [...makeLog({ accounts: 4, events: 900, seed: 5 })];
const log = createInMemoryEventLog();
let stored: AuditEvent[] = [];
let pin: bigint | null = null;

async function append(events: readonly AuditEvent[]): Promise<void> {
  for (const { stream, revision, id, type, data, metadata } of events)
    await log.append(
      stream,
      [{ id, type, data, metadata }],
      revision === 0 ? 'no_stream' : revision - 1,
    );
}

async function collected(events: AsyncIterable<AuditEvent>): Promise<AuditEvent[]> {
  const all: AuditEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

beforeAll(async () => {
  await append(made.slice(0, 800));
  pin = await pinPosition(log);
  stored = await collected(eventsUpTo(log, { pin }));
  // Appended while others read: nobody's business.
  await append(made.slice(800));
  await log.append(
    'accountSnapshot-user_1',
    [{ id: made[0]?.id ?? '', type: 'x', data: {}, metadata: {} }],
    'no_stream',
  );
});

const ALL = { account: null, from: null, to: null };

/** The log as it was when it was pinned. */
function pinned(changes: Partial<EventLog> = {}): EventLog {
  return { ...log, readLastPosition: async () => pin, ...changes };
}

function request(name: string, more: Partial<ExportRequest> = {}): ExportRequest {
  return { file: join(folder, name), ...ALL, ...more };
}

describe('reading up to a pinned position', () => {
  it('gives every event up to there, in order, whatever is appended meanwhile', async () => {
    expect(stored).toHaveLength(800);
    expect(stored.map(({ id }) => id)).toEqual(made.slice(0, 800).map(({ id }) => id));
    const last = stored.at(-1)?.position ?? 0n;
    expect(
      await collected(eventsUpTo(log, { pin: last, afterPosition: stored[99]?.position ?? null })),
    ).toEqual(stored.slice(100));
    expect(await collected(eventsUpTo(log, { pin: null }))).toEqual([]);
  });

  it('gives the events of one account', async () => {
    const own = stored.filter(({ stream }) => stream === 'account-user_2');
    expect(await collected(accountEventsUpTo(log, 'user_2', { pin }))).toEqual(own);
    expect(await collected(accountEventsUpTo(log, 'user_2', { pin, fromRevision: 7 }))).toEqual(
      own.slice(7),
    );
    expect(await collected(accountEventsUpTo(log, 'nobody', { pin }))).toEqual([]);
  });

  it('goes on after a store that was away for a moment, and not for ever', async () => {
    let failures = 2;
    const shaky = pinned({
      readAll: (options) => {
        failures -= 1;
        return failures >= 0
          ? Promise.reject(new StoreUnavailableError('away'))
          : log.readAll(options);
      },
    });
    const retryPausesMs = [0, 0];
    expect(await collected(eventsUpTo(shaky, { pin, retryPausesMs }))).toEqual(stored);
    const away = pinned({ readAll: () => Promise.reject(new StoreUnavailableError('away')) });
    await expect(collected(eventsUpTo(away, { pin, retryPausesMs }))).rejects.toThrow('away');
  });

  it('says so when the log ends before the position', async () => {
    const beyond = ((await log.readLastPosition()) ?? 0n) + 1_000n;
    await expect(collected(eventsUpTo(log, { pin: beyond }))).rejects.toThrow(LogEndsEarlyError);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const reading = eventsUpTo(log, { pin, signal: stop.signal });
    await reading.next();
    stop.abort(new Error('enough'));
    await expect(collected(reading)).resolves.toBeDefined();
    await expect(collected(eventsUpTo(log, { pin, signal: stop.signal }))).rejects.toThrow(
      'enough',
    );
  });
});

describe('an export', () => {
  it('has every event of the ledger, one line each, and holds', async () => {
    const result = await exportLog(pinned(), request('all'));
    const text = readFileSync(result.file, 'utf8');
    expect(text).toBe(stored.map((event) => `${formatLine(event)}\n`).join(''));
    expect(result).toMatchObject({ events: 800, position: String(pin), resumed: false });
    const report = await verify({ lines: () => logLines(log, pin), isFile: false });
    expect(report).toMatchObject({ holds: true, events: 800 });
  });

  it('may be of one account or time', async () => {
    const own = stored.filter(({ stream }) => stream === 'account-user_3');
    const from = own[10]?.metadata['occurred_at'] ?? '';
    const to = own[20]?.metadata['occurred_at'] ?? '';
    const { file } = await exportLog(pinned(), request('one', { account: 'user_3', from, to }));
    const within = own.filter(
      ({ metadata: { occurred_at = '' } }) => occurred_at >= from && occurred_at <= to,
    );
    expect(within.length).toBeGreaterThanOrEqual(11);
    expect(readFileSync(file, 'utf8')).toBe(
      within.map((event) => `${formatLine(event)}\n`).join(''),
    );
  });

  it('goes on where it was stopped, to the same bytes', async () => {
    const bytes = readFileSync(join(folder, 'all'));
    for (const cut of [0, 700, bytes.length / 2, bytes.length]) {
      const stopped = request('stopped', { signal: AbortSignal.abort(new Error('stopped')) });
      await expect(exportLog(pinned(), stopped)).rejects.toThrow('stopped');
      writeFileSync(join(folder, 'stopped.part'), bytes.subarray(0, cut));
      // The log has grown: what was pinned first stays.
      const result = await exportLog(log, request('stopped'));
      expect(result).toMatchObject({ resumed: true, events: 800, bytes: bytes.length });
      expect(readFileSync(result.file).equals(bytes)).toBe(true);
      rmSync(result.file);
    }
  });

  it('keeps what was read when the store goes away in the middle', async () => {
    let pages = 0;
    const breaking = pinned({
      readAll: (options) => {
        pages += 1;
        return pages > 2
          ? Promise.reject(new Error('gone'))
          : log.readAll({ ...options, maxCount: 100 });
      },
    });
    await expect(exportLog(breaking, request('broken'))).rejects.toThrow('gone');
    expect(readFileSync(join(folder, 'broken.part'), 'utf8').split('\n')).toHaveLength(201);
    await exportLog(pinned(), request('broken'));
    expect(readFileSync(join(folder, 'broken')).equals(readFileSync(join(folder, 'all')))).toBe(
      true,
    );
  });

  it('is not written by two at a time; the lock of a process that was killed is nobody’s', async () => {
    const outcomes = await Promise.allSettled(
      [1, 2].map(() => exportLog(pinned(), request('twice'))),
    );
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(readFileSync(join(folder, 'twice')).equals(readFileSync(join(folder, 'all')))).toBe(
      true,
    );
    writeFileSync(join(folder, 'killed.part.lock'), `${2 ** 30}`);
    writeFileSync(join(folder, 'killed.part'), 'lines of another export\n');
    await exportLog(pinned(), request('killed'));
    expect(readFileSync(join(folder, 'killed')).equals(readFileSync(join(folder, 'all')))).toBe(
      true,
    );
  });

  it('touches no file that is there, and does not go on with another log or other filters', async () => {
    await expect(exportLog(pinned(), request('all'))).rejects.toThrow('exists');
    renameSync(join(folder, 'all'), join(folder, 'other.part'));
    writeFileSync(
      join(folder, 'other.part.json'),
      JSON.stringify({ ...ALL, position: String(pin) }),
    );
    await expect(exportLog(pinned(), request('other', { account: 'user_1' }))).rejects.toThrow(
      'other filters',
    );
    const empty = createInMemoryEventLog();
    await expect(exportLog(empty, request('other'))).rejects.toThrow('which this log has not');
    expect(existsSync(join(folder, 'other'))).toBe(false);
  });
});
