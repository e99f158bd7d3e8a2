import type { LedgerAnchor } from '@points/contracts/stored-anchors';
import type { LedgerExtent } from './anchor.ts';
import { type Finding, findingOutside } from './finding.ts';
import { rootOf } from './heads.ts';
import { counted } from './text-table.ts';

/**
 * Compares a log, while it is read from its start, with anchors that were signed earlier. `anchors` rise in position;
 * two may stand at the same one. Their signatures are judged elsewhere.
 */
export function createAnchorWatch(anchors: readonly LedgerAnchor[]): AnchorWatch {
  let next = 0;

  return {
    nextPosition() {
      const anchor = anchors[next];
      return anchor === undefined ? null : BigInt(anchor.position);
    },
    check(extent) {
      const anchor = anchors[next];
      if (anchor === undefined) throw new RangeError('there is no further anchor to compare with');
      next += 1;
      const differences = differencesOf(anchor, extent);
      if (differences.length === 0) return null;
      return differs(
        anchor,
        `the log up to position ${anchor.position} is not what was anchored at ${anchor.signed_at}: ${differences.join('; ')}`,
      );
    },
    rest() {
      const beyond = anchors.slice(next);
      next = anchors.length;
      return beyond.map((anchor) =>
        differs(
          anchor,
          `the log was cut off before position ${anchor.position}, up to which ${counted(anchor.events, 'event')} in ${counted(anchor.streams, 'stream')} were anchored at ${anchor.signed_at}; or this is an older copy of it, which only earlier anchors speak of`,
        ),
      );
    },
  };
}

export interface AnchorWatch {
  /** Up to which event (inclusive) the next anchor speaks; null when all were compared. */
  nextPosition(): bigint | null;
  /**
   * Compares the next anchor with the events up to `nextPosition()`: to be called once the event at that position was
   * taken or, when there is none, before the first one behind it. Null when they are what was signed.
   */
  check(extent: Omit<LedgerExtent, 'position'>): Finding | null;
  /** The log has ended: a finding for each anchor that was not compared, since it lies behind the end. */
  rest(): Finding[];
}

function differencesOf(
  anchor: LedgerAnchor,
  { events, heads, order }: Omit<LedgerExtent, 'position'>,
): string[] {
  const differences: string[] = [];
  if (events !== anchor.events) {
    differences.push(
      `${counted(events, 'event')} instead of ${anchor.events} (${lessOrMore(events - anchor.events)})`,
    );
  }
  if (heads.length !== anchor.streams) {
    differences.push(
      `${counted(heads.length, 'stream')} instead of ${anchor.streams} (${lessOrMore(heads.length - anchor.streams)})`,
    );
  }
  if (rootOf(heads) !== anchor.root) {
    differences.push('other ends of the streams (root), so an event before them is another one');
  }
  if (order !== anchor.order) {
    differences.push('other positions of the events (order)');
  }
  return differences;
}

function lessOrMore(change: number): string {
  return change < 0 ? `${-change} removed` : `${change} put in`;
}

function differs({ position }: LedgerAnchor, message: string): Finding {
  return findingOutside('anchor_differs', message, { position });
}
