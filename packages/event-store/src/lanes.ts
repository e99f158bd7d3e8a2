import { createBursts } from './bursts.ts';
import { APPEND_MAX_BYTES, APPEND_MAX_EVENTS } from './eventstoredb-guards.ts';
import type { AppendResult, EventLog, EventToAppend, ExpectedRevision } from './event-log.ts';
import { NotAppendedError, OutcomeUnknownError } from './event-log.ts';
import { type EventDraft, chainEvents } from './hash-chain.ts';
import { DifferentStoreError, type Head, type LaneFold, readHead } from './lane-head.ts';
import {
  type SnapshotMark,
  type SnapshotNotice,
  createLaneSnapshots,
  newSnapshotMark,
} from './lane-snapshots.ts';
import { REAL_TIMERS, type Timers, sleepOn } from './timers.ts';

/** Commands that may wait in one lane. */
export const LANE_QUEUE_MAX = 1_024;
/** Commands that may wait in all lanes together. */
export const LANES_QUEUE_MAX = 8_192;
/** Streams whose state is kept in memory while nobody asks. */
export const LANES_CACHED_MAX = 50_000;
/** What they may weigh together (`LaneFold.weight`): half a gigabyte. */
export const LANES_WEIGHT_MAX = 1_000_000;
/** Old lanes looked at to make room for a new one; busy ones stay. */
const EVICTION_LOOKS_MAX = 64;
/** Decisions of one flush: first try, and again after each conflict. */
export const FLUSH_ATTEMPTS_MAX = 5;
/** How long callers wait for one append before they hear `outcome_unknown`. */
export const APPEND_PATIENCE_MS = 1_500;
/** Between two resends of an append whose outcome is unknown: doubles from the first to the second. */
export const RESEND_PAUSE_MIN_MS = 50;
export const RESEND_PAUSE_MAX_MS = 2_000;

/** What a decision on the current state came to. */
export type Judgement<State, Answer> =
  /** Append these events; `state` is the state after them. */
  | {
      readonly kind: 'append';
      readonly drafts: readonly EventDraft[];
      readonly state: State;
      readonly answer: (placed: Placed) => Answer;
    }
  /** Append nothing. `needsTail`: true only of the newest state, so another writer's events must be looked for first. */
  | {
      readonly kind: 'answer';
      readonly needsTail: boolean;
      readonly answer: (at: StatePlace) => Answer;
    };

/** The last event of the state that an answer rests on. */
export interface StatePlace {
  /** −1 = no events yet. */
  readonly revision: number;
  /** Null before the first event, and when the store could not tell it. */
  readonly position: bigint | null;
}

/** Where a command's events came to stand. */
export interface Placed {
  readonly events: readonly EventToAppend[];
  readonly firstRevision: number;
  /** Commit position of the append that carried them; null when the store could not say. */
  readonly position: bigint | null;
}

/** Decides on the newest state. Pure; called again after a conflict. Throwing is a bug and ends only this command. */
export type Judge<State, Answer> = (state: State) => Judgement<State, Answer>;

export type LaneTrouble = 'overloaded' | 'contention' | 'store_unavailable' | 'outcome_unknown';

/** Why a command got no decision. Only `outcome_unknown` may have been written. */
export class LaneError extends Error {
  override readonly name = 'LaneError';
  readonly trouble: LaneTrouble;
  constructor(trouble: LaneTrouble, cause?: unknown) {
    super(trouble, { cause });
    this.trouble = trouble;
  }
}

export interface Lanes<State> {
  /**
   * Judges in the lane of `stream`, after everything submitted to it before. The answer leaves only when the events it
   * rests on are durable. `key` names the command (its id): a repeat during an unknown outcome hears `outcome_unknown`.
   * Rejects with `LaneError`.
   */
  submit<Answer>(stream: string, key: string, judge: Judge<State, Answer>): Promise<Answer>;
  queued(): number;
  cached(): number;
  /** Streams whose last append has an unknown outcome. */
  frozen(): number;
  /** Refuses new commands and waits until every lane is idle, at most `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

export interface LanesDeps<State> {
  readonly log: EventLog;
  readonly fold: LaneFold<State>;
  /** No other process writes these streams, so refusals and queries need no look at the tail. */
  readonly singleWriter: boolean;
  /** Called with a `DifferentStoreError`, or with a bug: the process should end. */
  readonly onFatal: (error: unknown) => void;
  readonly cachedMax?: number;
  readonly weightMax?: number;
  readonly patienceMs?: number;
  readonly timers?: Timers;
  /** What becomes of snapshots, if the fold has any. */
  readonly onSnapshot?: (notice: SnapshotNotice) => void;
}

