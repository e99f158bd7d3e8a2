import type { Clock } from '@points/runtime/clock';

/** How often the connection is looked at. */
const LOOK_EVERY_MS = 500;

export interface Watermark {
  /** Everything that callers queued before this time has been decided; null = not known. */
  current(): number | null;
  stop(): void;
}

/**
 * Up to when settlements are known to have arrived. Requests reach the ledger at once while NATS is connected, so that
 * is now; after a time without NATS callers' outboxes first get `quietMs` to empty, and nothing expires meanwhile.
 */
export function watchWatermark(deps: {
  readonly isConnected: () => boolean;
  readonly clock: Clock;
  readonly quietMs: number;
}): Watermark {
  let connectedSinceMs: number | null = null;
  const look = (): void => {
    if (!deps.isConnected()) connectedSinceMs = null;
    else connectedSinceMs ??= deps.clock.now();
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  return {
    current() {
      look();
      const nowMs = deps.clock.now();
      return connectedSinceMs !== null && nowMs - connectedSinceMs >= deps.quietMs ? nowMs : null;
    },
    stop: () => clearInterval(timer),
  };
}
