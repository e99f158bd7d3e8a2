import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { signAnchor } from './anchor.ts';
import { AnchorFileError, appendAnchor, mendAnchorFile, readAnchorFile } from './anchor-file.ts';
import { TEST_KEY } from './testing/anchor-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'anchor-file-'));
const file = join(folder, 'anchors.ndjson');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(file, { force: true }));

function anchorAt(position: string): LedgerAnchor {
  const sha = 'ab'.repeat(32);
  return signAnchor(
    { position, events: 3, streams: 1, root: sha, order: sha },
    TEST_KEY,
    '2026-11-20T06:00:00.000Z',
  );
}

const first = anchorAt('9');
const second = anchorAt('10');
const third = anchorAt('18446744073709551615');

describe('a file of anchors', () => {
  it('gives back what was appended, one canonical line each', async () => {
    expect(await readAnchorFile(file)).toEqual({ outcome: 'missing' });
    for (const anchor of [first, second, third]) await appendAnchor(file, anchor);
    expect(await readAnchorFile(file)).toEqual({
      outcome: 'read',
      anchors: [first, second, third],
    });
    const [line = ''] = readFileSync(file, 'utf8').split('\n');
    expect(line).toBe(JSON.stringify(first, Object.keys(first).toSorted()));
  });

  it('that is empty has no anchors yet', async () => {
    writeFileSync(file, '');
    expect(await readAnchorFile(file)).toEqual({ outcome: 'read', anchors: [] });
    await appendAnchor(file, first);
    expect(await readAnchorFile(file)).toEqual({ outcome: 'read', anchors: [first] });
  });

  it.each<[string, (line: string) => string, RegExp]>([
    ['garbled', (line) => line.slice(1), /^is not JSON$/],
    ['empty', () => '', /^is not JSON$/],
    ['no anchor', () => '{}', /^is no anchor: position /],
    ['a field too many', (line) => line.replace('{', '{"a":1,'), /^is no anchor: a is not a known/],
    ['a bad root', (line) => line.replace('"abab', '"ABab'), /^is no anchor: order must be 64 hex/],
    ['another spelling', (line) => line.replace(':', ': '), /^is not canonical JSON/],
    ['of another system', (line) => `${line}\r`, /^is not canonical JSON/],
    ['very long', (line) => line + ' '.repeat(4_000), /^is no anchor: it has \d+ characters$/],
    [
      'the one before again',
      () => readFileSync(file, 'utf8').split('\n')[0] ?? '',
      /^is out of order: position 9 follows 9$/,
    ],
  ])('with a second line that is %s is refused', async (_, change, problem) => {
    await appendAnchor(file, first);
    await appendAnchor(file, second);
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, [lines[0], change(lines[1] ?? ''), ''].join('\n'));
    expect(await readAnchorFile(file)).toEqual({
      outcome: 'wrong',
      line: 2,
      problem: expect.stringMatching(problem),
    });
  });

  it('whose last line was torn says so, and nothing is written behind it', async () => {
    await appendAnchor(file, first);
    const { length } = readFileSync(file);
    await appendAnchor(file, second);
    for (const cut of [1, 2, length - 1]) {
      truncateSync(file, 2 * length + 1 - cut);
      const torn = readFileSync(file, 'utf8');
      expect(await readAnchorFile(file)).toEqual({
        outcome: 'wrong',
        line: 2,
        problem: 'is the last one and has no end: writing it was interrupted; remove that line',
      });
      await expect(appendAnchor(file, third)).rejects.toThrow(/its last line has no end/);
      expect(readFileSync(file, 'utf8')).toBe(torn);
    }
  });

  it('whose last line was torn is mended for the next anchor', async () => {
    await appendAnchor(file, first);
    const { length } = readFileSync(file);
    await appendAnchor(file, second);
    const whole = readFileSync(file, 'utf8');
    expect(await mendAnchorFile(file)).toBe('whole');
    for (const cut of [2, 300, whole.length - length - 1]) {
      writeFileSync(file, whole.slice(0, -cut));
      expect(await mendAnchorFile(file)).toBe('dropped');
      expect(readFileSync(file, 'utf8')).toBe(whole.slice(0, length));
      await appendAnchor(file, second);
      expect(readFileSync(file, 'utf8')).toBe(whole);
    }
    truncateSync(file, whole.length - 1);
    expect(await mendAnchorFile(file)).toBe('finished');
    expect(readFileSync(file, 'utf8')).toBe(whole);
    writeFileSync(file, whole.slice(0, 20));
    expect(await mendAnchorFile(file)).toBe('dropped');
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('is not mended when it may be something else', async () => {
    expect(await mendAnchorFile(file)).toBe('whole');
    await appendAnchor(file, first);
    const line = readFileSync(file, 'utf8');
    for (const text of [`${line}notes`, `notes\n${line.slice(0, 99)}`, '-----BEGIN KEY', '{}']) {
      writeFileSync(file, text);
      expect(await mendAnchorFile(file)).toBe('whole');
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
  });

  it.skipIf(process.platform === 'win32')('is as before when the disk has no room', async () => {
    await appendAnchor(file, first);
    await appendAnchor(file, second);
    const before = readFileSync(file, 'utf8');
    // One KiB has room for two lines and a part of the third.
    expect(before.length).toBeLessThan(1_000);
    expect(before.length * 1.5).toBeGreaterThan(1_024);
    const module = new URL('anchor-file.ts', import.meta.url).href;
    const program = `import(${JSON.stringify(module)})
      .then(({ appendAnchor }) => appendAnchor(${JSON.stringify(file)}, ${JSON.stringify(third)}))
      .catch(({ name, message }) => console.log(name, message));`;
    const { stdout } = spawnSync(
      'bash',
      ['-c', 'ulimit -f 1; exec "$0" --import tsx --eval "$1"', process.execPath, program],
      { encoding: 'utf8', env: { ...process.env, TSX_DISABLE_CACHE: '1' } },
    );
    expect(stdout).toMatch(/^AnchorFileError .* cannot be written: EFBIG/);
    expect(readFileSync(file, 'utf8')).toBe(before);
    await appendAnchor(file, third);
  });

  it('takes no anchor at or before its last one, and none behind what is no anchor', async () => {
    await appendAnchor(file, second);
    for (const anchor of [first, second]) {
      await expect(appendAnchor(file, anchor)).rejects.toThrow(
        /has an anchor at position 10 already/,
      );
    }
    appendFileSync(file, 'notes\n');
    await expect(appendAnchor(file, third)).rejects.toThrow('its last line is not JSON');
    expect(readFileSync(file, 'utf8')).toMatch(/\nnotes\n$/);
  });

  it('that cannot be read or written is named', async () => {
    const nowhere = join(folder, 'no', 'anchors.ndjson');
    await expect(appendAnchor(nowhere, first)).rejects.toThrow(AnchorFileError);
    await expect(appendAnchor(nowhere, first)).rejects.toThrow(`${nowhere} cannot be written: `);
    await expect(readAnchorFile(folder)).rejects.toThrow(`${folder} cannot be read: `);
  });
});
