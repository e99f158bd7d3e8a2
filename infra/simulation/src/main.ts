import { parseArgs } from 'node:util';
import { proveItCanFail } from './mutate.ts';
import { type Story, ViolationError, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string', default: '2000' },
    verbose: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
if (values.mutations) process.exitCode = proveItCanFail({ only: values.only }) ? 0 : 1;
else await runSeeds();

async function runSeeds(): Promise<void> {
  const first = Number(values.seed);
  const steps = Number(values.steps);
  const stories: Story[] = [];
  try {
    for (let seed = first; seed < first + Number(values.seeds); seed += 1) {
      const onTrace = (line: string): void => console.log(line);
      stories.push(await simulate({ seed, steps, ...(values.verbose ? { onTrace } : {}) }));
    }
    console.log(summarize(stories));
  } catch (error) {
    if (!(error instanceof ViolationError)) throw error;
    console.error(error.message);
    console.error(error.cause);
    process.exitCode = 1;
  }
}

function summarize(all: readonly Story[]): string {
  const total = (number: (story: Story) => number) =>
    all.reduce((sum, story) => sum + number(story), 0);
  const table = (counts: (story: Story) => ReadonlyMap<string, number>) => {
    const sums = new Map<string, number>();
    for (const story of all)
      for (const [what, number] of counts(story)) sums.set(what, (sums.get(what) ?? 0) + number);
    return [...sums]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, number]) => `  ${String(number).padStart(8)} ${what}`)
      .join('\n');
  };
  return [
    `${all.length} seeds, ${total((story) => story.steps)} steps, ${total((story) => story.answers)} answers, ${total((story) => story.events)} events`,
    `faults\n${table((story) => story.faults)}`,
    `events\n${table((story) => story.eventTypes)}`,
    `answers\n${table((story) => story.outcomes)}`,
  ].join('\n\n');
}
