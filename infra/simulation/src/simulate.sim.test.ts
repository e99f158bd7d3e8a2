import { expect, it } from 'vitest';
import { simulate } from './simulate.ts';

/** As many as half a minute allows on a slow machine; `npm run sim` runs more and longer ones. */
const SEEDS = 200;
const STEPS = 1_000;
/** Seeds in one test, so that a failure shows early. */
const GROUP = 20;

const groups = Array.from({ length: SEEDS / GROUP }, (_, group) => 1 + group * GROUP);

it.each(groups)('nothing is lost, doubled or wrong: %s', async (first) => {
  for (let seed = first; seed < first + GROUP; seed += 1) await simulate({ seed, steps: STEPS });
});

it('tells the same story for the same seed', async () => {
  const lines = [[], []] as string[][];
  for (const told of lines)
    await simulate({ seed: 7, steps: STEPS, onTrace: (line) => told.push(line) });
  expect(lines[0]?.length).toBeGreaterThan(STEPS);
  expect(lines[1]).toEqual(lines[0]);
});
