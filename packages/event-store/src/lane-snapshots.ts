import { type EventLog, type JsonValue, type StoredEvent, isJsonObject } from './event-log.ts';
import {
  DifferentStoreError,
  FoldError,
  type Head,
  type LaneFold,
  type SnapshotCodec,
  foldNext,
  freshHead,
  readHead,
} from './lane-head.ts';
import {
  SnapshotError,
  type SnapshotWriting,
  readSnapshot,
  writeSnapshot,
} from './snapshot-event.ts';
import type { Timers } from './timers.ts';

/** A snapshot is due when the stream has so many more events: the snapshot and what follows stay within 1,000 events. */
export const SNAPSHOT_EVERY_EVENTS = 500;
/** Snapshots being written at once; a stream whose turn comes meanwhile waits for its next append. */
export const SNAPSHOT_WRITES_MAX = 4;
/** A stream of fewer events is read whole; only a longer one is worth asking whether it has a snapshot. */
const SHORT_STREAM_EVENTS = 100;

/** What became of a snapshot; for metrics and the log. */
export interface SnapshotNotice {
  /** Of the events, not of the snapshot. */
  readonly stream: string;
  readonly outcome:
    | 'used'
    | 'absent'
    /** Found, and of no use. */
    | 'ignored'
    | 'written'
    /** Another process has written one meanwhile. */
    | 'superseded'
    | 'too_large'
    | 'not_written';
  /** Why it was ignored or not written. */
  readonly reason?: unknown;
}

/** What a lane remembers of its stream's snapshots. */
export interface SnapshotMark {
  /** The next is due `SNAPSHOT_EVERY_EVENTS` after this revision. */
  revision: number;
  writing: boolean;
  /** Id of a snapshot found to be of no use: it may be replaced whatever it says. */
  ignoredId: string | null;
}

export function newSnapshotMark(): SnapshotMark {
  return { revision: -1, writing: false, ignoredId: null };
}

export interface LaneSnapshots<State> {
  /** The stream's present head, from its snapshot if it has one that fits. Throws as `readHead` does. */
  open(stream: string, mark: SnapshotMark): Promise<Head<State>>;
  /** To be told of every head that is durable. Returns at once and never throws. */
  durable(stream: string, mark: SnapshotMark, head: Head<State>): void;
  /** Begins no more writes. */
  close(): void;
}

/**
 * Keeps snapshots of long streams, so that a cold one need not be read whole.
 *
 * A snapshot can only cost time. Whatever is wrong with one when it is read (damaged, of another version, of other
 * events, beyond the end of the log), the stream is read from its start. Writing one is best effort, of durable state
 * only, after the replies have left; one that could not be written is tried again with the next ones' turn.
 */
export function createLaneSnapshots<State>(deps: LaneSnapshotsDeps<State>): LaneSnapshots<State> {
  const { log, fold } = deps;
  if (fold.snapshots !== undefined) return keepSnapshots(deps, fold.snapshots);
  return {
    open: (stream) => readHead(log, fold, stream, freshHead(fold)),
    durable: () => undefined,
    close: () => undefined,
  };
}

export interface LaneSnapshotsDeps<State> {
  readonly log: EventLog;
  readonly fold: LaneFold<State>;
  readonly timers: Timers;
  readonly onSnapshot: (notice: SnapshotNotice) => void;
}

