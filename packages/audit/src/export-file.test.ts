import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { readLines } from './export-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'export-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Longer than a chunk is, and lines of all lengths across the ends of chunks. */
const LINES = Array.from({ length: 4_000 }, (_, number) => `{"n":"${'é'.repeat(number % 250)}"}`);
const CHUNK_BYTES = 1024 * 1024;
const TEXT = Buffer.from(`${LINES.join('\n')}\n`);

async function read(content: Buffer): Promise<{ lines: string[]; problem: string | null }> {
  const file = join(folder, 'export');
  writeFileSync(file, content);
  const lines: string[] = [];
  try {
    for await (const { bytes, ends, firstLine } of readLines(file)) {
      expect(firstLine).toBe(lines.length + 1);
      let start = 0;
      for (const end of ends) {
        lines.push(bytes.toString('utf8', start, end));
        start = end + 1;
      }
    }
  } catch (error) {
    return { lines, problem: (error as Error).message };
  }
  return { lines, problem: null };
}

describe('the lines of an export', () => {
  it('are all there, plain or gzip, in several members or with no last line feed', async () => {
    const whole = { lines: LINES, problem: null };
    expect(await read(TEXT)).toEqual(whole);
    expect(await read(TEXT.subarray(0, -1))).toEqual(whole);
    expect(await read(gzipSync(TEXT))).toEqual(whole);
    const halves = [TEXT.subarray(0, 1_000), TEXT.subarray(1_000)].map((half) => gzipSync(half));
    expect(await read(Buffer.concat(halves))).toEqual(whole);
    expect(await read(Buffer.alloc(0))).toEqual({ lines: [], problem: null });
  });

  it('end where the file is cut', async () => {
    expect(await read(TEXT.subarray(0, -3))).toEqual({
      lines: LINES.slice(0, -1),
      problem: 'line 4000 is cut: the file ends in the middle of it',
    });
  });

  it('end where gzip is cut or damaged, always at the same place', async () => {
    const packed = gzipSync(TEXT, { level: 1 });
    const cut = await read(packed.subarray(0, packed.length / 2));
    expect(cut.problem).toBe(
      `line ${cut.lines.length + 1} cannot be unpacked (gzip): the file ends too early`,
    );
    expect(cut.lines.length).toBeGreaterThan(100);
    const flipped = Buffer.from(packed);
    flipped.writeUInt8(packed.readUInt8(packed.length - 6) ^ 1, packed.length - 6);
    const damaged = await read(flipped);
    expect(damaged.problem).toMatch(/^line \d+ cannot be unpacked \(gzip\): incorrect data check$/);
    expect(await read(flipped)).toEqual(damaged);
  });

  it('end where something else follows in a gzip file', async () => {
    const packed = gzipSync(TEXT);
    for (const more of [Buffer.from([0]), Buffer.alloc(CHUNK_BYTES + 1), Buffer.from('x')]) {
      const { lines, problem } = await read(Buffer.concat([packed, more]));
      expect(lines).toEqual(LINES);
      expect(problem).toMatch(/^line 4001 cannot be unpacked \(gzip\): /);
    }
    const second = gzipSync(TEXT);
    second.writeUInt8(0, 0);
    expect((await read(Buffer.concat([packed, second]))).problem).toMatch(/gzip/);
  });

  it('have a bound, so that any file at all can be given', async () => {
    const { problem } = await read(Buffer.alloc(6 * 1024 * 1024, 'x'));
    expect(problem).toBe('line 1 is longer than 4194304 bytes: this is no export');
  });
});
