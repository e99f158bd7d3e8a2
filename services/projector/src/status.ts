import type { Progress } from './follow-log.ts';

export interface FollowerStatus {
  /**
   * `starting` no connection yet · `standby` another one is active, this one waits to take over ·
   * `catching_up` reading pages · `live` following the log · `waiting` for something to be mended, see `reason` ·
   * `stopped` by `stop`.
   */
  readonly state: 'starting' | 'standby' | 'catching_up' | 'live' | 'waiting' | 'stopped';
  /** Null when all is well. */
  readonly reason: string | null;
  /** All is well: live, or ready to take over, and the same a moment ago if it is only reading up after a cut. */
  readonly ready: boolean;
  /** Everything in the log up to here is applied (the relay: published); null before the first event. */
  readonly position: bigint | null;
  /** Events received and not applied (published) yet. */
  readonly waitingEvents: number;
  /** Events applied (published) since this process started. */
  readonly appliedEvents: number;
}

/** Turns what happens into a status; `onStatus` is told of every change. */
export function createStatus(onStatus?: (status: FollowerStatus) => void) {
  let status: Omit<FollowerStatus, 'ready'> = {
    state: 'starting',
    reason: null,
    position: null,
    waitingEvents: 0,
    appliedEvents: 0,
  };
  let wasLive = false;
  let resolveReady = (): void => undefined;
  const firstReady = new Promise<void>((resolve) => {
    resolveReady = resolve;
  });
  const change = (changes: Partial<typeof status>): void => {
    status = { ...status, ...changes };
    if (isReady()) resolveReady();
    onStatus?.(current());
  };
  const isReady = (): boolean =>
    status.state === 'live' ||
    status.state === 'standby' ||
    (status.state === 'catching_up' && wasLive);

  const current = (): FollowerStatus => ({ ...status, ready: isReady() });

  const progress: Progress = {
    applied(position, events) {
      change({ position, appliedEvents: status.appliedEvents + events });
    },
    waiting: (waitingEvents) => change({ waitingEvents }),
    catchingUp: () => change({ state: 'catching_up' }),
    live() {
      wasLive = true;
      change({ state: 'live', reason: null });
    },
    failed(error) {
      wasLive = false;
      change({ state: 'waiting', reason: messageOf(error) });
    },
  };
  return {
    progress,
    firstReady,
    standby: () => change({ state: 'standby', reason: null }),
    stopped: () => change({ state: 'stopped', reason: null }),
    status: current,
  };
}

/** A refused connection is an AggregateError without words of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}
