import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createRepeats, createUsedOnce, scopeOf } from './used-once.ts';

const folder = mkdtempSync(join(tmpdir(), 'used-once-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('tells of any number of keys which came twice, and a second look which they were', () => {
  const keys = Array.from({ length: 300_000 }, (_, number) => `hold-${number}`);
  const twice = ['hold-0', 'hold-77', 'hold-299999'];
  const usedOnce = createUsedOnce(folder);
  for (const key of [...keys, ...twice]) usedOnce.add(scopeOf('account-a', 'hold'), key);
  // Another account, and another kind, may use the same.
  usedOnce.add(scopeOf('account-b', 'hold'), 'hold-5');
  usedOnce.add(scopeOf('account-a', 'command'), 'hold-5');
  const repeated = usedOnce.repeated();
  expect(repeated).toHaveLength(twice.length);
  const repeats = createRepeats(repeated);
  const again = [...keys, ...twice].filter((key) =>
    repeats.isAgain(scopeOf('account-a', 'hold'), key),
  );
  expect(again).toEqual(twice);
});
