import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createOrderDigest } from './order-digest.ts';

function line(position: number, revision: number, stream: string, type: string): string {
  return `{"position":"${position}","revision":${revision},"stream":"${stream}","type":"${type}"}\n`;
}

/** More than waits in memory before it is hashed. */
const MANY = 1_000;

describe('the order digest', () => {
  it('is SHA-256 over one canonical line for each event, however they are added', () => {
    const expected = createHash('sha256');
    const digest = createOrderDigest();
    expect(digest.digest()).toBe(createHash('sha256').digest('hex'));
    for (let index = 0; index < MANY; index += 1) {
      const text = line(100 * index, index, 'account-a', 'PointsHeld');
      expected.update(text);
      if (index % 300 === 7) digest.addText(text.slice(0, -1));
      else digest.add(String(100 * index), index, 'account-a', 'PointsHeld');
      if (index % 100 === 0) expect(digest.digest()).toBe(expected.copy().digest('hex'));
    }
    expect(digest.digest()).toBe(expected.digest('hex'));
  });

  it('is another one when events of two streams trade places, though each stream is the same', () => {
    const one = createOrderDigest();
    one.add('100', 0, 'account-a', 'PointsHeld');
    one.add('200', 0, 'account-b', 'PointsHeld');
    const other = createOrderDigest();
    other.add('100', 0, 'account-b', 'PointsHeld');
    other.add('200', 0, 'account-a', 'PointsHeld');
    expect(one.digest()).not.toBe(other.digest());
  });
});