interface Entry<State> {
  readonly key: string;
  readonly judge: Judge<State, unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane<State> {
  readonly stream: string;
  /** Always durable; null = not read yet. */
  head: Head<State> | null;
  readonly snapshots: SnapshotMark;
  queue: Entry<State>[];
  running: boolean;
  /** Of its state after its latest flush. */
  weight: number;
  /** Another process is known to have written: look at the tail before anything else. */
  stale: boolean;
  /** Keys of the commands in an append of unknown outcome; null when there is none. */
  frozen: ReadonlySet<string> | null;
}

interface Flush<State> {
  readonly events: readonly EventToAppend[];
  readonly head: Head<State>;
  /** One for each command taken. */
  readonly answers: readonly {
    readonly entry: Entry<State>;
    readonly appends: boolean;
    readonly answer: (position: bigint | null) => unknown;
  }[];
  readonly needsTail: boolean;
}

/**
 * One lane per stream. One append is in flight per lane; commands that arrive meanwhile are decided one after another
 * on the state they will find, and leave together as the next append. Streams append in parallel, in bursts.
 *
 *  idle ──submit──► deciding ──append──► in flight ──acknowledged──► reply, decide what has gathered
 *                      ▲                    ├─ conflict: another process wrote; read the tail, decide all again
 *                      │                    ├─ refused, surely not written: `store_unavailable`
 *                      └──── settled ◄── frozen: outcome unknown; the identical append is sent until it is
 *                                         acknowledged or conflicts. Not finding it in the tail would prove nothing:
 *                                         it may still be on its way.
 */
export function createLanes<State>(deps: LanesDeps<State>): Lanes<State> {
  const { log, fold } = deps;
  const cachedMax = deps.cachedMax ?? LANES_CACHED_MAX;
  const weightMax = deps.weightMax ?? LANES_WEIGHT_MAX;
  const patienceMs = deps.patienceMs ?? APPEND_PATIENCE_MS;
  const timers = deps.timers ?? REAL_TIMERS;
  const append = createBursts(log, timers);
  const snapshots = createLaneSnapshots({
    log,
    fold,
    timers,
    onSnapshot: deps.onSnapshot ?? (() => undefined),
  });
  const lanes = new Map<string, Lane<State>>();
  const active = new Set<Promise<void>>();
  const closing = new AbortController();
  let queued = 0;
  let weight = 0;
  let frozenCount = 0;

  function submit<Answer>(
    stream: string,
    key: string,
    judge: Judge<State, Answer>,
  ): Promise<Answer> {
    if (closing.signal.aborted)
      return Promise.reject(new LaneError('store_unavailable', new Error('closing')));
    const lane = touch(stream);
    if (lane.frozen !== null)
      return Promise.reject(
        new LaneError(lane.frozen.has(key) ? 'outcome_unknown' : 'store_unavailable'),
      );
    if (lane.queue.length >= LANE_QUEUE_MAX || queued >= LANES_QUEUE_MAX)
      return Promise.reject(new LaneError('overloaded'));
    queued += 1;
    return new Promise((resolve, reject) => {
      // The lane keeps answers of many types; each goes back to the caller whose judge made it.
      lane.queue.push({ key, judge, resolve: (answer) => resolve(answer as Answer), reject });
      if (!lane.running) start(lane);
    });
  }

  /** The stream's lane, moved to the young end; the oldest idle ones make room. */
  function touch(stream: string): Lane<State> {
    const lane = lanes.get(stream) ?? {
      stream,
      head: null,
      snapshots: newSnapshotMark(),
      queue: [],
      running: false,
      weight: 0,
      stale: false,
      frozen: null,
    };
    lanes.delete(stream);
    lanes.set(stream, lane);
    let looked = 0;
    for (const [name, old] of lanes) {
      const fits = lanes.size <= cachedMax && weight <= weightMax;
      if (fits || (looked += 1) > EVICTION_LOOKS_MAX) break;
      if (old.running || old === lane) continue;
      lanes.delete(name);
      weight -= old.weight;
    }
    return lane;
  }

  function weigh(lane: Lane<State>): void {
    const weighs = lane.head === null ? 0 : (fold.weight?.(lane.head.state) ?? 1);
    weight += weighs - lane.weight;
    lane.weight = weighs;
  }

  function start(lane: Lane<State>): void {
    lane.running = true;
    const run = drain(lane).catch(deps.onFatal);
    active.add(run);
    void run.finally(() => active.delete(run));
  }

  async function drain(lane: Lane<State>): Promise<void> {
    try {
      while (lane.queue.length > 0) {
        await flush(lane);
        weigh(lane);
      }
    } catch (error) {
      for (const entry of takeQueue(lane)) entry.reject(new LaneError('store_unavailable', error));
      lane.head = null;
      throw error;
    } finally {
      lane.running = false;
    }
  }

  async function flush(lane: Lane<State>): Promise<void> {
    let fresh = false;
    for (let attempt = 1; attempt <= FLUSH_ATTEMPTS_MAX; attempt += 1) {
      try {
        let { head } = lane;
        if (head === null || lane.stale) {
          head = await readTail(lane);
          fresh = true;
        }
        const plan = decideQueue(lane, head);
        if (plan.events.length === 0) {
          if (plan.needsTail && !fresh && !deps.singleWriter) {
            const tail = await readTail(lane);
            fresh = true;
            if (tail.revision !== head.revision) continue;
          }
          reply(lane, plan, head.position);
          return;
        }
        const result = await send(lane, plan);
        if (result === 'settled') return;
        if (result.outcome === 'appended') {
          moveTo(lane, { ...plan.head, position: result.position });
          reply(lane, plan, result.position);
          return;
        }
        lane.stale = true;
      } catch (error) {
        if (error instanceof DifferentStoreError) throw error;
        for (const entry of takeQueue(lane))
          entry.reject(new LaneError('store_unavailable', error));
        return;
      }
    }
    for (const entry of takeQueue(lane)) entry.reject(new LaneError('contention'));
  }

  /** Reads on to the stream's end; a cold stream from its snapshot, if it has one that fits. */
  async function readTail(lane: Lane<State>): Promise<Head<State>> {
    const head =
      lane.head === null
        ? await snapshots.open(lane.stream, lane.snapshots)
        : await readHead(log, fold, lane.stream, lane.head);
    lane.stale = false;
    moveTo(lane, head);
    return head;
  }

  function moveTo(lane: Lane<State>, head: Head<State>): void {
    lane.head = head;
    snapshots.durable(lane.stream, lane.snapshots, head);
  }

  /** Decides the queue from its front, as many commands as one append carries. Nothing leaves the queue yet. */
  function decideQueue(lane: Lane<State>, head: Head<State>): Flush<State> {
    const drafts: EventDraft[] = [];
    const answers: {
      entry: Entry<State>;
      judgement: Judgement<State, unknown>;
      from: number;
      revision: number;
    }[] = [];
    let state = head.state;
    let bytes = 0;
    let needsTail = false;
    for (const entry of [...lane.queue]) {
      const judgement = judgeSafely(lane, entry, state);
      if (judgement === null) continue;
      const from = drafts.length;
      if (judgement.kind === 'append') {
        const size = draftBytes(judgement.drafts);
        const full =
          from + judgement.drafts.length > APPEND_MAX_EVENTS || bytes + size > APPEND_MAX_BYTES;
        if (full && answers.length > 0) break;
        bytes += size;
        drafts.push(...judgement.drafts);
        state = judgement.state;
      } else {
        needsTail ||= judgement.needsTail;
      }
      answers.push({ entry, judgement, from, revision: head.revision + drafts.length });
    }
    const events = chainEvents(lane.stream, head.revision + 1, head.hash, drafts);
    return {
      events,
      head: {
        state,
        revision: head.revision + events.length,
        hash: events.at(-1)?.metadata['hash'] ?? head.hash,
        position: head.position,
      },
      needsTail,
      answers: answers.map(({ entry, judgement, from, revision }) => ({
        entry,
        appends: judgement.kind === 'append',
        answer: (position) => {
          if (judgement.kind === 'answer') return judgement.answer({ revision, position });
          const own = events.slice(from, from + judgement.drafts.length);
          return judgement.answer({
            events: own,
            firstRevision: head.revision + 1 + from,
            position,
          });
        },
      })),
    };
  }

  /** A judge that throws is a bug of that command alone: its caller hears of it, the others go on. */
  function judgeSafely(
    lane: Lane<State>,
    entry: Entry<State>,
    state: State,
  ): Judgement<State, unknown> | null {
    try {
      return entry.judge(state);
    } catch (error) {
      lane.queue.splice(lane.queue.indexOf(entry), 1);
      queued -= 1;
      entry.reject(error);
      return null;
    }
  }

  /** Appends; `settled` when callers have been answered already because the outcome was unknown for a while. */
  async function send(lane: Lane<State>, plan: Flush<State>): Promise<AppendResult | 'settled'> {
    const expected = expectedRevision(plan.head.revision - plan.events.length);
    const sent = append(lane.stream, plan.events, expected);
    let stopWaiting = (): void => undefined;
    const impatient = new Promise<'unknown'>((resolve) => {
      stopWaiting = timers.after(patienceMs, () => resolve('unknown'));
    });
    try {
      const first = await Promise.race([sent, impatient]);
      if (first !== 'unknown') return first;
    } catch (error) {
      if (!(error instanceof OutcomeUnknownError)) throw error;
    } finally {
      stopWaiting();
    }
    freeze(lane, plan);
    try {
      const result = await resolveUnknown(lane, plan, expected, sent);
      if (result !== null && result.outcome === 'appended')
        moveTo(lane, { ...plan.head, position: result.position });
      lane.stale = result?.outcome === 'conflict';
    } finally {
      lane.frozen = null;
      frozenCount -= 1;
    }
    return 'settled';
  }

  function freeze(lane: Lane<State>, plan: Flush<State>): void {
    // Refusals and queries decided in the same flush have appended nothing.
    lane.frozen = new Set(
      plan.answers.filter(({ appends }) => appends).map(({ entry }) => entry.key),
    );
    frozenCount += 1;
    for (const entry of takeQueue(lane)) {
      entry.reject(
        new LaneError(lane.frozen.has(entry.key) ? 'outcome_unknown' : 'store_unavailable'),
      );
    }
  }

  /** Null = surely not written. */
  async function resolveUnknown(
    lane: Lane<State>,
    plan: Flush<State>,
    expected: ExpectedRevision,
    first: Promise<AppendResult>,
  ): Promise<AppendResult | null> {
    let sent = first;
    for (let resend = 0; ; resend += 1) {
      try {
        return await sent;
      } catch (error) {
        // A first attempt that surely wrote nothing settles it; a resend proves nothing about the attempts before.
        if (error instanceof NotAppendedError && resend === 0) return null;
        if (!(error instanceof NotAppendedError) && !(error instanceof OutcomeUnknownError))
          throw error;
      }
      const pauseMs = Math.min(
        RESEND_PAUSE_MAX_MS,
        RESEND_PAUSE_MIN_MS * 2 ** Math.min(resend, 10),
      );
      await sleepOn(timers, pauseMs * (0.5 + timers.random() / 2), closing.signal);
      sent = append(lane.stream, plan.events, expected);
    }
  }

  /** Takes the plan's commands from the queue and answers them. */
  function reply(lane: Lane<State>, plan: Flush<State>, position: bigint | null): void {
    lane.queue.splice(0, plan.answers.length);
    queued -= plan.answers.length;
    for (const { entry, answer } of plan.answers) {
      try {
        entry.resolve(answer(position));
      } catch (error) {
        entry.reject(error);
      }
    }
  }

  function takeQueue(lane: Lane<State>): Entry<State>[] {
    const entries = lane.queue;
    lane.queue = [];
    queued -= entries.length;
    return entries;
  }

  return {
    submit,
    queued: () => queued,
    cached: () => lanes.size,
    frozen: () => frozenCount,
    async close(timeoutMs) {
      closing.abort();
      snapshots.close();
      let stopWaiting = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        stopWaiting = timers.after(timeoutMs, resolve);
      });
      await Promise.race([Promise.allSettled(active), late]);
      stopWaiting();
    },
  };
}

function expectedRevision(lastRevision: number): ExpectedRevision {
  return lastRevision < 0 ? 'no_stream' : lastRevision;
}

function draftBytes(drafts: readonly EventDraft[]): number {
  let bytes = 0;
  for (const draft of drafts) bytes += Buffer.byteLength(JSON.stringify(draft)) + CHAIN_BYTES;
  return bytes;
}

/** `prev_hash` and `hash` with their names, added to each event's metadata. */
const CHAIN_BYTES = 200;
