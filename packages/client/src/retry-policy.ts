import type { LedgerUnavailable, UnavailableReason } from './errors.ts';

/** How often and how long a request is tried. Every try is the identical request: the same ids mean the same thing. */
export interface RetryPolicy {
  readonly maxTries: number;
  readonly tryTimeoutMs: number;
  /** From the first try; no try begins after it, and none waits longer. */
  readonly totalMs: number;
}

/** Somebody waits for the answer. */
export const WAITING: RetryPolicy = { maxTries: 3, tryTimeoutMs: 2_000, totalMs: 5_000 };
/** The work is done; there is a second way if this one fails. */
export const SETTLING: RetryPolicy = { maxTries: 3, tryTimeoutMs: 2_000, totalMs: 7_000 };
/** One look whether the ledger answers again. */
export const ASKING_AGAIN: RetryPolicy = { maxTries: 1, tryTimeoutMs: 2_000, totalMs: 2_000 };

/** Before the second and the third try, when the last one got no answer; each is varied by half of it. */
const PAUSES_MS = [100, 300];
const LAST_PAUSE_MS = 300;
const PAUSE_SPREAD = 0.5;
/** Nobody listens: a ledger is being restarted, which takes longer than a lost message. */
const NO_RESPONDERS_PAUSE_MS = 250;

/**
 * How long to wait before the next try, or null: give up. `chance` is from 0 to 1 and spreads callers that failed
 * together.
 */
export function pauseBeforeRetry(
  policy: RetryPolicy,
  failure: LedgerUnavailable,
  { tries, elapsedMs, chance }: { tries: number; elapsedMs: number; chance: number },
): number | null {
  if (!WORTH_RETRYING[failure.reason] || tries >= policy.maxTries) return null;
  const base = PAUSES_MS[tries - 1] ?? LAST_PAUSE_MS;
  const spread = base * (1 - PAUSE_SPREAD + 2 * PAUSE_SPREAD * chance);
  const least = failure.reason === 'no_responders' ? NO_RESPONDERS_PAUSE_MS : failure.retryAfterMs;
  const pauseMs = Math.max(spread, least);
  return elapsedMs + pauseMs < policy.totalMs ? pauseMs : null;
}

const WORTH_RETRYING: Record<UnavailableReason, boolean> = {
  no_responders: true,
  timeout: true,
  disconnected: true,
  ledger_unavailable: true,
  // At once, so that the caller can do something else meanwhile.
  not_connected: false,
  not_permitted: false,
  not_sent: false,
  bad_reply: false,
  too_many_requests: false,
  closed: false,
};
