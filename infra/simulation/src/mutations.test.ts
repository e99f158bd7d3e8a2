import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MUTATIONS } from './mutations.ts';

const ROOT = new URL('../../../', import.meta.url);

it.each(MUTATIONS.map((each) => [each.name, each] as const))('can be made: %s', (_, { edits }) => {
  for (const { file, find, replace } of edits) {
    const source = readFileSync(fileURLToPath(new URL(file, ROOT)), 'utf8');
    expect(source.split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  }
});
