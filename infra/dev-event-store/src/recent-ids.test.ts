import { expect, it } from 'vitest';
import { createRecentIds } from './recent-ids.ts';

it('remembers the latest 50,000 ids at least and 100,000 at most', () => {
  const recentIds = createRecentIds();
  for (let n = 0; n < 250_000; n += 1) {
    recentIds.add({
      id: String(n),
      stream: 'account-1',
      revision: n,
      type: 'Happened',
      isJson: true,
      payload: EMPTY,
      dataBytes: 0,
      position: n,
      createdMs: 0,
    });
    if (n % 9_999 !== 0) continue;
    expect(recentIds.revisionOf(String(n), 'account-1')).toBe(n);
    const oldEnough = n - 49_999;
    if (oldEnough >= 0)
      expect(recentIds.revisionOf(String(oldEnough), 'account-1')).toBe(oldEnough);
    expect(recentIds.revisionOf(String(n - 100_000), 'account-1')).toBeNull();
  }
});

const EMPTY = Buffer.alloc(0);
