import type { Metrics } from '@points/runtime/metrics';
import { HttpError } from './error-body.ts';

/** How long a read waits for a position before it answers with what is there. */
const WAIT_TIMEOUT_MS = 2_000;
/** Reads that wait at the same time; one more is refused. */
const MAX_WAITERS = 1_000;

export interface PositionWaitDeps {
  /** The applied position as it stands in the read tables; rejects when they cannot be read. */
  readonly readPosition: () => Promise<bigint>;
  readonly metrics: Metrics;
  readonly timeoutMs?: number;
  readonly maxWaiters?: number;
}

export interface PositionWait {
  /**
   * Resolves with the applied position as soon as it has reached `wanted`, and after 2 s with what it then is. Rejects
   * when the read tables cannot be asked, and with `overloaded` when too many wait already.
   */
  readonly waitFor: (wanted: bigint) => Promise<bigint>;
  /** The projector has announced this position. */
  readonly announce: (position: bigint) => void;
  /** Announcements may have been missed: what is known counts for nothing any more, and waiters look again. */
  readonly forget: () => void;
}

interface Waiter {
  readonly wanted: bigint;
  readonly wake: () => void;
}

/** Lets reads wait for the projector, by its announcements; the read tables have the last word. */
export function createPositionWait(deps: PositionWaitDeps): PositionWait {
  const { readPosition, metrics, timeoutMs = WAIT_TIMEOUT_MS, maxWaiters = MAX_WAITERS } = deps;
  const waiters = new Set<Waiter>();
  const waiting = metrics.gauge('position_waiters', 'Reads that wait for a log position');
  const inVain = metrics.counter(
    'position_waits_in_vain',
    'Reads whose position was not applied in time',
  );
  let known = -1n;

  const announce = (position: bigint) => {
    if (position <= known) return;
    known = position;
    for (const waiter of waiters) {
      if (waiter.wanted <= position) waiter.wake();
    }
  };
  const look = async () => {
    const position = await readPosition();
    announce(position);
    return position;
  };

  const waitFor = async (wanted: bigint) => {
    if (wanted <= known) return known;
    if (waiters.size >= maxWaiters) throw new HttpError('overloaded');
    let timer: NodeJS.Timeout | undefined;
    let waiter: Waiter | undefined;
    const woken = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
      waiter = { wanted, wake: resolve };
      waiters.add(waiter);
    });
    try {
      // After it was added: whatever is announced from now on wakes it, whatever was before is seen here.
      const position = await look();
      if (wanted <= position) return position;
      waiting.set(waiters.size);
      await woken;
    } finally {
      clearTimeout(timer);
      if (waiter !== undefined) waiters.delete(waiter);
      waiting.set(waiters.size);
    }
    if (wanted <= known) return known;
    inVain.inc();
    return look();
  };

  const forget = () => {
    known = -1n;
    if (waiters.size > 0) void look().catch(() => undefined);
  };
  return { waitFor, announce, forget };
}
