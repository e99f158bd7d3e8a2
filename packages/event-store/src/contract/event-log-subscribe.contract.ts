import { expect, it } from 'vitest';
import type { StoredEvent } from '../event-log.ts';
import { SubscriptionEndedError } from '../event-log.ts';
import { collectUntilCaughtUp, follow, newEvents, readStream } from './event-log-context.ts';
import type { Context } from './event-log-context.ts';

export function describeSubscribeAll({
  log,
  newStream,
  endOfLog,
  prefix,
  cutSubscriptions,
}: Context): void {
  it('gives what is there, says when it has caught up, then gives what comes', async () => {
    const stream = newStream('sub-');
    const start = await endOfLog();
    await log().append(stream, newEvents(5), 'no_stream');
    const seen: (number | 'caught_up')[] = [];
    await follow(log(), start, [stream], async (live) => {
      if (live.kind === 'checkpoint') return true;
      seen.push(live.kind === 'event' ? live.event.revision : 'caught_up');
      if (live.kind === 'caught_up') await log().append(stream, newEvents(3), 4);
      return seen.length < 9;
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 'caught_up', 5, 6, 7]);
  });

  it('starts from the beginning of the log', async () => {
    const stream = newStream('first-');
    await log().append(stream, newEvents(2), 'no_stream');
    const events = await collectUntilCaughtUp(log(), null, [stream]);
    expect(events).toEqual(await readStream(log(), stream));
  });

  it('starts exclusively after a position, with whole events in the order of the log', async () => {
    const [a, b] = [newStream('from-'), newStream('from-')];
    await log().append(a, newEvents(2), 'no_stream');
    await log().append(b, newEvents(2), 'no_stream');
    const [first, ...rest] = [...(await readStream(log(), a)), ...(await readStream(log(), b))];
    expect(await collectUntilCaughtUp(log(), first?.position ?? null, [a, b])).toEqual(rest);
  });

  it('never gives a stream that does not match', async () => {
    const start = await endOfLog();
    const [wanted, other] = [newStream('yes-'), newStream('no-')];
    await log().append(other, newEvents(5), 'no_stream');
    await log().append(wanted, newEvents(1), 'no_stream');
    const events = await collectUntilCaughtUp(log(), start, [`${prefix}yes-`]);
    expect(events.map(({ stream }) => stream)).toEqual([wanted]);
  });

  it('sends checkpoints, and none before an event that it covers', async () => {
    const start = await endOfLog();
    const [wanted, other] = [newStream('cp-'), newStream('cpother-')];
    await log().append(wanted, newEvents(100), 'no_stream');
    await log().append(other, newEvents(100), 'no_stream');
    await log().append(wanted, newEvents(100), 99);
    const events: StoredEvent[] = [];
    const checkpoints: bigint[] = [];
    await follow(log(), start, [wanted], async (live) => {
      if (live.kind === 'event') {
        expect(checkpoints.filter((position) => position >= live.event.position)).toEqual([]);
        events.push(live.event);
        // A reader that lets events wait gives a checkpoint the chance to overtake them.
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (live.kind === 'checkpoint') checkpoints.push(live.position);
      return live.kind !== 'caught_up';
    });
    expect(events).toHaveLength(200);
    expect(checkpoints.length).toBeGreaterThan(0);
    // Going on from a checkpoint gives exactly what had not been given before it.
    const [checkpoint = 0n] = checkpoints;
    expect(await collectUntilCaughtUp(log(), checkpoint, [wanted])).toEqual(
      events.filter(({ position }) => position > checkpoint),
    );
  });

  it('ends quietly when its signal fires, while waiting and while delivering', async () => {
    const stream = newStream('abort-');
    const start = await endOfLog();
    await log().append(stream, newEvents(10), 'no_stream');
    for (const stopAt of ['caught_up', 'event'] as const) {
      const abort = new AbortController();
      let after = 0;
      const options = { afterPosition: start, streamPrefixes: [stream], signal: abort.signal };
      for await (const live of log().subscribeAll(options)) {
        if (abort.signal.aborted) after += 1;
        else if (live.kind === stopAt && stopAt === 'event') abort.abort();
        else if (live.kind === stopAt) setImmediate(() => abort.abort());
      }
      expect(after).toBe(0);
    }
  });

  it('gives nothing when its signal has fired before', async () => {
    const options = { afterPosition: null, streamPrefixes: [prefix], signal: AbortSignal.abort() };
    for await (const live of log().subscribeAll(options)) expect(live).toBeUndefined();
  });

  it('may be left early, often', async () => {
    const stream = newStream('leave-');
    const start = await endOfLog();
    await log().append(stream, newEvents(3), 'no_stream');
    for (let round = 0; round < 120; round += 1) {
      await follow(log(), start, [stream], async (live) => live.kind !== 'event');
    }
    expect(await collectUntilCaughtUp(log(), start, [stream])).toHaveLength(3);
  });

  it('serves several subscribers, each from its own position', async () => {
    const stream = newStream('many-');
    const start = await endOfLog();
    await log().append(stream, newEvents(4), 'no_stream');
    const all = await readStream(log(), stream);
    const [fromStart, fromSecond] = await Promise.all([
      collectUntilCaughtUp(log(), start, [stream]),
      collectUntilCaughtUp(log(), all[1]?.position ?? null, [stream]),
    ]);
    expect([fromStart, fromSecond]).toEqual([all, all.slice(2)]);
  });

  it('waits for a slow reader and loses nothing', async () => {
    const stream = newStream('slow-');
    const start = await endOfLog();
    await log().append(stream, newEvents(256), 'no_stream');
    const seen: number[] = [];
    await follow(log(), start, [stream], async (live) => {
      if (live.kind === 'event') {
        seen.push(live.event.revision);
        if (seen.length % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      return live.kind !== 'caught_up';
    });
    expect(seen).toEqual(Array.from({ length: 256 }, (_value, index) => index));
  });

  it('throws when it is cut; going on from the last position loses and doubles nothing', async ({
    skip,
  }) => {
    const cut = cutSubscriptions();
    if (cut === null) skip("nothing here can cut this server's subscriptions");
    const stream = newStream('cut-');
    const seen: number[] = [];
    let position = await endOfLog();
    let ends = 0;
    await log().append(stream, newEvents(1), 'no_stream');
    const writing = (async () => {
      for (let revision = 0; revision < 199; revision += 1)
        await log().append(stream, newEvents(1), revision);
    })();
    while (seen.length < 200) {
      const delivered = follow(log(), position, [stream], async (live) => {
        if (live.kind === 'caught_up') return true;
        position = live.kind === 'event' ? live.event.position : live.position;
        if (live.kind === 'event') seen.push(live.event.revision);
        if (live.kind === 'event' && live.event.revision % 50 === 49) cut?.();
        return seen.length < 200;
      });
      await delivered.catch((error: unknown) => {
        expect(error).toBeInstanceOf(SubscriptionEndedError);
        ends += 1;
      });
    }
    await writing;
    expect(seen).toEqual(Array.from({ length: 200 }, (_value, index) => index));
    expect(ends).toBeGreaterThan(0);
  });
}
