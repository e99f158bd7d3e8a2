import type { Timers } from '@points/event-store/timers';
import { JetStreamError, type StreamState } from '@points/runtime/jetstream';
import { createLog } from '@points/runtime/log';
import { createMetrics } from '@points/runtime/metrics';
import { expect, it } from 'vitest';
import { watchWatermark } from './watermark.ts';

const QUIET_MS = 10_000;
const EMPTY: StreamState = {
  messages: 0,
  bytes: 0,
  firstMs: null,
  firstSequence: 1,
  lastSequence: 0,
};

/** A watermark on a clock and a link to NATS that do what a test says. */
function world() {
  const link = { isConnected: true, disconnects: 0, answers: true };
  let nowMs = 1_000_000;
  let lookAgain = (): void => {};
  const timers = {
    after: (_ms: number, run: () => void) => {
      lookAgain = run;
      return () => {};
    },
  } as unknown as Timers;
  const watermark = watchWatermark({
    nats: { isConnected: () => link.isConnected, disconnects: () => link.disconnects },
    streams: {
      async streamState() {
        if (!link.answers) throw new JetStreamError('timeout', 'no answer');
        return EMPTY;
      },
    },
    clock: { now: () => nowMs },
    timers,
    quietMs: QUIET_MS,
    log: createLog('test', 'silent'),
    metrics: createMetrics('test'),
  });
  return {
    link,
    watermark,
    now: () => nowMs,
    /** Lets so much time pass and NATS be asked. */
    async pass(ms: number) {
      nowMs += ms;
      lookAgain();
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    },
  };
}

it('is known after a quiet time', async () => {
  const { watermark, pass, now } = world();
  await pass(QUIET_MS - 1);
  expect(watermark.current()).toBeNull();
  await pass(1);
  expect(watermark.current()).toBe(now());
});

it('waits again after a cut that was over before anybody looked', async () => {
  const { link, watermark, pass } = world();
  await pass(QUIET_MS);
  expect(watermark.current()).not.toBeNull();
  link.disconnects += 1;
  expect(watermark.current()).toBeNull();
  await pass(QUIET_MS - 1);
  expect(watermark.current()).toBeNull();
  await pass(1);
  expect(watermark.current()).not.toBeNull();
});

it('waits again after a question without an answer', async () => {
  const { link, watermark, pass } = world();
  await pass(QUIET_MS);
  link.answers = false;
  await pass(500);
  link.answers = true;
  await pass(500);
  expect(watermark.current()).toBeNull();
  await pass(QUIET_MS);
  expect(watermark.current()).not.toBeNull();
});
