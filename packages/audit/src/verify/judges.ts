import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LineBlock } from '../export-file.ts';
import { type StreamHead, inOrder } from '../heads.ts';
import {
  type JudgeOptions,
  type Judgement,
  type Lines,
  type SecondLook,
  createLineJudge,
  judgeLines,
} from './line-judge.ts';
import { fnv1a } from './fnv1a.ts';

/** Several judges, each of some of the streams. */
export interface Judges {
  /** The lines that are added next are in this block. */
  begin(block: LineBlock): void;
  /** A line of the block in hand, from its first byte to behind its last; `stream` null = it is of none that could be made out. */
  add(stream: string | null, start: number, end: number, number: number): void;
  /** Nothing more is added of the block in hand. Wait for what it returns before the next. */
  end(): Promise<void> | undefined;
  /** Heads of all streams after the lines so far, in order. */
  heads(): Promise<StreamHead[]>;
  finish(): Promise<Judgement[]>;
  close(): Promise<void>;
}

export interface JudgesOptions extends Omit<JudgeOptions, 'second'> {
  /** One for each judge, from the same number of judges before; empty = this is the first look. */
  readonly seconds: readonly SecondLook[];
}

/**
 * A judge in this thread, which also reads, and one in each of so many others. The one here takes as many streams less as
 * reading costs, in parts of what judging costs. A stream always goes to the same judge, so the outcome does not depend
 * on time.
 */
export function createJudges(
  count: number,
  readingCost: number,
  { seconds, folder, ...options }: JudgesOptions,
): Judges {
  const judge = createLineJudge({
    ...options,
    folder: join(folder, 'here'),
    second: seconds[0] ?? null,
  });
  const threads = Array.from({ length: count }, (_, index) =>
    startThread({
      ...options,
      folder: join(folder, `thread-${index}`),
      second: seconds[index + 1] ?? null,
    }),
  );
  const ownShare = shareOfReader(count, readingCost);
  let bytes: Buffer = Buffer.alloc(0);
  /** Lines of the block in hand for the judge here: they wait until the threads have theirs. */
  let ownPlaces: number[] = [];

  function judgeOwn(): void {
    judgeLines(judge, { bytes, places: ownPlaces });
    ownPlaces = [];
  }

  return {
    begin(block) {
      bytes = block.bytes;
      for (const each of threads) each.begin(block);
    },
    add(stream, start, end, number) {
      const place = threadOf(stream, ownShare, count);
      if (place === -1) ownPlaces.push(start, end, number);
      else threads[place]?.add(start, end, number);
    },
    end() {
      for (const each of threads) each.send();
      judgeOwn();
      return threads.some((each) => each.isBusy())
        ? Promise.all(threads.map((each) => each.room())).then(() => undefined)
        : undefined;
    },
    async heads() {
      judgeOwn();
      const byThreads = await Promise.all(threads.map((each) => each.heads()));
      return inOrder([...judge.heads(), ...byThreads.flat()]);
    },
    async finish() {
      const byThreads = threads.map((each) => each.finish());
      // All in one: when this one fails, nobody else waits for the others.
      const here = (async () => judge.finish())();
      return Promise.all([here, ...byThreads]);
    },
    async close() {
      judge.close();
      await Promise.all(threads.map((each) => each.close()));
    },
  };
}

/** Share of the streams for the judge in the thread that reads, so that all threads have the same work. */
function shareOfReader(threads: number, readingCost: number): number {
  return Math.max(0, (1 + readingCost) / (threads + 1) - readingCost);
}

/** The thread for a stream; -1 = this one. */
function threadOf(stream: string | null, ownShare: number, threads: number): number {
  if (stream === null) return -1;
  const hash = fnv1a(stream);
  const share = ((hash ^ (hash >>> 16)) & 0xffff) / 0x1_0000;
  return share < ownShare ? -1 : Math.floor(((share - ownShare) / (1 - ownShare)) * threads);
}

export type ToWorker =
  | (Lines & { readonly kind: 'lines' })
  | { readonly kind: 'heads' }
  | { readonly kind: 'finish' };

export type FromWorker =
  | { readonly kind: 'taken' }
  | { readonly kind: 'heads'; readonly heads: StreamHead[] }
  | { readonly kind: 'finished'; readonly judgement: Judgement };

/** Messages with lines that a thread has and has not judged yet. */
const MAX_AHEAD = 4;

interface Thread {
  begin(block: LineBlock): void;
  add(start: number, end: number, number: number): void;
  /** Hands over what was added. */
  send(): void;
  isBusy(): boolean;
  /** Until it is not busy. */
  room(): Promise<void>;
  heads(): Promise<StreamHead[]>;
  finish(): Promise<Judgement>;
  close(): Promise<void>;
}

function startThread(options: JudgeOptions): Thread {
  const worker = new Worker(START, { workerData: options });
  let ahead = 0;
  let bytes: Buffer = Buffer.alloc(0);
  let places: number[] = [];
  let failure: Error | null = null;
  let wake: (() => void) | null = null;
  let answered: ((message: FromWorker) => void) | null = null;
  let failed: ((error: Error) => void) | null = null;

  worker.on('message', (message: FromWorker) => {
    if (message.kind !== 'taken') return answered?.(message);
    ahead -= 1;
    wake?.();
  });
  const fail = (error: Error): void => {
    failure ??= error;
    failed?.(failure);
    wake?.();
  };
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on('messageerror', fail);
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      fail(new Error(`a thread ended with ${code} before its work was done`));
      resolve();
    });
  });

  function post(message: ToWorker): void {
    if (failure !== null) throw failure;
    worker.postMessage(message);
  }

  function send(): void {
    if (places.length === 0) return;
    post({ kind: 'lines', bytes, places: Float64Array.from(places) });
    ahead += 1;
    places = [];
  }

  async function room(): Promise<void> {
    while (ahead >= MAX_AHEAD && failure === null)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    wake = null;
    if (failure !== null) throw failure;
  }

  async function ask(question: ToWorker): Promise<FromWorker> {
    send();
    post(question);
    try {
      return await new Promise<FromWorker>((resolve, reject) => {
        answered = resolve;
        failed = reject;
      });
    } finally {
      answered = null;
      failed = null;
    }
  }

  return {
    begin(block) {
      bytes = block.bytes;
    },
    add(start, end, number) {
      places.push(start, end, number);
    },
    send,
    isBusy: () => ahead >= MAX_AHEAD,
    room,
    async heads() {
      const answer = await ask({ kind: 'heads' });
      return answer.kind === 'heads' ? answer.heads : [];
    },
    async finish() {
      const answer = await ask({ kind: 'finish' });
      if (answer.kind !== 'finished')
        throw new Error(`a thread answered ${answer.kind} at its end`);
      return answer.judgement;
    },
    async close() {
      await worker.terminate();
      await exited;
    },
  };
}

/** Sources are TypeScript, and a thread does not read them by what its process has registered. */
const START = new URL(
  `data:text/javascript,${encodeURIComponent(
    `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))};
    register();
    await import(${JSON.stringify(new URL('judge-worker.ts', import.meta.url).href)});`,
  )}`,
);
