import { describe, expect, it } from 'vitest';
import { BURST_LINGER_MS, createBursts } from './bursts.ts';
import { createInMemoryEventLog } from './in-memory.ts';
import { GENESIS_HASH, chainEvents } from './hash-chain.ts';
import { APPEND_PATIENCE_MS, RESEND_PAUSE_MIN_MS, createLanes } from './lanes.ts';
import { REAL_TIMERS, type Timers, sleepOn } from './timers.ts';

interface HandTimers extends Timers {
  /** What waits, in ms, in the order asked for. */
  waiting(): number[];
  /** Lets the oldest wait be over. */
  ring(): void;
}

/** Nothing is over until it is rung; chance is always its highest. */
function handTimers(): HandTimers {
  const waits = new Map<number, { ms: number; run: () => void }>();
  let asked = 0;
  return {
    after(ms, run) {
      const key = (asked += 1);
      waits.set(key, { ms, run });
      return () => waits.delete(key);
    },
    defer: (run) => void Promise.resolve().then(run),
    random: () => 1,
    waiting: () => [...waits.values()].map(({ ms }) => ms),
    ring() {
      const [first] = waits;
      if (first === undefined) throw new Error('nothing waits');
      waits.delete(first[0]);
      first[1].run();
    },
  };
}

const draft = { type: 'Noted', data: {}, metadata: {} };

describe('timers', () => {
  it('are the only ones that lanes wait on', async () => {
    const timers = handTimers();
    const log = createInMemoryEventLog();
    const lanes = createLanes<number>({
      log,
      fold: { initial: () => 0, fold: (count) => count + 1 },
      singleWriter: false,
      onFatal: (error) => expect.unreachable(String(error)),
      timers,
    });
    const note = (key: string): Promise<number> =>
      lanes.submit(`note-${key}`, key, (count) => ({
        kind: 'append',
        drafts: [draft],
        state: count + 1,
        answer: ({ firstRevision }) => firstRevision,
      }));
    expect(await note('a')).toBe(0);
    expect(timers.waiting()).toEqual([]);

    log.faults.failNextAppend('unknown_not_written');
    await expect(note('b')).rejects.toMatchObject({ trouble: 'outcome_unknown' });
    expect(timers.waiting()).toEqual([RESEND_PAUSE_MIN_MS]);
    timers.ring();
    await expect.poll(() => lanes.frozen()).toBe(0);

    const release = log.faults.holdAppends();
    const silent = note('c');
    await expect.poll(() => timers.waiting()).toEqual([APPEND_PATIENCE_MS]);
    timers.ring();
    await expect(silent).rejects.toMatchObject({ trouble: 'outcome_unknown' });
    release();
    await expect.poll(() => lanes.frozen()).toBe(0);
    await lanes.close(1_000);
    expect(timers.waiting()).toEqual([]);
  });

  it('are the only ones that bursts wait on', async () => {
    const timers = handTimers();
    const log = createInMemoryEventLog();
    const append = createBursts(log, timers);
    const release = log.faults.holdAppends();
    const sent = ['a', 'b'].map(async (name) => {
      await Promise.resolve();
      return append(
        `note-${name}`,
        chainEvents(`note-${name}`, 0, GENESIS_HASH, [draft]),
        'no_stream',
      );
    });
    await new Promise((resolve) => setImmediate(resolve));
    const late = append('note-c', chainEvents('note-c', 0, GENESIS_HASH, [draft]), 'no_stream');
    expect(timers.waiting()).toEqual([BURST_LINGER_MS]);
    timers.ring();
    release();
    expect((await Promise.all([...sent, late])).map(({ outcome }) => outcome)).toEqual([
      'appended',
      'appended',
      'appended',
    ]);
  });

  it('end a sleep at once when it is aborted, also before it began', async () => {
    const stop = new AbortController();
    const asleep = sleepOn(REAL_TIMERS, 60_000, stop.signal);
    stop.abort(new Error('stop'));
    await expect(asleep).rejects.toThrow('stop');
    await expect(sleepOn(REAL_TIMERS, 60_000, stop.signal)).rejects.toThrow('stop');
    await sleepOn(REAL_TIMERS, 0, new AbortController().signal);
  });
});
