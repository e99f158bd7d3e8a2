/** What the finance routes may take of this process, of the store and of a caller's time. */
export interface FinanceBounds {
  /** A client that takes nothing of a stream for so long is cut: it holds one of few slots. */
  readonly stallTimeoutMs: number;
  /** How long to wait before each further try of a read that the store has failed. */
  readonly retryPausesMs: readonly number[];
}

export const FINANCE_BOUNDS: FinanceBounds = {
  stallTimeoutMs: 60_000,
  retryPausesMs: [250, 500, 1_000],
};
