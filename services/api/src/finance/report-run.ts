import { setImmediate as nextTurn } from 'node:timers/promises';
import { HttpError } from '../error-body.ts';
import { toLogAnswer } from './event-log.ts';

/** Events that are folded before others get their turn. */
const EVENTS_PER_TURN = 128;

/** Gives the rest of the process a turn now and then, however fast the events come. */
export async function* inTurns<Event>(
  events: AsyncIterable<Event>,
  signal: AbortSignal,
): AsyncGenerator<Event, void> {
  let count = 0;
  for await (const event of events) {
    signal.throwIfAborted();
    yield event;
    count += 1;
    if (count % EVENTS_PER_TURN === 0) await nextTurn();
  }
}

/** Runs `work` with a signal that also fires when the time is up, which is a 504; troubles of the log become answers. */
export async function withDeadline<Result>(
  signal: AbortSignal,
  deadlineMs: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new HttpError('deadline_exceeded')), deadlineMs);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    throw toLogAnswer(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a piece of work, or joins the one that is under way for the same key. */
export type Shared<Result> = (
  key: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
) => Promise<Result>;

/** The work of a key is done once for all who wait for it, and stopped when the last of them has left. */
export function createShared<Result>(): Shared<Result> {
  const running = new Map<string, Run<Result>>();
  return async (key, signal, work) => {
    const run = running.get(key) ?? begin(running, key, work);
    run.waiters += 1;
    const left = leaving(signal);
    try {
      return await Promise.race([run.result, left.promise]);
    } finally {
      left.forget();
      run.waiters -= 1;
      if (run.waiters === 0) {
        run.stop.abort(new HttpError('request_timeout'));
        if (running.get(key) === run) running.delete(key);
      }
    }
  };
}

interface Run<Result> {
  readonly result: Promise<Result>;
  readonly stop: AbortController;
  waiters: number;
}

function begin<Result>(
  running: Map<string, Run<Result>>,
  key: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Run<Result> {
  const stop = new AbortController();
  const run = { result: work(stop.signal), stop, waiters: 0 };
  running.set(key, run);
  // Everybody may have left by the time that it fails.
  run.result.catch(() => undefined);
  return run;
}

function leaving(signal: AbortSignal): { promise: Promise<never>; forget: () => void } {
  let listener = (): void => undefined;
  const promise = new Promise<never>((_resolve, reject) => {
    listener = () => reject(signal.reason);
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener);
  });
  promise.catch(() => undefined);
  return { promise, forget: () => signal.removeEventListener('abort', listener) };
}
