import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createLogStore } from './log-store.ts';
import type { LogStore } from './log-store.ts';
import { createAllSource, createStreamSource } from './subscription-sources.ts';
import type { AllSourceOptions, SubscriptionSource } from './subscription-sources.ts';
import streams from '@eventstore/db-client/generated/streams_pb.js';

describe('$all', () => {
  it('the past in pages, then live: every matching event once, in order', () => {
    const log = newLog();
    append(log, 'a', 40);
    append(log, 'b', 3);
    append(log, 'a', 40);
    const source = allSource(log, { after: null });
    expect(source.startsLive).toBe(false);
    const past = pages(source);
    append(log, 'b', 1);
    append(log, 'a', 2);
    expect(events([...past.flat(), ...live(source)])).toEqual(range(0, 82));
  });

  it('from the end, and from the last position: live at once, without the past', () => {
    const log = newLog();
    append(log, 'a', 3);
    for (const after of ['end', place(log, 2)] as const) {
      const source = allSource(log, { after });
      expect(source.startsLive).toBe(true);
      expect(live(source)).toEqual([]);
    }
  });

  it('after a position: without its event', () => {
    const log = newLog();
    append(log, 'a', 5);
    expect(events(pages(allSource(log, { after: place(log, 1) })).flat())).toEqual([2, 3, 4]);
  });

  it('unfiltered: no checkpoints', () => {
    const log = newLog();
    append(log, 'a', 100);
    const source = allSource(log, { after: null, checkpoints: null });
    expect(
      pages(source)
        .flat()
        .every(({ checkpoint }) => checkpoint === null),
    ).toBe(true);
  });

  it('nothing matches in the past: a checkpoint per interval at the start of the page, one at the end', () => {
    const log = newLog();
    append(log, 'b', 100);
    const found = pages(allSource(log, { after: null }));
    expect(found.map((page) => page.map(({ checkpoint }) => checkpoint))).toEqual([
      [{ commit: 0, prepare: 0 }],
      [{ ...place(log, 32), prepare: 0 }],
      [{ ...place(log, 64), prepare: 0 }],
      [{ ...place(log, 96), prepare: 0 }],
    ]);
  });

  it('interval 3: a checkpoint after every third page of 32 looked at', () => {
    const log = newLog();
    append(log, 'b', 200);
    const found = pages(
      allSource(log, { after: null, checkpoints: { searchWindow: 32, interval: 96 } }),
    );
    expect(found.map((page) => page.length)).toEqual([0, 0, 1, 0, 0, 1, 1]);
  });

  it('matches in the past: the checkpoint lies at the last of them or later', () => {
    const log = newLog();
    append(log, 'b', 10);
    append(log, 'a', 1);
    const messages = pages(allSource(log, { after: null })).flat();
    expect(messages.map(({ event, checkpoint }) => event ?? checkpoint)).toEqual([
      0,
      place(log, 10),
    ]);
  });

  it('live: a checkpoint at every 32nd event of any kind since the start', () => {
    const log = newLog();
    append(log, 'b', 5);
    const source = allSource(log, { after: 'end' });
    append(log, 'b', 31);
    expect(live(source)).toEqual([]);
    append(log, 'a', 1);
    append(log, 'b', 32);
    expect(live(source).map(({ event, checkpoint }) => event ?? checkpoint)).toEqual([
      0,
      place(log, 36),
      place(log, 68),
    ]);
  });

  it('going on from any checkpoint: every later match comes, none is lost', () => {
    const log = newLog();
    for (let n = 0; n < 60; n += 1) append(log, n % 7 === 3 ? 'a' : 'b', 1 + (n % 5));
    const messages = pages(allSource(log, { after: null })).flat();
    const checkpoints = messages
      .map(({ checkpoint }) => checkpoint)
      .filter((found) => found !== null);
    expect(checkpoints.length).toBeGreaterThan(3);
    const total = events(messages).length;
    for (const after of checkpoints) {
      const seen = events(
        messages.slice(
          0,
          messages.findIndex(({ checkpoint }) => checkpoint === after),
        ),
      );
      const rest = events(pages(allSource(log, { after })).flat());
      expect([...seen, ...rest]).toEqual(range(0, total));
    }
  });

  it('backlog counts matches that were not taken', () => {
    const log = newLog();
    const source = allSource(log, { after: 'end' });
    append(log, 'a', 3);
    append(log, 'b', 5);
    expect(source.backlog()).toBe(3);
    append(log, 'a', 1);
    expect(source.backlog()).toBe(4);
    live(source);
    expect(source.backlog()).toBe(0);
  });

  it('falling behind: a checkpoint at the last event sent, once', () => {
    const log = newLog();
    const source = allSource(log, { after: 'end' });
    append(log, 'a', 2);
    live(source);
    expect(source.fallBehind().map(decode)).toEqual([{ event: null, checkpoint: place(log, 1) }]);
    expect(source.fallBehind()).toEqual([]);
  });
});

