import { parentPort, workerData } from 'node:worker_threads';
import { type JudgeOptions, createLineJudge, judgeLines } from './line-judge.ts';
import type { FromWorker, ToWorker } from './judges.ts';

/** One judge in a thread of its own. */
const judge = createLineJudge(workerData as JudgeOptions);

parentPort?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'lines':
      judgeLines(judge, message);
      return answer({ kind: 'taken' });
    case 'heads':
      return answer({ kind: 'heads', heads: judge.heads() });
    case 'finish':
      return answer({ kind: 'finished', judgement: judge.finish() });
    default:
      message satisfies never;
  }
});

function answer(message: FromWorker): void {
  parentPort?.postMessage(message);
}
