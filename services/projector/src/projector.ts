import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { StoreUnavailableError, SubscriptionEndedError } from '@points/event-store/event-log';
import type { EventLog } from '@points/event-store/event-log';
import type { Timers } from '@points/event-store/timers';
import type { Log } from '@points/runtime/log';
import type { EventBatch } from './apply.ts';
import type { Backoff } from './backoff.ts';
import { checkSameLog } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { createInbox } from './inbox.ts';
import type { Inbox, InboxLimits } from './inbox.ts';

export interface ProjectLogDeps {
  readonly eventLog: EventLog;
  readonly tables: Tables;
  readonly log: Log;
  readonly limits: InboxLimits;
  readonly backoff: Backoff;
  readonly timers: Timers;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What the log is applied to: the read tables, by the session that holds the lock of the active projector. */
export interface Tables {
  /** Null when nothing was ever applied. */
  checkpoint(): Promise<Checkpoint | null>;
  /** Rows and checkpoint in one transaction. Throws CheckpointMovedError when the checkpoint is not `expected`. */
  apply(expected: Checkpoint | null, batch: EventBatch): Promise<Checkpoint>;
}

/** Is told how it goes. */
export interface Progress {
  /** `events` were applied; null = nothing was ever applied. */
  applied(checkpoint: Checkpoint | null, events: number): void;
  waiting(events: number): void;
  catchingUp(): void;
  live(): void;
  failed(error: unknown): void;
}

/**
 * Applies the log to the read tables until `signal` is aborted: by pages as long as it is behind, then from a live
 * subscription. Whatever ends a subscription, what it delivered is applied first and reading goes on from there.
 *
 * Reading always starts after the last event that was applied, not at the checkpoint: the stretch between holds
 * nothing of ours in this log, but would in one that was restored from a copy, and then it must not be skipped.
 *
 * Throws whatever makes the session useless or the next event inapplicable: StoppedError, OtherLogError,
 * CheckpointMovedError, pg's errors. An event store that is away is waited for.
 */
export async function projectLog(deps: ProjectLogDeps): Promise<void> {
  const { eventLog, tables, log, backoff, progress, signal } = deps;
  let checkpoint = await tables.checkpoint();
  progress.applied(checkpoint, 0);

  const apply = async (batch: EventBatch): Promise<void> => {
    const isNews = checkpoint === null || batch.position > checkpoint.position;
    if (batch.events.length === 0 && !isNews) return;
    checkpoint = await tables.apply(checkpoint, batch);
    if (batch.events.length > 0) backoff.reset();
    progress.applied(checkpoint, batch.events.length);
  };

  while (!signal.aborted) {
    try {
      progress.catchingUp();
      if (checkpoint !== null) await checkSameLog(eventLog, checkpoint, signal);
      const reached = await catchUp(
        { eventLog, signal, batchEvents: deps.limits.batchEvents },
        checkpoint?.event?.position ?? null,
        apply,
      );
      progress.live();
      if ((await follow(deps, reached, apply)) === 'behind') continue;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof StoreUnavailableError || error instanceof SubscriptionEndedError)) {
        throw error;
      }
      log.warn({ err: error }, 'event store does not answer; trying again');
      if (error instanceof StoreUnavailableError) progress.failed(error);
    }
    await backoff.wait(signal);
  }
}

type Apply = (batch: EventBatch) => Promise<void>;

/** Applies page after page, reading one ahead, until the end of the log; gives the position reached. */
export async function catchUp(
  {
    eventLog,
    batchEvents,
    signal,
  }: Pick<ProjectLogDeps, 'eventLog' | 'signal'> & { readonly batchEvents: number },
  from: bigint | null,
  apply: Apply,
): Promise<bigint | null> {
  const read = (afterPosition: bigint | null) => {
    const page = eventLog.readAll({
      afterPosition,
      streamPrefixes: LEDGER_STREAM_PREFIXES,
      maxCount: batchEvents,
      signal,
    });
    // It may fail while nobody waits for it yet; whoever waits then is told.
    page.catch(() => undefined);
    return page;
  };
  let next = read(from);
  for (;;) {
    const { events, position, end } = await next;
    signal.throwIfAborted();
    if (position === null) return null;
    if (!end) next = read(position);
    await apply({ events, position });
    if (end) return position;
  }
}

/** Applies what the live subscription delivers. `behind`: more came than could be applied, so read pages again. */
async function follow(
  deps: ProjectLogDeps,
  from: bigint | null,
  apply: Apply,
): Promise<'behind' | 'stopped'> {
  const inbox = createInbox(deps.limits, deps.timers);
  const leave = new AbortController();
  const signal = AbortSignal.any([deps.signal, leave.signal]);
  const receiving = receive(deps, from, inbox, signal);
  // It may fail long before it is waited for below.
  receiving.catch(() => undefined);
  try {
    for (let batch = await inbox.take(); batch !== null; batch = await inbox.take()) {
      deps.progress.waiting(batch.events.length + inbox.waiting());
      await apply(batch);
      deps.progress.waiting(inbox.waiting());
    }
  } finally {
    leave.abort();
    await receiving.catch(() => undefined);
  }
  return receiving;
}

async function receive(
  { eventLog, backoff }: ProjectLogDeps,
  from: bigint | null,
  inbox: Inbox,
  signal: AbortSignal,
): Promise<'behind' | 'stopped'> {
  let last = from;
  try {
    const subscription = eventLog.subscribeAll({
      afterPosition: from,
      streamPrefixes: LEDGER_STREAM_PREFIXES,
      signal,
    });
    for await (const item of subscription) {
      if (item.kind === 'caught_up') {
        backoff.reset();
        continue;
      }
      const position = item.kind === 'event' ? item.event.position : item.position;
      // Positions only rise: what does not was delivered twice.
      if (last !== null && position <= last) continue;
      last = position;
      if (item.kind === 'checkpoint') inbox.lookedTo(position);
      else if (!inbox.put(item.event)) return 'behind';
    }
    return 'stopped';
  } finally {
    inbox.close();
  }
}
