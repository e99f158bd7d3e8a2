import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TOMBSTONE_REVISION } from './events.ts';
import type { RecordedEvent } from './events.ts';
import { LOCK_FILE } from './folder-lock.ts';
import { FILE_HEADER, readRecordHeader, RECORD_HEADER_BYTES } from './journal-record.ts';
import { JournalError } from './journal-error.ts';
import { JOURNAL_FILE, openJournal } from './journal.ts';
import type { Journal } from './journal.ts';

describe('journal', () => {
  it('opened again: every event comes back in order, exactly as it was written', async () => {
    const folder = newFolder();
    const events = [
      recordedEvent({
        stream: 'account-1',
        type: 'Ünicode 漢',
        payload: Buffer.from('{"n":1}{"m":2}'),
        dataBytes: 7,
      }),
      recordedEvent({ payload: Buffer.alloc(0), dataBytes: 0, isJson: false, revision: 3 }),
      recordedEvent({ type: '$streamDeleted', revision: TOMBSTONE_REVISION }),
      recordedEvent({ payload: Buffer.alloc(100_000, 7), dataBytes: 1, position: 2 ** 52 }),
    ];
    await write(folder, events.slice(0, 3), events.slice(3));
    expect(await recover(folder)).toEqual({ events, lines: [] });
  });

  it('appends share a write: those of one turn, and those that arrive while one is under way', async () => {
    const folder = newFolder();
    const { journal } = open(folder);
    const durable: number[] = [];
    const append = (from: number, to: number): void => {
      for (let n = from; n < to; n += 1) {
        journal.append([recordedEvent({ revision: n })], () => durable.push(n));
      }
    };
    append(0, 50);
    // By then the first write is under way: it takes longer than a turn.
    await nextTurn();
    append(50, 75);
    append(75, 100);
    await journal.close();
    expect(durable).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(recordOffsets(folder)).toHaveLength(2);
  });

  it('closing waits for what is under way', async () => {
    const folder = newFolder();
    const { journal } = open(folder);
    let durable = false;
    journal.append([recordedEvent()], () => {
      durable = true;
    });
    await journal.close();
    expect(durable).toBe(true);
    expect((await recover(folder)).events).toHaveLength(1);
  });

  it('an empty append takes its turn and leaves no trace', async () => {
    const folder = newFolder();
    const { journal } = open(folder);
    await new Promise<void>((resolve) => journal.append([], resolve));
    await journal.close();
    expect(fs.statSync(file(folder)).size).toBe(FILE_HEADER.length);
  });
});

describe('what a crash leaves at the end', () => {
  it('cut at any byte of the last record: the others come back, it is gone, and writing goes on', async () => {
    const folder = newFolder();
    const [first, last, next] = [
      recordedEvent(),
      recordedEvent({ revision: 1 }),
      recordedEvent({ revision: 1 }),
    ];
    await write(folder, [first], [last]);
    const whole = fs.readFileSync(file(folder));
    const lastAt = recordOffsets(folder)[1] ?? 0;
    for (let cutAt = lastAt; cutAt < whole.length; cutAt += 1) {
      fs.writeFileSync(file(folder), whole.subarray(0, cutAt));
      const recovered = await recover(folder);
      expect(recovered.events, `cut at byte ${cutAt}`).toEqual([first]);
      expect(recovered.lines, `cut at byte ${cutAt}`).toEqual(
        cutAt === lastAt
          ? []
          : [expect.stringContaining(`cut off what lies behind byte ${lastAt}`)],
      );
      expect(fs.statSync(file(folder)).size).toBe(lastAt);
    }
    await write(folder, [next]);
    expect((await recover(folder)).events).toEqual([first, next]);
  });

  it('written up to any byte into the zeros that wait for it: the others come back, it is gone', async () => {
    const folder = newFolder();
    const first = recordedEvent();
    await write(folder, [first], [recordedEvent({ revision: 1 })]);
    const whole = fs.readFileSync(file(folder));
    const lastAt = recordOffsets(folder)[1] ?? 0;
    for (let writtenTo = lastAt; writtenTo < whole.length; writtenTo += 1) {
      const torn = Buffer.alloc(whole.length + 1_000);
      whole.copy(torn, 0, 0, writtenTo);
      fs.writeFileSync(file(folder), torn);
      expect((await recover(folder)).events, `written to byte ${writtenTo}`).toEqual([first]);
    }
  });

  it('any byte of the last record changed: the others come back, it is gone', async () => {
    const folder = newFolder();
    const first = recordedEvent();
    await write(folder, [first], [recordedEvent({ revision: 1 })]);
    const whole = fs.readFileSync(file(folder));
    for (let at = recordOffsets(folder)[1] ?? 0; at < whole.length; at += 1) {
      fs.writeFileSync(file(folder), withByteChanged(whole, at));
      expect((await recover(folder)).events, `byte ${at}`).toEqual([first]);
    }
  });

  it('zeros that were never written: no log line', async () => {
    const folder = newFolder();
    const first = recordedEvent();
    await write(folder, [first]);
    fs.appendFileSync(file(folder), Buffer.alloc(5_000));
    expect(await recover(folder)).toEqual({ events: [first], lines: [] });
  });

  it('a file shorter than its header: begins anew', async () => {
    const folder = newFolder();
    fs.writeFileSync(file(folder), FILE_HEADER.subarray(0, 5));
    expect((await recover(folder)).events).toEqual([]);
    await write(folder, [recordedEvent()]);
    expect((await recover(folder)).events).toHaveLength(1);
  });
});

