import { createRandom } from './random.ts';
import type { Random } from './random.ts';

/**
 * The only clock and the only source of order in a simulation. Everything that takes time is a task here: a message on
 * its way, an answer, a timer. Of the tasks that are due, the seed picks the next one; when none is due, the clock
 * jumps to the earliest. Between two tasks every promise that can settle has settled, so a task is one async step and
 * the same seed always gives the same story.
 */
export interface Scheduler {
  readonly random: Random;
  /** Virtual milliseconds since 1970. */
  now(): number;
  /** Runs the task `ms` from now or later; the returned function calls it off. */
  after(ms: number, name: string, run: () => void): () => void;
  /** Takes one step; false when there is nothing left to do. */
  step(): Promise<boolean>;
  /** Lets time pass while everything stands still. */
  leap(ms: number): void;
  steps(): number;
}

interface Task {
  readonly dueMs: number;
  readonly name: string;
  readonly run: () => void;
}

export function createScheduler(
  seed: number,
  startMs: number,
  trace: (name: string) => void,
): Scheduler {
  const random = createRandom(seed);
  const tasks: Task[] = [];
  let nowMs = startMs;
  let steps = 0;

  function next(): Task | undefined {
    let earliest: Task | undefined;
    for (const task of tasks)
      if (earliest === undefined || task.dueMs < earliest.dueMs) earliest = task;
    if (earliest === undefined) return undefined;
    nowMs = Math.max(nowMs, earliest.dueMs);
    const due = tasks.filter((task) => task.dueMs <= nowMs);
    return random.pick(due);
  }

  return {
    random,
    now: () => nowMs,
    after(ms, name, run) {
      const task = { dueMs: nowMs + Math.max(0, Math.ceil(ms)), name, run };
      tasks.push(task);
      return () => remove(tasks, task);
    },
    async step() {
      const task = next();
      if (task === undefined) return false;
      remove(tasks, task);
      steps += 1;
      trace(task.name);
      task.run();
      await settled();
      return true;
    },
    leap(ms) {
      nowMs += ms;
    },
    steps: () => steps,
  };
}

function remove(tasks: Task[], task: Task): void {
  const index = tasks.indexOf(task);
  if (index >= 0) tasks.splice(index, 1);
}

/** The event loop comes round only when no promise is left that can settle: nothing else uses it here. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
