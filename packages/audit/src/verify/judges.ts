import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LineBlock } from '../export-file.ts';
import { type StreamHead, inOrder } from '../heads.ts';
import {
  type JudgeOptions,
  type Judgement,
  type SecondLook,
  createLineJudge,
} from './line-judge.ts';

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

/** One judge, in this thread. */
export function judgeHere({ seconds, ...options }: JudgesOptions): Judges {
  const judge = createLineJudge({ ...options, second: seconds[0] ?? null });
  let bytes: Buffer = Buffer.alloc(0);
  return {
    begin(block) {
      bytes = block.bytes;
    },
    add(_, start, end, number) {
      judge.add(bytes.subarray(start, end), number);
    },
    end: () => undefined,
    heads: async () => judge.heads(),
    finish: async () => [judge.finish()],
    close: async () => undefined,
  };
}

/** A judge in each of so many threads; a stream always goes to the same one, so the outcome does not depend on time. */
export function judgeInThreads(
  count: number,
  { seconds, folder, ...options }: JudgesOptions,
): Judges {
  const threads = Array.from({ length: count }, (_, index) =>
    startThread({
      ...options,
      folder: join(folder, `judge-${index}`),
      second: seconds[index] ?? null,
    }),
  );
  return {
    begin(block) {
      for (const each of threads) each.begin(block);
    },
    add: (stream, start, end, number) => threads[placeOf(stream, count)]?.add(start, end, number),
    end() {
      for (const each of threads) each.send();
      return threads.some((each) => each.isBusy())
        ? Promise.all(threads.map((each) => each.room())).then(() => undefined)
        : undefined;
    },
    heads: async () => inOrder((await Promise.all(threads.map((each) => each.heads()))).flat()),
    finish: () => Promise.all(threads.map((each) => each.finish())),
    close: async () => void (await Promise.all(threads.map((each) => each.close()))),
  };
}

/** FNV-1a. */
function placeOf(stream: string | null, count: number): number {
  if (stream === null || count === 1) return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < stream.length; index += 1)
    hash = Math.imul(hash ^ stream.charCodeAt(index), 0x01000193);
  return (hash >>> 0) % count;
}

export type ToWorker =
  | {
      readonly kind: 'lines';
      readonly bytes: Uint8Array;
      /** Three numbers for each line: where it begins in them, where it ends, and its number. */
      readonly places: Float64Array;
    }
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
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
    failed?.(failure);
    wake?.();
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
      const ended = once(worker, 'exit');
      await worker.terminate();
      await ended.catch(() => undefined);
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
