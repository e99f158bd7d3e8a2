import { once } from 'node:events';
import { expect, test } from 'vitest';
import { createShared } from './report-run.ts';

const until = (signal: AbortSignal) =>
  once(signal, 'abort').then((): string => {
    throw signal.reason;
  });

test('shared work goes on while anybody waits, and stops when the last has left', async () => {
  const shared = createShared<string>();
  const stops: AbortSignal[] = [];
  const work = (signal: AbortSignal) => {
    stops.push(signal);
    return until(signal);
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const answers = [shared('key', first.signal, work), shared('key', second.signal, work)];
  first.abort(new Error('left first'));
  await expect(answers[0]).rejects.toThrow('left first');
  expect(stops.map(({ aborted }) => aborted)).toEqual([false]);
  second.abort(new Error('left last'));
  await expect(answers[1]).rejects.toThrow('left last');
  expect(stops.map(({ aborted }) => aborted)).toEqual([true]);
});

test('what is done is not kept: who comes later gets new work', async () => {
  const shared = createShared<number>();
  let count = 0;
  const work = () => Promise.resolve((count += 1));
  const { signal } = new AbortController();
  expect(await Promise.all([1, 2].map(() => shared('key', signal, work)))).toEqual([1, 1]);
  expect(await shared('key', signal, work)).toBe(2);
});
