import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import { describe, expect, it } from 'vitest';
import { createAnchorWatch } from './anchor-watch.ts';
import { anchorOf, signAnchor } from './anchor.ts';
import type { AuditEvent } from './audit-event.ts';
import { createLedgerFold } from './ledger-fold.ts';
import { TEST_KEY } from './testing/anchor-key.ts';
import { makeLog } from './testing/make-log.ts';

const EVENTS = [...makeLog({ accounts: 3, events: 40, seed: 8 })];

function fold(events: readonly AuditEvent[], anchors: readonly LedgerAnchor[] = []) {
  const ledger = createLedgerFold(createAnchorWatch(anchors));
  const found = events.flatMap((event) => ledger.take(event));
  return { ledger, kinds: [...found, ...ledger.end()].map(({ kind }) => kind) };
}

function anchorAt(count: number): LedgerAnchor {
  const extent = fold(EVENTS.slice(0, count)).ledger.extent();
  if (extent === null) throw new Error('no events');
  return signAnchor(anchorOf(extent), TEST_KEY, '2026-11-20T06:00:00.000Z');
}

const ANCHORS = [10, 25, EVENTS.length].map(anchorAt);
const at = (index: number): AuditEvent => EVENTS[index] as AuditEvent;
/** Somewhere in the middle, not the last of its stream. */
const MIDDLE = EVENTS.findIndex(
  ({ stream }, index) => index > 12 && EVENTS.slice(index + 1).some((one) => one.stream === stream),
);

describe('the fold of the ledger', () => {
  it('finds nothing in a log that holds, and every anchor in its place', () => {
    const { ledger, kinds } = fold(EVENTS, ANCHORS);
    expect(kinds).toEqual([]);
    expect(ledger.position()).toBe(EVENTS.at(-1)?.position);
    expect(ledger.extent()?.events).toBe(EVENTS.length);
    expect(fold([]).ledger.extent()).toBeNull();
  });

  it.each<[string, readonly AuditEvent[], string]>([
    ['a changed event', EVENTS.with(MIDDLE, { ...at(MIDDLE), data: {} }), 'wrong_hash'],
    ['another id', EVENTS.with(MIDDLE, { ...at(MIDDLE), id: at(0).id }), 'wrong_event_id'],
    ['a gap', EVENTS.toSpliced(MIDDLE, 1), 'missing_events'],
    ['an event twice', EVENTS.toSpliced(MIDDLE, 0, at(MIDDLE)), 'repeated_event'],
    [
      'a position that falls back',
      EVENTS.with(MIDDLE, { ...at(MIDDLE), position: at(MIDDLE - 1).position }),
      'positions_out_of_order',
    ],
  ])('finds %s, with and without anchors', (_, events, kind) => {
    expect(fold(events).kinds).toContain(kind);
    expect(fold(events, ANCHORS.slice(2)).kinds).toContain(kind);
  });

  it('compares before the first event behind an anchor whose own event is gone', () => {
    const moved = EVENTS.with(9, { ...at(9), position: at(9).position + 1n });
    const ledger = createLedgerFold(createAnchorWatch(ANCHORS));
    const found = moved.flatMap((event) => ledger.take(event));
    expect(found[0]).toMatchObject({ kind: 'anchor_differs', position: ANCHORS[0]?.position });
    expect(found[0]?.message).toMatch(/9 events instead of 10 \(1 removed\)/);
  });
});
