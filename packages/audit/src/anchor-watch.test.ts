import { describe, expect, it } from 'vitest';
import { anchorOf, type LedgerExtent, signAnchor } from './anchor.ts';
import { createAnchorWatch } from './anchor-watch.ts';
import type { StreamHead } from './heads.ts';
import { TEST_KEY } from './testing/anchor-key.ts';

const head = (stream: string, revision: number, digit = 'a'): StreamHead => ({
  stream,
  revision,
  hash: digit.repeat(64),
});
const early: LedgerExtent = {
  position: 300n,
  events: 3,
  heads: [head('account-a', 1), head('account-b', 0)],
  order: '1'.repeat(64),
};
const late: LedgerExtent = {
  position: 700n,
  events: 5,
  heads: [head('account-a', 2), head('account-b', 1)],
  order: '2'.repeat(64),
};
const TIME = '2026-11-20T06:00:00.000Z';
const anchors = [early, late].map((extent) => signAnchor(anchorOf(extent), TEST_KEY, TIME));

describe('the anchor watch', () => {
  it('asks for the log at each anchor and finds nothing in the log that was signed', () => {
    const watch = createAnchorWatch(anchors);
    expect(watch.nextPosition()).toBe(300n);
    expect(watch.check(early)).toBeNull();
    expect(watch.nextPosition()).toBe(700n);
    expect(watch.check(late)).toBeNull();
    expect(watch.nextPosition()).toBeNull();
    expect(watch.rest()).toEqual([]);
    expect(() => watch.check(late)).toThrow(RangeError);
  });

  it.each<[string, Partial<LedgerExtent>, string]>([
    ['an event less', { events: 2 }, '2 events instead of 3 (1 removed)'],
    ['an event more', { events: 4 }, '4 events instead of 3 (1 put in)'],
    [
      'an account less',
      { heads: early.heads.slice(0, 1) },
      '1 stream instead of 2 (1 removed); other ends of the streams (root), so an event before them is another one',
    ],
    [
      'another event',
      { heads: [head('account-a', 1, 'b'), head('account-b', 0)] },
      'other ends of the streams (root), so an event before them is another one',
    ],
    ['another order', { order: '3'.repeat(64) }, 'other positions of the events (order)'],
  ])('says what differs: %s', (_, change, difference) => {
    const watch = createAnchorWatch(anchors);
    expect(watch.check({ ...early, ...change })).toEqual({
      kind: 'anchor_differs',
      stream: null,
      revision: null,
      position: '300',
      line: null,
      message: `the log up to position 300 is not what was anchored at ${TIME}: ${difference}`,
    });
    // Each anchor speaks for itself.
    expect(watch.check(late)).toBeNull();
  });

  it('says which anchors lie behind the end of the log', () => {
    const watch = createAnchorWatch(anchors);
    watch.check(early);
    expect(
      watch.rest().map(({ kind, position, message }) => ({ kind, position, message })),
    ).toEqual([
      {
        kind: 'anchor_differs',
        position: '700',
        message: `the log was cut off before position 700, up to which 5 events in 2 streams were anchored at ${TIME}; or this is an older copy of it, which only earlier anchors speak of`,
      },
    ]);
    expect(watch.nextPosition()).toBeNull();
  });
});
