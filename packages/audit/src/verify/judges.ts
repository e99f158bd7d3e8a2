import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type StreamHead, inOrder } from '../heads.ts';
import {
  type JudgeOptions,
  type Judgement,
  type SecondLook,
  createLineJudge,
} from './line-judge.ts';

/** Several judges, each of some of the streams. */
export interface Judges {
  /** The next line, which is of `stream`; null = of none that could be made out. Wait for what it returns. */
  add(stream: string | null, line: Buffer, number: number): Promise<void> | undefined;
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
  return {
    add(_, line, number) {
      judge.add(line, number);
      return undefined;
    },
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
    add: (stream, line, number) => threads[placeOf(stream, count)]?.add(line, number),
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
      /** Lines end to end. */
      readonly buffer: ArrayBuffer;
      /** Where each ends in it. */
      readonly ends: readonly number[];
      readonly lines: readonly number[];
    }
  | { readonly kind: 'heads' }
  | { readonly kind: 'finish' };

export type FromWorker =
  | { readonly kind: 'taken'; readonly buffer: ArrayBuffer }
  | { readonly kind: 'heads'; readonly heads: StreamHead[] }
  | { readonly kind: 'finished'; readonly judgement: Judgement };

/** Bytes that are sent to a thread at a time. */
const BATCH_BYTES = 256 * 1024;
/** Batches that a thread has and has not judged yet. */
const MAX_AHEAD = 4;

interface Thread {
  add(line: Buffer, number: number): Promise<void> | undefined;
  heads(): Promise<StreamHead[]>;
  finish(): Promise<Judgement>;
  close(): Promise<void>;
}

function startThread(options: JudgeOptions): Thread {
  const worker = new Worker(START, { workerData: options });
  const free: ArrayBuffer[] = [];
  let ahead = 0;
  let batch = newBatch();
  let failure: Error | null = null;
  let wake: (() => void) | null = null;
  let answered: ((message: FromWorker) => void) | null = null;
  let failed: ((error: Error) => void) | null = null;

  worker.on('message', (message: FromWorker) => {
    if (message.kind !== 'taken') return answered?.(message);
    ahead -= 1;
    if (message.buffer.byteLength === BATCH_BYTES) free.push(message.buffer);
    wake?.();
  });
  worker.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
    failed?.(failure);
    wake?.();
  });

  function newBatch(bytes = BATCH_BYTES): Batch {
    const buffer = (bytes === BATCH_BYTES ? free.pop() : undefined) ?? new ArrayBuffer(bytes);
    return { buffer, bytes: Buffer.from(buffer), used: 0, ends: [], lines: [] };
  }

  function post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (failure !== null) throw failure;
    worker.postMessage(message, transfer);
  }

  function send(next: Batch): void {
    if (batch.ends.length > 0) {
      const { buffer, ends, lines } = batch;
      post({ kind: 'lines', buffer, ends, lines }, [buffer]);
      ahead += 1;
    }
    batch = next;
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
    send(newBatch());
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
    add(line, number) {
      const isFull = batch.used + line.length > batch.bytes.length;
      if (isFull) send(newBatch(Math.max(BATCH_BYTES, line.length)));
      batch.used += line.copy(batch.bytes, batch.used);
      batch.ends.push(batch.used);
      batch.lines.push(number);
      return isFull && ahead >= MAX_AHEAD ? room() : undefined;
    },
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

interface Batch {
  readonly buffer: ArrayBuffer;
  readonly bytes: Buffer;
  used: number;
  readonly ends: number[];
  readonly lines: number[];
}

/** Sources are TypeScript, and a thread does not read them by what its process has registered. */
const START = new URL(
  `data:text/javascript,${encodeURIComponent(
    `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))};
    register();
    await import(${JSON.stringify(new URL('judge-worker.ts', import.meta.url).href)});`,
  )}`,
);
