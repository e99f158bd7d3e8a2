import type { Timers } from '@points/event-store/timers';
import type { Clock } from '@points/runtime/clock';
import type { Scheduler } from './scheduler.ts';

/**
 * One life of a simulated process. When it is killed nothing that it waits for ever settles, no timer of it fires, and
 * what it still tries to do has no effect: its memory is gone. What it had sent is still on its way.
 */
export interface Process {
  readonly name: string;
  readonly timers: Timers;
  readonly clock: Clock;
  isAlive(): boolean;
  kill(): void;
  /** Called when killed. */
  readonly ended: AbortSignal;
  /** Something comes to this process by itself; never settles when it is dead by then. */
  receive(name: string): Promise<void>;
  /** Asks something outside: `serve` runs `transitMs` later, its answer arrives `transitMs` after that. */
  call<Answer>(name: string, serve: () => Promise<Answer> | Answer): Promise<Answer>;
}

/** How long a message is on its way, mostly; the scheduler reorders what arrives in the same millisecond. */
const TRANSIT_MAX_MS = 3;

export function createProcess(scheduler: Scheduler, name: string, skewMs: () => number): Process {
  const { random } = scheduler;
  const ending = new AbortController();
  const isAlive = () => !ending.signal.aborted;
  const ifAlive = (run: () => void) => () => {
    if (isAlive()) run();
  };
  const transit = () => random.integer(0, TRANSIT_MAX_MS);

  return {
    name,
    isAlive,
    kill: () => ending.abort(),
    ended: ending.signal,
    clock: { now: () => scheduler.now() + skewMs() },
    timers: {
      after: (ms, run) => scheduler.after(ms, `${name} timer`, ifAlive(run)),
      defer: (run) => void scheduler.after(0, `${name} deferred`, ifAlive(run)),
      random: random.next,
    },
    receive: (what) =>
      new Promise<void>((resolve) => {
        scheduler.after(transit(), `${name} ← ${what}`, ifAlive(resolve));
      }),
    call: <Answer>(what: string, serve: () => Promise<Answer> | Answer) =>
      new Promise<Answer>((resolve, reject) => {
        if (!isAlive()) return;
        scheduler.after(transit(), `${name} → ${what}`, () => {
          const back = (settle: () => void) =>
            void scheduler.after(transit(), `${name} ← ${what}`, ifAlive(settle));
          new Promise<Answer>((served) => served(serve())).then(
            (answer) => back(() => resolve(answer)),
            (error: unknown) => back(() => reject(error)),
          );
        });
      }),
  };
}
