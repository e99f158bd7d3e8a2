import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inOrder, rootOf, type StreamHead } from './heads.ts';

function sha256(...parts: readonly (Buffer | string)[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const HASH = 'ab'.repeat(32);
const upper: StreamHead = { stream: 'account-B', revision: 3, hash: HASH };
const lower: StreamHead = { stream: 'account-a', revision: 0, hash: HASH };
const dash: StreamHead = { stream: 'account--', revision: 12, hash: HASH };

describe('the root over the heads of streams', () => {
  it('is the tree over their canonical JSON, in the order of UTF-16 code units', () => {
    const leaf = (text: string): Buffer => sha256('\0', text);
    const left = sha256(
      '\x01',
      leaf(`{"hash":"${HASH}","revision":12,"stream":"account--"}`),
      leaf(`{"hash":"${HASH}","revision":3,"stream":"account-B"}`),
    );
    const right = leaf(`{"hash":"${HASH}","revision":0,"stream":"account-a"}`);
    expect(rootOf([lower, upper, dash])).toBe(sha256('\x01', left, right).toString('hex'));
    expect(inOrder([lower, upper, dash])).toEqual([dash, upper, lower]);
  });

  it('is another one for another stream, revision or hash, and of nothing the hash of nothing', () => {
    const roots = [
      [],
      [upper],
      [upper, lower],
      [{ ...upper, stream: 'account-C' }, lower],
      [{ ...upper, revision: 4 }, lower],
      [{ ...upper, hash: HASH.replace('a', 'c') }, lower],
    ].map(rootOf);
    expect(new Set(roots).size).toBe(roots.length);
    expect(roots[0]).toBe(sha256('').toString('hex'));
  });
});
