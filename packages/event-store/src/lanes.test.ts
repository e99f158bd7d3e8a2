import { describe, expect, it } from 'vitest';
import type { EventLog, StoredEvent } from './event-log.ts';
import { GENESIS_HASH, chainEvents, verifyEvent } from './hash-chain.ts';
import type { LaneFold } from './lane-head.ts';
import { type InMemoryEventLog, createInMemoryEventLog } from './in-memory.ts';
import { type Judge, LANE_QUEUE_MAX, type Lanes, createLanes } from './lanes.ts';

interface Sum {
  readonly total: number;
  readonly keys: readonly string[];
}

const SUMS: LaneFold<Sum> = {
  initial: () => ({ total: 0, keys: [] }),
  fold: (sum, event) => add(sum, Number(event.data['n']), String(event.data['key'])),
  weight: (sum) => sum.keys.length,
};

function add(sum: Sum, n: number, key: string): Sum {
  return { total: sum.total + n, keys: [...sum.keys, key] };
}

/** Adds `n` up to a limit of 10, once per key: enough of a ledger to see every path of a lane. */
function adding(key: string, n: number, limit = 10): Judge<Sum, string> {
  return (sum) => {
    if (sum.keys.includes(key))
      return { kind: 'answer', needsTail: false, answer: () => `duplicate ${key}` };
    if (sum.total + n > limit)
      return { kind: 'answer', needsTail: true, answer: () => `refused at ${sum.total}` };
    return {
      kind: 'append',
      drafts: [{ type: 'Added', data: { n, key }, metadata: { command_id: key } }],
      state: add(sum, n, key),
      answer: (placed) => `added ${n} at ${placed.firstRevision}`,
    };
  };
}

const total: Judge<Sum, number> = (sum) => ({
  kind: 'answer',
  needsTail: true,
  answer: () => sum.total,
});

interface Setup {
  readonly log: InMemoryEventLog;
  readonly lanes: Lanes<Sum>;
  readonly appends: { readonly events: number; readonly expected: number | 'no_stream' }[];
  readonly reads: number[];
  readonly fatal: unknown[];
  add(key: string, n: number, limit?: number): Promise<string>;
}

function setup(
  options: {
    singleWriter?: boolean;
    log?: InMemoryEventLog;
    cachedMax?: number;
    weightMax?: number;
    patienceMs?: number;
  } = {},
): Setup {
  const log = options.log ?? createInMemoryEventLog();
  const appends: Setup['appends'] = [];
  const reads: number[] = [];
  const fatal: unknown[] = [];
  const counted: EventLog = {
    ...log,
    append(stream, events, expected) {
      appends.push({ events: events.length, expected });
      return log.append(stream, events, expected);
    },
    readStream(stream, read) {
      reads.push(read.fromRevision);
      return log.readStream(stream, read);
    },
  };
  const lanes = createLanes<Sum>({
    log: counted,
    fold: SUMS,
    singleWriter: options.singleWriter ?? false,
    onFatal: (error) => fatal.push(error),
    ...(options.cachedMax === undefined ? {} : { cachedMax: options.cachedMax }),
    ...(options.weightMax === undefined ? {} : { weightMax: options.weightMax }),
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  });
  return {
    log,
    lanes,
    appends,
    reads,
    fatal,
    add: (key, n, limit) => lanes.submit('sum-1', key, adding(key, n, limit)),
  };
}

async function stored(log: EventLog, stream = 'sum-1'): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.readStream(stream, { fromRevision: 0 })) events.push(event);
  return events;
}

async function outsiderWrites(log: EventLog, n: number, key: string): Promise<void> {
  const last = await log.readLast('sum-1');
  const revision = last === null ? -1 : last.revision;
  const drafts = [{ type: 'Added', data: { n, key }, metadata: { command_id: key } }];
  const events = chainEvents('sum-1', revision + 1, last?.metadata['hash'] ?? GENESIS_HASH, drafts);
  expect((await log.append('sum-1', events, revision < 0 ? 'no_stream' : revision)).outcome).toBe(
    'appended',
  );
}

