import { parentPort, workerData } from 'node:worker_threads';
import { type JudgeOptions, createLineJudge } from './line-judge.ts';
import type { FromWorker, ToWorker } from './judges.ts';

/** One judge in a thread of its own. */
const judge = createLineJudge(workerData as JudgeOptions);

parentPort?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'lines':
      judgeLines(message);
      return answer({ kind: 'taken' });
    case 'heads':
      return answer({ kind: 'heads', heads: judge.heads() });
    case 'finish':
      return answer({ kind: 'finished', judgement: judge.finish() });
    default:
      message satisfies never;
  }
});

function judgeLines({ bytes, places }: Extract<ToWorker, { kind: 'lines' }>): void {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < places.length; at += 3)
    judge.add(block.subarray(places[at], places[at + 1]), places[at + 2] ?? 0);
}

function answer(message: FromWorker): void {
  parentPort?.postMessage(message);
}
