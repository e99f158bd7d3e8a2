import { parentPort, workerData } from 'node:worker_threads';
import { type JudgeOptions, createLineJudge } from './line-judge.ts';
import type { FromWorker, ToWorker } from './judges.ts';

/** One judge in a thread of its own. */
const judge = createLineJudge(workerData as JudgeOptions);

parentPort?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'lines':
      judgeLines(message);
      return answer({ kind: 'taken', buffer: message.buffer }, [message.buffer]);
    case 'heads':
      return answer({ kind: 'heads', heads: judge.heads() });
    case 'finish':
      return answer({ kind: 'finished', judgement: judge.finish() });
    default:
      message satisfies never;
  }
});

function judgeLines({ buffer, ends, lines }: Extract<ToWorker, { kind: 'lines' }>): void {
  const bytes = Buffer.from(buffer);
  let start = 0;
  for (const [index, end] of ends.entries()) {
    judge.add(bytes.subarray(start, end), lines[index] ?? 0);
    start = end;
  }
}

function answer(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}
