import { randomUUID } from 'node:crypto';
import type { EventLog, EventToAppend, LiveEvent, StoredEvent } from '../event-log.ts';

/** What one run of the contract suite works with. */
export interface Context {
  readonly log: () => EventLog;
  readonly cutSubscriptions: () => (() => void) | null;
  readonly endOfLog: () => Promise<bigint | null>;
  /** Of every stream of this run. */
  readonly prefix: string;
  readonly newStream: (label?: string) => string;
}

export function newEvent(data: EventToAppend['data'] = { points: 1 }): EventToAppend {
  return { id: randomUUID(), type: 'PointsCounted', data, metadata: { command_id: randomUUID() } };
}

export function newEvents(count: number): EventToAppend[] {
  return Array.from({ length: count }, (_value, index) => newEvent({ points: index }));
}

export async function readStream(log: EventLog, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of log.readStream(stream, { fromRevision: 0 })) events.push(event);
  return events;
}

export async function revisions(
  log: EventLog,
  stream: string,
  fromRevision = 0,
  maxCount?: number,
): Promise<number[]> {
  const seen: number[] = [];
  const options = maxCount === undefined ? { fromRevision } : { fromRevision, maxCount };
  for await (const { revision } of log.readStream(stream, options)) seen.push(revision);
  return seen;
}

/** Finds where the log ends now (null = it is empty), each time from where it ended before: the log may be long. */
export function createEndOfLog(log: () => EventLog, prefix: string): () => Promise<bigint | null> {
  let position: bigint | null = null;
  return async () => {
    for (;;) {
      const page = await log().readAll({
        afterPosition: position,
        streamPrefixes: [prefix],
        maxCount: 4096,
      });
      position = page.position;
      if (page.end) return position;
    }
  };
}

export async function readAllAfter(
  log: EventLog,
  afterPosition: bigint | null,
  streamPrefixes: readonly string[],
  maxCount: number,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let position = afterPosition;
  for (;;) {
    const page = await log.readAll({ afterPosition: position, streamPrefixes, maxCount });
    if (page.position === position && !page.end)
      throw new Error('a page that neither ends nor goes on');
    events.push(...page.events);
    position = page.position;
    if (page.end) return events;
  }
}

/** Subscribes and hands over each live event until the callback answers false. */
export async function follow(
  log: EventLog,
  afterPosition: bigint | null,
  streamPrefixes: readonly string[],
  onLive: (live: LiveEvent) => Promise<boolean>,
): Promise<void> {
  const abort = new AbortController();
  for await (const live of log.subscribeAll({
    afterPosition,
    streamPrefixes,
    signal: abort.signal,
  })) {
    if (!(await onLive(live))) return;
  }
}

export async function collectUntilCaughtUp(
  log: EventLog,
  afterPosition: bigint | null,
  streamPrefixes: readonly string[],
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  await follow(log, afterPosition, streamPrefixes, async (live) => {
    if (live.kind === 'event') events.push(live.event);
    return live.kind !== 'caught_up';
  });
  return events;
}

export function isRising(positions: readonly bigint[]): boolean {
  return positions.every(
    (position, index) => index === 0 || position > (positions[index - 1] ?? position),
  );
}
