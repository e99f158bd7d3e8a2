import { describe, expect, it } from 'vitest';
import { LedgerUnavailable, type UnavailableReason } from './errors.ts';
import { ASKING_AGAIN, pauseBeforeRetry, SETTLING, WAITING } from './retry-policy.ts';

const failed = (reason: UnavailableReason, retryAfterMs = 0) =>
  new LedgerUnavailable(reason, 'test', { applied: 'no', retryAfterMs });

describe('pauseBeforeRetry', () => {
  it.each([
    // reason, retryAfterMs, tries, elapsedMs, chance → pause
    ['timeout', 0, 1, 2_000, 0.5, 100],
    ['timeout', 0, 1, 2_000, 0, 50],
    ['timeout', 0, 1, 2_000, 1, 150],
    ['timeout', 0, 2, 4_100, 0.5, 300],
    ['timeout', 0, 3, 4_400, 0.5, null],
    ['no_responders', 0, 1, 1, 0.5, 250],
    ['no_responders', 0, 2, 252, 1, 450],
    ['disconnected', 0, 1, 1, 0.5, 100],
    ['ledger_unavailable', 500, 1, 1, 0.5, 500],
    ['ledger_unavailable', 50, 1, 1, 0.5, 100],
    ['ledger_unavailable', 500, 2, 4_500, 0.5, null],
    ['not_connected', 0, 1, 1, 0.5, null],
    ['not_permitted', 0, 1, 1, 0.5, null],
    ['not_sent', 0, 1, 1, 0.5, null],
    ['bad_reply', 0, 1, 1, 0.5, null],
    ['too_many_requests', 0, 1, 1, 0.5, null],
    ['closed', 0, 1, 1, 0.5, null],
  ] as const)(
    '%s, retry after %i: try %i at %i ms → %s',
    (reason, after, tries, elapsedMs, chance, pause) => {
      expect(pauseBeforeRetry(WAITING, failed(reason, after), { tries, elapsedMs, chance })).toBe(
        pause,
      );
    },
  );

  it('a policy of one try never pauses', () => {
    const now = { tries: 1, elapsedMs: 0, chance: 0 };
    expect(pauseBeforeRetry(ASKING_AGAIN, failed('timeout'), now)).toBeNull();
  });

  it('three silent tries of two seconds fit into the time of a settlement', () => {
    const second = { tries: 2, elapsedMs: 4_150, chance: 1 };
    expect(pauseBeforeRetry(SETTLING, failed('timeout'), second)).toBe(450);
    expect(4_150 + 450 + SETTLING.tryTimeoutMs).toBeLessThan(SETTLING.totalMs);
  });
});
