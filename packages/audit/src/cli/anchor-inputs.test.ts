import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { canonicalJson } from '@points/event-store/canonical-json';
import { afterAll, expect, it } from 'vitest';
import { keyIdOf } from '../anchor-keys.ts';
import { anchorOf, signAnchor } from '../anchor.ts';
import { OTHER_KEY, TEST_KEY } from '../testing/anchor-key.ts';
import { anchorsToGoOnFrom } from './anchor-inputs.ts';
import { CannotRunError } from './outcome.ts';

const folder = mkdtempSync(join(tmpdir(), 'anchor-inputs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const HASH = 'a'.repeat(64);
const anchorAt = (position: bigint, key = TEST_KEY): LedgerAnchor => {
  const heads = [{ stream: 'account-u1', revision: 0, hash: HASH }];
  const extent = { position, events: 1, heads, order: HASH };
  return signAnchor(anchorOf(extent), key, '2026-11-20T06:00:00.000Z');
};

function fileOf(...anchors: readonly LedgerAnchor[]): string {
  const file = join(folder, 'anchors.ndjson');
  writeFileSync(file, anchors.map((anchor) => `${canonicalJson({ ...anchor })}\n`).join(''));
  return file;
}

it('a file of another key is not gone on with: both keys are named, and the file stays', async () => {
  const file = fileOf(anchorAt(3n), anchorAt(7n));
  const before = readFileSync(file, 'utf8');
  await expect(anchorsToGoOnFrom(file, OTHER_KEY)).rejects.toThrow(
    new CannotRunError(
      `${file} was begun with the key ${keyIdOf(TEST_KEY)}, the one that was given is ${keyIdOf(OTHER_KEY)}. A file has the anchors of one key: give that key by --key, or begin another file by --file`,
    ),
  );
  expect(readFileSync(file, 'utf8')).toBe(before);
});

it.each<[string, readonly LedgerAnchor[]]>([
  ['none', []],
  ['those of the key', [anchorAt(3n), anchorAt(7n)]],
  // What was changed in them is for the job to find, which knows it from a wrong key.
  ['one of the key among others', [anchorAt(3n, OTHER_KEY), anchorAt(7n)]],
  ['a changed one', [{ ...anchorAt(3n), events: 2 }]],
  ['one of the key that was given the name of another', [{ ...anchorAt(3n), key_id: HASH }]],
])('anchors to go on from: %s', async (_, anchors) => {
  expect(await anchorsToGoOnFrom(fileOf(...anchors), TEST_KEY)).toEqual(anchors);
});

it('anchors to go on from: no file yet', async () => {
  expect(await anchorsToGoOnFrom(join(folder, 'none'), TEST_KEY)).toEqual([]);
});