describe('one stream', () => {
  it.each<[after: number | 'end', past: number[]]>([
    [-1, range(0, 70)],
    [65, range(66, 70)],
    [69, []],
    ['end', []],
  ])('after %s: the past without it, then live', (after, past) => {
    const log = newLog();
    append(log, 'a', 70);
    const source = createStreamSource(log, { stream: 'a', after, send });
    expect(source.startsLive).toBe(past.length === 0);
    expect(events(pages(source).flat())).toEqual(past);
    append(log, 'b', 1);
    append(log, 'a', 2);
    expect(events(live(source))).toEqual([70, 71]);
  });

  it('what metadata hides is not part of the past', () => {
    const log = newLog();
    append(log, 'a', 10);
    appendTo(log, '$$a', [{ type: '$metadata', json: '{"$maxCount":2}' }]);
    expect(events(pages(createStreamSource(log, { stream: 'a', after: -1, send })).flat())).toEqual(
      [8, 9],
    );
  });
});

interface Decoded {
  /** Revision of an event. */
  readonly event: number | null;
  readonly checkpoint: { commit: number; prepare: number } | null;
}

function newLog(): LogStore {
  return createLogStore({ newId: randomUUID });
}

function append(log: LogStore, stream: string, count: number): void {
  appendTo(
    log,
    stream,
    Array.from({ length: count }, () => ({ type: 'Happened', json: '{}' })),
  );
}

function appendTo(log: LogStore, stream: string, contents: { type: string; json: string }[]): void {
  const events = contents.map(({ type, json }) => {
    const payload = Buffer.from(json);
    return { id: randomUUID(), type, isJson: true, payload, dataBytes: payload.length };
  });
  const result = log.append({ stream, expected: 'any', events, nowMs: 0 });
  if (result.outcome !== 'written') throw new Error(result.outcome);
  log.publish(result.events);
}

function send(event: { revision: number }): readonly Uint8Array[] {
  return [Buffer.from(`event ${event.revision}`)];
}

function decode(message: Uint8Array): Decoded {
  const text = Buffer.from(message).toString();
  if (text.startsWith('event ')) return { event: Number(text.slice(6)), checkpoint: null };
  const checkpoint = streams.ReadResp.deserializeBinary(message).getCheckpoint();
  return {
    event: null,
    checkpoint: {
      commit: Number(checkpoint?.getCommitPosition()),
      prepare: Number(checkpoint?.getPreparePosition()),
    },
  };
}

/** Of events in stream `a`, unless told otherwise. */
function allSource(log: LogStore, options: Partial<AllSourceOptions>): SubscriptionSource {
  return createAllSource(log, {
    after: null,
    filter: ({ stream }) => stream === 'a',
    checkpoints: { searchWindow: 32, interval: 32 },
    send,
    ...options,
  });
}

function pages(source: SubscriptionSource): Decoded[][] {
  const found: Decoded[][] = [];
  for (;;) {
    const { messages, end } = source.nextPage();
    found.push(messages.map(decode));
    if (end) return found;
  }
}

function live(source: SubscriptionSource): Decoded[] {
  const found: Decoded[] = [];
  for (let next = source.nextLive().messages; next.length > 0; next = source.nextLive().messages) {
    found.push(...next.map(decode));
  }
  return found;
}

function events(messages: Decoded[]): number[] {
  return messages.map(({ event }) => event).filter((event) => event !== null);
}

function place(log: LogStore, index: number): { commit: number; prepare: number } {
  const position = log.eventAt(index)?.position ?? -1;
  return { commit: position, prepare: position };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
