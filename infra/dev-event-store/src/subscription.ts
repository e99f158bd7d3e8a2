import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { GrpcCall, GrpcStatus } from './grpc-server.ts';
import type { LogStore } from './log-store.ts';
import { caughtUpMessage, confirmationMessage } from './messages.ts';
import { callStatus } from './statuses.ts';
import type { SubscriptionSource } from './subscription-sources.ts';

/**
 * What happens to a live subscriber that does not keep up: 23.10 ends the subscription; servers since 24.2 go back to
 * reading pages, and say `caught_up` again at the end.
 */
export type SlowSubscriber = 'cut' | 'catch_up';

/**
 * Runs one subscription until its call is over: the confirmation, the past in pages, `caught_up`, then live events.
 * Whatever the client does not take in time stays in the log; nothing is queued here.
 */
export async function runSubscription(deps: SubscriptionDeps): Promise<void> {
  const { call, source, log } = deps;
  const alarm = createAlarm();
  const stopListening = log.onPublish(alarm.ring);
  call.onClosed(() => {
    stopListening();
    alarm.ring();
  });
  let live = source.startsLive;
  let silentPages = 0;
  call.write([confirmationMessage(randomUUID())]);
  if (live) call.write([caughtUpMessage()]);
  while (!call.closed) {
    const next = live ? { ...source.nextLive(), end: false } : source.nextPage();
    const messages =
      next.end && !next.deleted ? [...next.messages, caughtUpMessage()] : next.messages;
    const roomLeft = call.write(messages);
    if (next.deleted) return call.fail(callStatus.streamDeleted(deps.name));
    if (next.end) live = true;
    else if (live && messages.length === 0) await alarm.rung();
    silentPages = messages.length === 0 ? silentPages + 1 : 0;
    if (silentPages % PAGES_PER_TURN === PAGES_PER_TURN - 1) await nextTurn();
    if (roomLeft) continue;
    const tooSlow = await waitForRoom({
      call,
      alarm,
      isTooSlow: () => live && source.backlog() > LIVE_BUFFER_EVENTS,
    });
    if (!tooSlow || call.closed) continue;
    if (deps.slowSubscriber === 'cut') return call.fail(TOO_SLOW);
    call.write(source.fallBehind());
    live = false;
    await call.drained();
  }
}

/** Pages without a message that may be passed over before other calls get their turn. */
const PAGES_PER_TURN = 256;
/** The real server keeps 32 events on their way out of the live feed and 32 on their way to the client. */
const LIVE_BUFFER_EVENTS = 64;

export const TOO_SLOW: GrpcStatus = callStatus.timeout(
  'Consumer too slow to handle event while live. Client resubscription required.',
);

export interface SubscriptionDeps {
  readonly call: GrpcCall;
  readonly source: SubscriptionSource;
  readonly log: LogStore;
  /** The stream, for messages; `$all` for the whole log. */
  readonly name: string;
  readonly slowSubscriber: SlowSubscriber;
}

/** Resolves to true when the client has fallen too far behind before it made room. */
async function waitForRoom(deps: {
  call: GrpcCall;
  alarm: Alarm;
  isTooSlow: () => boolean;
}): Promise<boolean> {
  const { call, alarm, isTooSlow } = deps;
  let room = false;
  void call.drained().then(() => {
    room = true;
    alarm.ring();
  });
  while (!room) {
    await alarm.rung();
    if (!room && !call.closed && isTooSlow()) return true;
  }
  return false;
}

interface Alarm {
  ring(): void;
  /** Resolves at the next ring; rings in between count as one. */
  rung(): Promise<void>;
}

function createAlarm(): Alarm {
  let waiting: (() => void) | null = null;
  let missed = false;
  return {
    ring: () => {
      const resolve = waiting;
      waiting = null;
      if (resolve === null) missed = true;
      else resolve();
    },
    rung: () => {
      if (missed) {
        missed = false;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
  };
}
