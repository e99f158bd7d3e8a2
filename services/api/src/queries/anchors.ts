import type { AuditLog } from '@points/audit/open-log';
import { eventsUpTo } from '@points/audit/pinned-log';
import { decodeStoredAnchor } from '@points/contracts/stored-anchors';
import { UnreadableEventError } from '@points/contracts/stored-events';
import { AUDIT_ANCHOR_STREAM } from '@points/contracts/streams';

const MAX_ANCHORS = 10;
/** Events after the newest anchor are counted so far. */
const MAX_COUNTED_EVENTS = 10_000;

/** What somebody has signed. Nothing here has been checked. */
export interface AnchorListed {
  readonly position: string;
  readonly events: number;
  readonly streams: number;
  readonly root: string;
  readonly signed_at: string;
  readonly key_id: string;
}

export interface AnchorStatus {
  readonly position: string | null;
  readonly anchors_in_all: number;
  /** The newest 10, newest first. */
  readonly anchors: readonly AnchorListed[];
  /** What the newest of those that cannot be read says is wrong with it. */
  readonly unreadable: readonly string[];
  /** Events of the ledger that the newest anchor does not cover. */
  readonly events_after: number;
  /** Whether there are more of them than were counted. */
  readonly events_after_is_minimum: boolean;
}

/** The newest anchors of the log, and how far it has gone on since. Throws `StoreUnavailableError`. */
export async function readAnchorStatus(
  log: AuditLog,
  pin: bigint | null,
  signal: AbortSignal,
): Promise<AnchorStatus> {
  const last = await log.readLast(AUDIT_ANCHOR_STREAM);
  const anchors: AnchorListed[] = [];
  const unreadable: string[] = [];
  if (last !== null) {
    const fromRevision = Math.max(0, last.revision + 1 - MAX_ANCHORS);
    const newest = log.readStream(AUDIT_ANCHOR_STREAM, {
      fromRevision,
      maxCount: MAX_ANCHORS,
      signal,
    });
    for await (const stored of newest) {
      try {
        const { position, events, streams, root, signed_at, key_id } = decodeStoredAnchor(stored);
        anchors.unshift({ position, events, streams, root, signed_at, key_id });
      } catch (error) {
        if (!(error instanceof UnreadableEventError)) throw error;
        unreadable.unshift(error.message);
      }
    }
  }
  const afterPosition = anchors[0] === undefined ? null : BigInt(anchors[0].position);
  let count = 0;
  for await (const _ of eventsUpTo(log, { pin, afterPosition, pageEvents: 1_024, signal })) {
    count += 1;
    if (count > MAX_COUNTED_EVENTS) break;
  }
  return {
    position: pin === null ? null : String(pin),
    anchors_in_all: last === null ? 0 : last.revision + 1,
    anchors,
    unreadable,
    events_after: Math.min(count, MAX_COUNTED_EVENTS),
    events_after_is_minimum: count > MAX_COUNTED_EVENTS,
  };
}