describe('lanes', () => {
  it('decide commands that wait together and append them together', async () => {
    const { add, appends, log } = setup();
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => add(`k${i}`, 1, 1000)));
    expect(answers[199]).toBe('added 1 at 199');
    expect(appends.length).toBeLessThanOrEqual(3);
    const events = await stored(log);
    let hash = GENESIS_HASH;
    for (const event of events) {
      expect(verifyEvent(event, hash)).toBeNull();
      hash = event.metadata['hash'] ?? '';
    }
    expect(events).toHaveLength(200);
  });

  it('never let two commands spend the same points, also on a cold stream', async () => {
    const { add, log } = setup();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => add(`k${i}`, 1)));
    expect(answers.filter((answer) => answer.startsWith('added'))).toHaveLength(10);
    expect(answers.filter((answer) => answer === 'refused at 10')).toHaveLength(40);
    expect(await stored(log)).toHaveLength(10);
  });

  it('split what one append cannot carry', async () => {
    const { add, appends } = setup();
    await Promise.all(Array.from({ length: 600 }, (_, i) => add(`k${i}`, 1, 1000)));
    expect(appends.every((append) => append.events <= 256)).toBe(true);
    expect(appends.reduce((sum, append) => sum + append.events, 0)).toBe(600);
  });

  it('answer a repeated command as duplicate without appending', async () => {
    const { add, appends } = setup();
    expect(await add('a', 3)).toBe('added 3 at 0');
    expect(await add('a', 3)).toBe('duplicate a');
    expect(appends).toHaveLength(1);
  });

  it('decide again when another process wrote first', async () => {
    const { add, log, appends } = setup();
    await add('a', 3);
    await outsiderWrites(log, 5, 'other');
    expect(await add('b', 2)).toBe('added 2 at 2');
    expect(await add('c', 1)).toBe('refused at 10');
    expect(appends.map((append) => append.expected)).toEqual(['no_stream', 0, 1]);
  });

  it('give up as contention when others always write first', async () => {
    const { log, lanes } = setup();
    let outsiders = 0;
    const contended = createLanes<Sum>({
      log: {
        ...log,
        async append(stream, events, expected) {
          await outsiderWrites(log, 0, `outsider ${(outsiders += 1)}`);
          return log.append(stream, events, expected);
        },
      },
      fold: SUMS,
      singleWriter: false,
      onFatal: () => undefined,
    });
    await expect(contended.submit('sum-1', 'a', adding('a', 1))).rejects.toMatchObject({
      trouble: 'contention',
    });
    expect(outsiders).toBe(5);
    expect(await lanes.submit('sum-1', 'q', total)).toBe(0);
  });

  it('look at the tail before a refusal or a query, unless they are the only writer', async () => {
    const many = setup();
    await many.add('a', 8);
    await outsiderWrites(many.log, -5, 'other');
    expect(await many.lanes.submit('sum-1', 'q', total)).toBe(3);
    expect(await many.add('b', 5)).toBe('added 5 at 2');
    const single = setup({ singleWriter: true });
    await single.add('a', 8);
    expect(await single.add('b', 5)).toBe('refused at 8');
    expect(single.reads).toHaveLength(1);
  });

  it('refuse when the store refuses, and go on from the durable state', async () => {
    const { add, log, appends } = setup();
    await add('a', 3);
    log.faults.failNextAppend('not_appended');
    await expect(add('b', 4)).rejects.toMatchObject({ trouble: 'store_unavailable' });
    expect(await add('b', 4)).toBe('added 4 at 1');
    expect(appends).toHaveLength(3);
  });

  for (const fault of ['unknown_written', 'unknown_not_written'] as const) {
    it(`resend the identical append until it is settled: ${fault}`, async () => {
      const { add, log, lanes } = setup();
      await add('a', 3);
      log.faults.failNextAppend(fault);
      log.faults.failNextAppend('not_appended');
      log.faults.failNextAppend(fault);
      const first = add('b', 4);
      await expect(first).rejects.toMatchObject({ trouble: 'outcome_unknown' });
      expect(lanes.frozen()).toBe(1);
      await expect(add('b', 4)).rejects.toMatchObject({ trouble: 'outcome_unknown' });
      await expect(add('c', 1)).rejects.toMatchObject({ trouble: 'store_unavailable' });
      await expect.poll(() => lanes.frozen()).toBe(0);
      expect(await add('b', 4)).toBe('duplicate b');
      expect(await stored(log)).toHaveLength(2);
    });
  }

  it('find out after an unknown outcome that another process took the place', async () => {
    const { add, log, lanes } = setup();
    await add('a', 3);
    log.faults.failNextAppend('unknown_written_late');
    await expect(add('b', 4)).rejects.toMatchObject({ trouble: 'outcome_unknown' });
    await outsiderWrites(log, 7, 'other');
    log.faults.deliverLateAppends();
    await expect.poll(() => lanes.frozen()).toBe(0);
    expect(await add('b', 4)).toBe('refused at 10');
    expect((await stored(log)).map((event) => event.data['key'])).toEqual(['a', 'other']);
  });

  it('tell callers that the outcome is unknown while the store is silent, and settle when it answers', async () => {
    const { add, log, lanes } = setup({ patienceMs: 20 });
    await add('a', 3);
    const release = log.faults.holdAppends();
    await expect(add('b', 4)).rejects.toMatchObject({ trouble: 'outcome_unknown' });
    release();
    await expect.poll(() => lanes.frozen()).toBe(0);
    expect(await add('b', 4)).toBe('duplicate b');
  });

  it('know that a query and a refusal decided beside an unknown append have written nothing', async () => {
    const { add, log, lanes } = setup();
    await add('a', 3);
    log.faults.failNextAppend('unknown_written');
    const append = add('b', 7);
    const refusal = add('c', 7);
    const query = lanes.submit('sum-1', '', total);
    await expect(append).rejects.toMatchObject({ trouble: 'outcome_unknown' });
    await expect(refusal).rejects.toMatchObject({ trouble: 'store_unavailable' });
    await expect(query).rejects.toMatchObject({ trouble: 'store_unavailable' });
    await expect(lanes.submit('sum-1', '', total)).rejects.toMatchObject({
      trouble: 'store_unavailable',
    });
  });

  it('refuse more than they may queue', async () => {
    const { add, log } = setup();
    await add('a', 0, 1e6);
    const release = log.faults.holdAppends();
    const waiting = Array.from({ length: LANE_QUEUE_MAX }, (_, i) => add(`k${i}`, 1, 1e6));
    await expect(add('one too many', 1, 1e6)).rejects.toMatchObject({ trouble: 'overloaded' });
    release();
    expect(await Promise.all(waiting)).toHaveLength(LANE_QUEUE_MAX);
  });

  it('forget idle streams beyond the bound and load them again', async () => {
    const { lanes, log } = setup({ cachedMax: 3 });
    for (let i = 0; i < 10; i += 1) await lanes.submit(`sum-${i}`, 'a', adding('a', i));
    expect(lanes.cached()).toBeLessThanOrEqual(4);
    expect(await lanes.submit('sum-7', 'q', total)).toBe(7);
    expect(await stored(log, 'sum-7')).toHaveLength(1);
  });

  it('forget idle streams that weigh too much together, the longest idle first', async () => {
    const { lanes, reads } = setup({ weightMax: 10 });
    for (const stream of ['sum-1', 'sum-2', 'sum-3'])
      for (const key of ['a', 'b', 'c', 'd']) await lanes.submit(stream, key, adding(key, 1));
    const before = reads.length;
    // 12 in all: the first one had to go when the next command came.
    await lanes.submit('sum-3', 'e', adding('e', 1));
    expect(lanes.cached()).toBe(2);
    await lanes.submit('sum-2', 'e', adding('e', 1));
    expect(reads.length).toBe(before);
    expect(await lanes.submit('sum-1', 'q', total)).toBe(4);
    expect(reads.slice(before)).toEqual([0]);
  });

  it('stop when the store is not the one they have written', async () => {
    const restored = createInMemoryEventLog();
    const moved = setup({ log: restored });
    await moved.add('a', 1);
    await moved.add('b', 1);
    Object.assign(restored, { readStream: createInMemoryEventLog().readStream });
    await expect(moved.lanes.submit('sum-1', 'q', total)).rejects.toMatchObject({
      trouble: 'store_unavailable',
    });
    expect(String(moved.fatal[0])).toContain('different or restored store');
  });

  it('let a judge that throws end only its own command', async () => {
    const { lanes, add } = setup();
    const broken = lanes.submit('sum-1', 'x', () => {
      throw new Error('bug');
    });
    const fine = add('a', 1);
    await expect(broken).rejects.toThrow('bug');
    expect(await fine).toBe('added 1 at 0');
  });

  it('refuse a stream whose events do not follow one another, and serve the others', async () => {
    const { lanes, log } = setup();
    await log.append(
      'sum-1',
      chainEvents('sum-1', 0, GENESIS_HASH, [
        { type: 'Added', data: { n: 1, key: 'a' }, metadata: {} },
      ]),
      'no_stream',
    );
    await log.append(
      'sum-1',
      chainEvents('sum-1', 1, 'f'.repeat(64), [
        { type: 'Added', data: { n: 1, key: 'b' }, metadata: {} },
      ]),
      0,
    );
    await expect(lanes.submit('sum-1', 'q', total)).rejects.toMatchObject({
      trouble: 'store_unavailable',
    });
    expect(await lanes.submit('sum-2', 'q', total)).toBe(0);
  });

  it('finish what is in flight when they close, and refuse what comes after', async () => {
    const { lanes, add, log } = setup();
    await add('a', 1);
    const release = log.faults.holdAppends();
    const waiting = add('b', 1);
    const closed = lanes.close(5_000);
    await expect(add('c', 1)).rejects.toMatchObject({ trouble: 'store_unavailable' });
    release();
    expect(await waiting).toBe('added 1 at 1');
    await closed;
  });
});
