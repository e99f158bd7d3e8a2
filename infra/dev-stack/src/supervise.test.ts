import { expect, it, vi } from 'vitest';
import type { Part } from './part.ts';
import type { Exit } from './processes.ts';
import { supervise, type SuperviseOptions } from './supervise.ts';

type FakePart = Part & { die: (exit: Exit) => void };

/** A part that lives until it is told to die or to stop. */
function livingPart(pid: number): FakePart {
  let die: (exit: Exit) => void = () => {};
  const exited = new Promise<Exit>((resolve) => (die = resolve));
  const stop = () => {
    die({ code: 0, signal: null });
    return exited.then(() => {});
  };
  return { name: 'part', pid, port: 0, exited, stop, die };
}

function watched(part: Part, restart: SuperviseOptions['restart']) {
  const seen: string[] = [];
  const supervised = supervise({
    part,
    restart,
    onDeath: (how) => seen.push(`died: ${how}`),
    onRestart: ({ pid }) => seen.push(`runs again: ${pid}`),
    onFailure: (reason) => seen.push(`failed: ${reason}`),
  });
  return { ...supervised, seen };
}

it('starts a part again whenever it dies, also after starts that fail', async () => {
  const first = livingPart(1);
  const second = livingPart(2);
  const results = [
    Promise.reject(new Error('port taken')),
    Promise.resolve(second),
    Promise.resolve(livingPart(3)),
  ];
  results[0]?.catch(() => {});
  const { seen, stop } = watched(
    first,
    () => results.shift() ?? Promise.reject(new Error('too often')),
  );
  first.die({ code: null, signal: 'SIGKILL' });
  await vi.waitFor(() => expect(seen.at(-1)).toBe('runs again: 2'), { timeout: 5_000 });
  second.die({ code: 1, signal: null });
  await vi.waitFor(() => expect(seen.at(-1)).toBe('runs again: 3'), { timeout: 5_000 });
  expect(seen).toEqual([
    'died: SIGKILL',
    'failed: port taken',
    'runs again: 2',
    'died: exit code 1',
    'runs again: 3',
  ]);
  await stop();
});

it('does not take a stop for a death', async () => {
  const part = livingPart(1);
  const { seen, stop } = watched(part, () => Promise.reject(new Error('must not be started')));
  await stop();
  expect(await part.exited).toEqual({ code: 0, signal: null });
  expect(seen).toEqual([]);
});

it('stops the part that was being started when stop was called', async () => {
  const first = livingPart(1);
  const second = livingPart(2);
  let startSecond = () => {};
  const starting = new Promise<Part>((resolve) => (startSecond = () => resolve(second)));
  let isStarting = false;
  const { stop } = watched(first, () => {
    isStarting = true;
    return starting;
  });
  first.die({ code: 1, signal: null });
  await vi.waitFor(() => expect(isStarting).toBe(true), { timeout: 5_000 });
  const stopped = stop();
  startSecond();
  await stopped;
  expect(await second.exited).toEqual({ code: 0, signal: null });
});
