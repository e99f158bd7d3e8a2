import { spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { OutboxError } from './errors.ts';
import { OUTBOX_FILE, openFileOutbox } from './file-outbox.ts';
import { LOCK_FILE } from './folder-lock.ts';
import { type Change, encodeChange, FILE_HEADER, readJournal } from './journal-lines.ts';
import type { ClientLog } from './log.ts';
import type { Outbox, OutboxRow } from './outbox.ts';

const BYTES_BETWEEN_FILES = 41;
/** A child process and many flushes, on a busy machine. */
const TIMEOUT_MS = 60_000;

describe('rows', { timeout: TIMEOUT_MS }, () => {
  it('as they were written last, in the next process too', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    expect(await outbox.load()).toEqual([]);
    await outbox.put(row('a'));
    await outbox.put(row('b'));
    await outbox.put({ ...row('a'), stage: 'held' });
    await outbox.remove('b');
    await outbox.put(row('c', 'text\nwith "quotes" and 积分'));
    await outbox.close();
    expect(await rowsIn(dir)).toEqual([
      { ...row('a'), stage: 'held' },
      row('c', 'text\nwith "quotes" and 积分'),
    ]);
  });

  it('in the hands of the system as soon as put returns, before it resolves', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    const written = outbox.put(row('a'));
    expect(fs.readFileSync(file(dir), 'utf8')).toContain('"key":"a"');
    await written;
    await outbox.close();
  });

  it('many at once share flushes and are all there', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => outbox.put(row(key))));
    await outbox.close();
    expect((await rowsIn(dir)).map(({ key }) => key)).toEqual(keys);
  });

  it('a file that is mostly history is made short, also while rows are being written', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    await outbox.put(row('stays'));
    let largest = 0;
    for (let i = 0; i < 60; i += 1) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, j) => {
          await outbox.put(row(`${i}-${j}`, 'x'.repeat(400)));
          await outbox.remove(`${i}-${j}`);
        }),
      );
      largest = Math.max(largest, fs.statSync(file(dir)).size);
    }
    expect(largest).toBeLessThan(1_300_000);
    await outbox.put(row('last'));
    await outbox.close();
    expect((await rowsIn(dir)).map(({ key }) => key)).toEqual(['stays', 'last']);
    expect(fs.readdirSync(dir)).toEqual([OUTBOX_FILE]);
  });

  it('a draft of a shorter file that a crash left is no harm', async () => {
    const dir = newFolder();
    await write(dir, row('a'));
    fs.writeFileSync(`${file(dir)}.new`, `${FILE_HEADER}half a li`);
    expect(await rowsIn(dir)).toEqual([row('a')]);
  });
});

describe('a crash', { timeout: TIMEOUT_MS }, () => {
  it('at every byte: every row that was promised is there, and the outbox goes on', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    /** What is promised once the file has at least so many bytes. */
    const promises: { bytes: number; keys: string[] }[] = [];
    const keys: string[] = [];
    for (const key of ['a', 'b', 'c']) {
      await outbox.put(row(key));
      keys.push(key);
      promises.push({ bytes: fs.statSync(file(dir)).size, keys: [...keys] });
    }
    await outbox.remove('a');
    await outbox.close();
    const whole = fs.readFileSync(file(dir));
    for (let bytes = 0; bytes < whole.length; bytes += 1) {
      const promised = promises.findLast((each) => each.bytes <= bytes)?.keys ?? [];
      const read = readJournal(whole.subarray(0, bytes));
      expect(read.ok && [...read.rows.keys()], `cut at ${bytes}`).toEqual(promised);
      // The same through a real file, with what comes after; at fewer bytes, since each costs flushes.
      if (bytes % BYTES_BETWEEN_FILES !== 0) continue;
      const torn = newFolder();
      fs.writeFileSync(file(torn), whole.subarray(0, bytes));
      await write(torn, row('next'));
      expect(await keysIn(torn), `cut at ${bytes}, then used`).toEqual([...promised, 'next']);
    }
  });

  it('of the machine: lines of one flush may reach the disk in any order, the earlier ones stay', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    await outbox.put(row('promised'));
    await outbox.put(row('promised too'));
    const durable = fs.statSync(file(dir)).size;
    // Written, but not flushed yet: nobody was told that they are safe.
    const pending = [outbox.put(row('x')), outbox.put(row('y'))];
    const whole = fs.readFileSync(file(dir));
    await Promise.all(pending);
    await outbox.close();
    const firstLost = Buffer.from(whole);
    firstLost.fill(0, durable, durable + 20);
    const torn = newFolder();
    fs.writeFileSync(file(torn), firstLost);
    const lines: string[] = [];
    expect(await keysIn(torn, lines)).toEqual(['promised', 'promised too']);
    expect(lines).toEqual(['cut off a change that was never finished']);
    expect(fs.statSync(file(torn)).size).toBe(durable);
  });
});

