/** Where a process takes the time from; tests pass their own. */
export type Clock = {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now: () => number;
};

export const systemClock: Clock = { now: () => Date.now() };
