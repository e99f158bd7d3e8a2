import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { StoreUnavailableError, SubscriptionEndedError } from '@points/event-store/event-log';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import type { Timers } from '@points/event-store/timers';
import type { Log } from '@points/runtime/log';
import type { Backoff } from './backoff.ts';
import { createInbox } from './inbox.ts';
import type { Inbox, InboxLimits } from './inbox.ts';

export interface FollowLogDeps {
  readonly eventLog: EventLog;
  readonly log: Log;
  readonly limits: InboxLimits;
  readonly backoff: Backoff;
  readonly timers: Timers;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Is told how it goes. */
export interface Progress {
  /** Everything up to here is done, `events` more than before; null = nothing was ever done. */
  applied(position: bigint | null, events: number): void;
  waiting(events: number): void;
  catchingUp(): void;
  live(): void;
  failed(error: unknown): void;
}

/** Events in log order, and how far the log has been looked through (not before the last of them). */
export interface EventBatch {
  readonly events: readonly StoredEvent[];
  readonly position: bigint;
}

export type Apply = (batch: EventBatch) => Promise<void>;

/** What is done with the log. */
export interface LogConsumer {
  /** The position to read on after, null = from the start; asked again after whatever went wrong. */
  open(): Promise<bigint | null>;
  apply: Apply;
  /** Whether an error of `open` or `apply` passes by itself, so that it is waited out here. */
  isPassing(error: unknown): boolean;
}

/**
 * Gives the ledger's events to `consumer` until `signal` is aborted: by pages as long as it is behind, then from a live
 * subscription. Whatever ends a subscription, what it delivered is applied first and reading goes on from there. An
 * event store that is away is waited for. Throws what `consumer` throws, unless that passes by itself.
 */
export async function followLog(deps: FollowLogDeps, consumer: LogConsumer): Promise<void> {
  const { eventLog, log, backoff, progress, signal } = deps;
  while (!signal.aborted) {
    try {
      progress.catchingUp();
      const from = await consumer.open();
      const read = { eventLog, signal, batchEvents: deps.limits.batchEvents };
      const reached = await catchUp(read, from, consumer.apply);
      progress.live();
      if ((await follow(deps, reached, consumer.apply)) === 'behind') continue;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof StoreUnavailableError || consumer.isPassing(error)) {
        progress.failed(error);
      } else if (!(error instanceof SubscriptionEndedError)) {
        throw error;
      }
      log.warn({ err: error }, 'the log cannot be followed; trying again');
    }
    await backoff.wait(signal);
  }
}

/** Applies page after page, reading one ahead, until the end of the log; gives the position reached. */
export async function catchUp(
  {
    eventLog,
    batchEvents,
    signal,
  }: Pick<FollowLogDeps, 'eventLog' | 'signal'> & { readonly batchEvents: number },
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
  deps: FollowLogDeps,
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
  { eventLog, backoff }: FollowLogDeps,
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