describe('damage', () => {
  it('any byte changed in a record that others follow: refuses to open, with file and byte', async () => {
    const folder = newFolder();
    await write(
      folder,
      [recordedEvent()],
      [recordedEvent({ revision: 1 })],
      [recordedEvent({ revision: 2 })],
    );
    const whole = fs.readFileSync(file(folder));
    const [, secondAt = 0, thirdAt = 0] = recordOffsets(folder);
    for (let at = secondAt; at < thirdAt; at += 1) {
      fs.writeFileSync(file(folder), withByteChanged(whole, at));
      expect(() => open(folder), `byte ${at}`).toThrow(
        `${file(folder)} is damaged at byte ${secondAt}`,
      );
      expect(fs.statSync(file(folder)).size).toBe(whole.length);
    }
  });

  it('another kind of file: refuses to open and leaves it alone', () => {
    const folder = newFolder();
    const other = Buffer.alloc(100, 'not a journal');
    fs.writeFileSync(file(folder), other);
    expect(() => open(folder)).toThrow(`${file(folder)} is damaged at byte 0`);
    expect(fs.readFileSync(file(folder))).toEqual(other);
  });
});

describe('lock', () => {
  it('a folder in use: refused with the process that has it, free again after close', async () => {
    const folder = newFolder();
    const { journal } = open(folder);
    expect(() => open(folder)).toThrow(`it is in use by process ${process.pid}`);
    expect(() => open(folder)).toThrow(JournalError);
    await journal.close();
    await open(folder).journal.close();
  });

  it('the lock of a dead process: taken over', async () => {
    const folder = newFolder();
    const { pid } = spawnSync(process.execPath, ['--version']);
    fs.writeFileSync(path.join(folder, LOCK_FILE), `${pid} 12345 ${randomUUID()}`);
    await open(folder).journal.close();
  });

  it('the lock of a dead process whose number a living one has now: taken over', async () => {
    const folder = newFolder();
    fs.writeFileSync(path.join(folder, LOCK_FILE), `${process.pid} 1 ${randomUUID()}`);
    await open(folder).journal.close();
    expect(fs.readdirSync(folder)).toEqual([JOURNAL_FILE]);
  });

  it.skipIf(process.platform !== 'linux')(
    'the lock of a dead process that its parent has not waited for: taken over',
    async () => {
      const folder = newFolder();
      const parent = spawn('sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60']);
      onTestFinished(() => void parent.kill('SIGKILL'));
      const pid = await new Promise<string>((resolve) =>
        parent.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())),
      );
      const fields = () => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ');
      await expect.poll(() => fields()?.[0]).toBe('Z');
      const startTime = fields()?.[19] ?? '';
      fs.writeFileSync(path.join(folder, LOCK_FILE), `${pid} ${startTime} ${randomUUID()}`);
      await open(folder).journal.close();
    },
  );

  it('a folder that cannot be made: refused with its name', () => {
    const folder = path.join(newFolder(), 'file', 'below');
    fs.writeFileSync(path.dirname(folder), '');
    expect(() => open(folder)).toThrow(`cannot use the data folder ${folder}`);
  });
});

function newFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'journal-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function file(folder: string): string {
  return path.join(folder, JOURNAL_FILE);
}

function open(folder: string): { journal: Journal; events: RecordedEvent[]; lines: string[] } {
  const events: RecordedEvent[] = [];
  const lines: string[] = [];
  const journal = openJournal({
    folder,
    log: (line) => lines.push(line),
    onEvent: (event) => events.push(event),
    onFailure: (error) => {
      throw error;
    },
  });
  return { journal, events, lines };
}

/** Each group as an append of its own, durable before the next. */
async function write(folder: string, ...groups: RecordedEvent[][]): Promise<void> {
  const { journal } = open(folder);
  for (const group of groups) await new Promise<void>((resolve) => journal.append(group, resolve));
  await journal.close();
}

async function recover(folder: string): Promise<{ events: RecordedEvent[]; lines: string[] }> {
  const { journal, events, lines } = open(folder);
  await journal.close();
  return { events, lines };
}

function recordOffsets(folder: string): number[] {
  const bytes = fs.readFileSync(file(folder));
  const offsets: number[] = [];
  for (let at = FILE_HEADER.length; at < bytes.length;) {
    const header = readRecordHeader(bytes.subarray(at, at + RECORD_HEADER_BYTES));
    if (header === null) throw new Error(`no record at byte ${at}`);
    offsets.push(at);
    at += RECORD_HEADER_BYTES + header.payloadBytes;
  }
  return offsets;
}

function withByteChanged(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 0x40;
  return changed;
}

function recordedEvent(fields: Partial<RecordedEvent> = {}): RecordedEvent {
  return {
    id: randomUUID(),
    type: 'Happened',
    isJson: true,
    payload: Buffer.from('{"n":1}'),
    dataBytes: 7,
    stream: 'account-1',
    revision: 0,
    position: 1024,
    createdMs: 1_763_600_000_000,
    ...fields,
  };
}