function keepSnapshots<State>(
  { log, fold, timers, onSnapshot }: LaneSnapshotsDeps<State>,
  codec: SnapshotCodec<State>,
): LaneSnapshots<State> {
  const everyEvents = codec.everyEvents ?? SNAPSHOT_EVERY_EVENTS;
  const shortEvents = Math.min(SHORT_STREAM_EVENTS, everyEvents);
  let writes = 0;
  let closed = false;

  async function open(stream: string, mark: SnapshotMark): Promise<Head<State>> {
    mark.revision = -1;
    const first = await firstEvents(stream);
    const isShort = first.length < shortEvents;
    const head = isShort ? null : await openFromSnapshot(stream, mark);
    if (head !== null) return head;
    let whole = freshHead(fold);
    for (const event of first) whole = foldNext(fold, whole, event);
    return isShort ? whole : readHead(log, fold, stream, whole);
  }

  async function firstEvents(stream: string): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    const page = { fromRevision: 0, maxCount: shortEvents };
    for await (const event of log.readStream(stream, page)) events.push(event);
    return events;
  }

  /** Null when there is no snapshot that can be used. */
  async function openFromSnapshot(stream: string, mark: SnapshotMark): Promise<Head<State> | null> {
    let found: Head<State>;
    try {
      const last = await log.readLast(codec.stream(stream));
      if (last === null) {
        onSnapshot({ stream, outcome: 'absent' });
        return null;
      }
      mark.ignoredId = last.id;
      found = headOf(last);
    } catch (reason) {
      onSnapshot({ stream, outcome: 'ignored', reason });
      return null;
    }
    try {
      const head = await readHead(log, fold, stream, found);
      mark.revision = found.revision;
      mark.ignoredId = null;
      onSnapshot({ stream, outcome: 'used' });
      return head;
    } catch (reason) {
      // A fold that fails may be the snapshot's fault; if it is the log's, reading from the start will say so.
      if (!(reason instanceof DifferentStoreError) && !(reason instanceof FoldError)) throw reason;
      onSnapshot({ stream, outcome: 'ignored', reason });
      return null;
    }
  }

  /** What the snapshot says; whether the log agrees is not known yet. Throws when it cannot be read. */
  function headOf(event: StoredEvent): Head<State> {
    const { at, state } = readSnapshot(event, codec.version);
    const { revision, hash } = at;
    if (!isRevision(revision) || typeof hash !== 'string')
      throw new SnapshotError('it does not say where it was taken');
    return { state: codec.decode(state), revision, hash, position: null };
  }

  function durable(stream: string, mark: SnapshotMark, head: Head<State>): void {
    if (closed || mark.writing || writes >= SNAPSHOT_WRITES_MAX) return;
    if (head.revision - mark.revision < everyEvents) return;
    mark.writing = true;
    writes += 1;
    timers.defer(() => void write(stream, mark, head));
  }

  async function write(stream: string, mark: SnapshotMark, head: Head<State>): Promise<void> {
    // Also when it fails: the next try comes with the next events, not at once.
    let covered = head.revision;
    let notice: SnapshotNotice;
    try {
      const last = await log.readLast(codec.stream(stream));
      const there = last === null || last.id === mark.ignoredId ? -1 : revisionIn(last);
      if (there > head.revision - everyEvents) {
        covered = Math.min(covered, there);
        notice = { stream, outcome: 'superseded' };
      } else {
        notice = { stream, outcome: await writeHead(stream, last, head) };
      }
    } catch (reason) {
      notice = { stream, outcome: 'not_written', reason };
    }
    mark.revision = covered;
    mark.writing = false;
    writes -= 1;
    onSnapshot(notice);
  }

  /** −1 when this version could not use it. A quick look, without proof: at worst one snapshot comes later. */
  function revisionIn({ data }: StoredEvent): number {
    const at = data['at'];
    const revision = isJsonObject(at) ? at['revision'] : undefined;
    return data['version'] === codec.version && isRevision(revision) ? revision : -1;
  }

  async function writeHead(
    stream: string,
    last: StoredEvent | null,
    { state, revision, hash }: Head<State>,
  ): Promise<SnapshotWriting> {
    const json = codec.encode(state);
    if (json === null) return 'too_large';
    const snapshot = { version: codec.version, at: { revision, hash }, state: json };
    return writeSnapshot(log, codec.stream(stream), last, snapshot);
  }

  return {
    open,
    durable,
    close() {
      closed = true;
    },
  };
}

function isRevision(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