describe('damage', () => {
  it('of any byte of a promised row that others follow: refuses to open and says where', async () => {
    const dir = newFolder();
    await write(dir, row('a'), row('b'), row('c'), row('d'));
    const whole = fs.readFileSync(file(dir));
    const secondAt = whole.indexOf('\n', FILE_HEADER.length) + 1;
    const thirdAt = whole.indexOf('\n', secondAt) + 1;
    for (let at = secondAt; at < thirdAt; at += 1) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      expect(readJournal(changed), `byte ${at}`).toEqual({ ok: false, atByte: secondAt });
      // The same through a real file, at fewer bytes.
      if (at % BYTES_BETWEEN_FILES !== 0) continue;
      const bad = newFolder();
      fs.writeFileSync(file(bad), changed);
      expect(() => open(bad)).toThrow(`cannot be read from byte ${secondAt} on`);
      expect(fs.readFileSync(file(bad)).equals(changed)).toBe(true);
      expect(fs.existsSync(path.join(bad, LOCK_FILE))).toBe(false);
    }
  });

  it('a change that only another version knows: refuses to open', async () => {
    const dir = newFolder();
    await write(dir, row('a'));
    const bytes = fs.statSync(file(dir)).size;
    const later = { put: { ...row('b'), stage: 'paused' } } as unknown as Change;
    fs.appendFileSync(file(dir), encodeChange(later, bytes));
    expect(() => open(dir)).toThrow(`cannot be read from byte ${bytes} on`);
  });

  it('another kind of file: refuses to open and leaves it alone', () => {
    const dir = newFolder();
    fs.writeFileSync(file(dir), 'something else, and longer than the header is');
    expect(() => open(dir)).toThrow('cannot be read from byte 0 on');
  });
});

describe('a disk that takes no more', { timeout: TIMEOUT_MS }, () => {
  it('put rejects, what was promised stays, and later rows are taken when there is room again', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    await outbox.put(row('a'));
    await outbox.close();
    // A child process with a limit on the size of its files is a disk that is full.
    const limited = spawnSync(
      'sh',
      [
        '-c',
        `ulimit -f 4; trap '' XFSZ; exec "$@"`,
        'sh',
        process.execPath,
        '--import',
        'tsx',
        FIXTURE,
        dir,
      ],
      { encoding: 'utf8' },
    );
    expect(limited.stderr).toBe('');
    const { refused, taken } = JSON.parse(limited.stdout) as Record<string, string[]>;
    expect(refused).toEqual(['OutboxError not_written']);
    expect(await keysIn(dir)).toEqual(['a', ...(taken ?? [])]);
  });
});

describe('one process', { timeout: TIMEOUT_MS }, () => {
  it('a folder in use is refused with the process that has it, and free after close', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    expect(() => open(dir)).toThrow(OutboxError);
    expect(() => open(dir)).toThrow(`it is in use by process ${process.pid} on ${os.hostname()}`);
    await outbox.close();
    await open(dir).close();
  });

  it('the lock of a dead process is taken over', async () => {
    const dir = newFolder();
    const { pid } = spawnSync(process.execPath, ['--version']);
    lockAs(dir, `${os.hostname()} ${pid} 12345`);
    await open(dir).close();
  });

  it('the lock of a dead process whose number a living one has now is taken over', async () => {
    const dir = newFolder();
    lockAs(dir, `${os.hostname()} ${process.pid} 1`);
    await open(dir).close();
  });

  it('the lock of another host counts while it is being touched', async () => {
    const dir = newFolder();
    lockAs(dir, 'other-host 1 12345');
    expect(() => open(dir)).toThrow('it is in use by process 1 on other-host');
    const longAgo = new Date(Date.now() - 60_000);
    fs.utimesSync(path.join(dir, LOCK_FILE), longAgo, longAgo);
    await open(dir).close();
  });

  it.skipIf(process.platform !== 'linux')(
    'the lock of a dead process that its parent has not waited for is taken over',
    async () => {
      const dir = newFolder();
      const parent = spawn('sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60']);
      onTestFinished(() => void parent.kill('SIGKILL'));
      const pid = await new Promise<string>((resolve) =>
        parent.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())),
      );
      const fields = () => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ');
      await expect.poll(() => fields()?.[0]).toBe('Z');
      lockAs(dir, `${os.hostname()} ${pid} ${fields()?.[19]}`);
      await open(dir).close();
    },
  );

  it('nor while it is being closed, and what came before is kept', async () => {
    const dir = newFolder();
    const outbox = open(dir);
    const before = outbox.put(row('before'));
    const closed = outbox.close();
    await expect(outbox.put(row('late'))).rejects.toMatchObject({ code: 'closed' });
    await Promise.all([before, closed]);
    expect(await keysIn(dir)).toEqual(['before']);
  });

  it('after close nothing is taken', async () => {
    const outbox = open(newFolder());
    await outbox.close();
    await expect(outbox.put(row('a'))).rejects.toMatchObject({ code: 'closed' });
  });
});

const FIXTURE = path.join(import.meta.dirname, 'testing', 'full-disk-fixture.ts');

function lockAs(dir: string, holder: string): void {
  fs.writeFileSync(path.join(dir, LOCK_FILE), `${holder} ${randomUUID()}`);
}

function newFolder(): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'outbox-'));
  onTestFinished(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function file(dir: string): string {
  return path.join(dir, OUTBOX_FILE);
}

function open(dir: string, lines: string[] = []): Outbox {
  const say = (_: object, message: string) => void lines.push(message);
  const log: ClientLog = { info: say, warn: say, error: say };
  return openFileOutbox({ dir, log });
}

async function write(dir: string, ...rows: OutboxRow[]): Promise<void> {
  const outbox = open(dir);
  for (const each of rows) await outbox.put(each);
  await outbox.close();
}

async function rowsIn(dir: string, lines: string[] = []): Promise<OutboxRow[]> {
  const outbox = open(dir, lines);
  const rows = await outbox.load();
  await outbox.close();
  return rows;
}

async function keysIn(dir: string, lines: string[] = []): Promise<string[]> {
  return (await rowsIn(dir, lines)).map(({ key }) => key);
}

function row(key: string, description = 'work'): OutboxRow {
  const hold = { accountId: 'user-1', holdId: '01a1f972-32ca-7438-b8f5-2b7c7d30c7c4', description };
  return { key, stage: 'requested', since: '2026-11-20T14:52:53.444Z', hold };
}
