import type { AccountEvent } from '@points/domain/account/events';
import type { AuditEvent } from './audit-event.ts';
import { type AccountLedgerEvent, decodeAccountEvent } from './decode-account.ts';
import { type Movement, MOVEMENT_KINDS, addMovement, noMovement } from './movement.ts';

/** Where points came from or went to: how they were credited, or the work that used them. */
export interface Source {
  readonly group: 'recharge' | 'use' | 'adjustment' | 'expiry' | 'unattributed';
  /** `order`, `reward`, `admin`, `import` of a recharge; source_type of a use; else empty. */
  readonly source: string;
  readonly model: string;
}

export interface SourceRow extends Source, Movement {}

export interface SourceSums {
  add(recorded: AccountLedgerEvent): void;
  /** An event before the period: counts for nothing, but later ones may name what it began. */
  remember(recorded: AccountLedgerEvent): void;
  /** Whether some events name a hold or recharge that was no longer remembered: read the log again with `recall`. */
  isMissing(): boolean;
  recall(stored: AuditEvent): void;
  /** Of the sources whose events were added. */
  rows(): SourceRow[];
}

/** Holds and recharges whose source is remembered, oldest forgotten first; some 200 bytes each. */
const REMEMBERED_SOURCES = 250_000;
/** Forgotten ones that later events name and a second reading finds; what is beyond is told as `unattributed`. */
const MAX_MISSING = 100_000;

const UNATTRIBUTED: Source = { group: 'unattributed', source: '', model: '' };
const ADJUSTMENT: Source = { group: 'adjustment', source: '', model: '' };
const EXPIRY: Source = { group: 'expiry', source: '', model: '' };

/**
 * Sums by source. A confirm, cancel, refund or reversal names only its hold or source_ref, so where that came from is
 * remembered; after `remembered` others it is looked up in a second reading of the log.
 */
export function createSourceSums(remembered = REMEMBERED_SOURCES): SourceSums {
  const sums = new Map<string, SourceRow>();
  /** Whose sums count: a source may be known from before the period alone. */
  const added = new Set<Movement>();
  const memory = new Map<string, SourceRow>();
  const missing = new Map<string, Movement>();

  function rowOf(source: Source): SourceRow {
    const key = JSON.stringify([source.group, source.source, source.model]);
    let row = sums.get(key);
    if (row === undefined) sums.set(key, (row = { ...source, ...noMovement() }));
    return row;
  }

  function add(sum: Movement, event: AccountEvent): void {
    added.add(sum);
    addMovement(sum, event);
  }

  function addAll(row: SourceRow, more: Movement): void {
    added.add(row);
    for (const kind of MOVEMENT_KINDS) row[kind] += more[kind];
  }

  function remember(key: string, row: SourceRow): SourceRow {
    memory.set(key, row);
    if (memory.size > remembered)
      for (const oldest of memory.keys()) {
        memory.delete(oldest);
        break;
      }
    return row;
  }

  function remembering(key: string): Movement {
    const row = memory.get(key);
    if (row !== undefined) return row;
    let sum = missing.get(key);
    if (sum !== undefined) return sum;
    if (missing.size >= MAX_MISSING) return rowOf(UNATTRIBUTED);
    missing.set(key, (sum = noMovement()));
    return sum;
  }

  return {
    add(recorded) {
      const { event } = recorded;
      const begins = beginning(recorded);
      if (begins !== null) {
        add(remember(begins.key, rowOf(begins.source)), event);
        return;
      }
      switch (event.type) {
        case 'PointsAdjusted':
          return add(rowOf(ADJUSTMENT), event);
        case 'BatchExpired':
          return add(rowOf(EXPIRY), event);
        case 'RechargeReversed':
          return add(remembering(rechargeKey(recorded.accountId, event.data.source_ref)), event);
        case 'HoldCanceled':
          // What was never placed moves nothing.
          if (event.data.reason === 'tombstone') return;
          return add(remembering(holdKey(recorded.accountId, event.data.hold_id)), event);
        case 'HoldConfirmed':
        case 'PointsRefunded':
          return add(remembering(holdKey(recorded.accountId, event.data.hold_id)), event);
        // Told above.
        case 'PointsHeld':
        case 'PointsRecharged':
        // They move nothing.
        case 'HoldExtended':
        case 'AccountFrozen':
        case 'AccountUnfrozen':
        case 'MembershipGranted':
        case 'MembershipRevoked':
          return;
        default:
          event satisfies never;
      }
    },
    remember(recorded) {
      const begins = beginning(recorded);
      if (begins !== null) remember(begins.key, rowOf(begins.source));
    },
    isMissing: () => missing.size > 0,
    recall(stored) {
      if (stored.type !== 'PointsHeld' && stored.type !== 'PointsRecharged') return;
      const begins = beginning(decodeAccountEvent(stored));
      if (begins === null) return;
      const sum = missing.get(begins.key);
      if (sum === undefined) return;
      missing.delete(begins.key);
      addAll(rowOf(begins.source), sum);
    },
    rows() {
      for (const sum of missing.values()) addAll(rowOf(UNATTRIBUTED), sum);
      missing.clear();
      return [...sums.entries()]
        .filter(([, row]) => added.has(row))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, row]) => row);
    },
  };
}

/** The event that says where points came from or what they are to be used for, with the name later events call it by. */
function beginning({
  accountId,
  event,
}: AccountLedgerEvent): { key: string; source: Source } | null {
  if (event.type === 'PointsHeld') {
    const { hold_id, source_type = '', model = '' } = event.data;
    return {
      key: holdKey(accountId, hold_id),
      source: { group: 'use', source: source_type, model },
    };
  }
  if (event.type === 'PointsRecharged') {
    const { source_ref, source } = event.data;
    return {
      key: rechargeKey(accountId, source_ref),
      source: { group: 'recharge', source, model: '' },
    };
  }
  return null;
}

function holdKey(accountId: string, holdId: string): string {
  return `${accountId}/h/${holdId}`;
}

function rechargeKey(accountId: string, sourceRef: string): string {
  return `${accountId}/r/${sourceRef}`;
}
