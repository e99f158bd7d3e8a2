/** What the finance routes may take of this process, of the store and of a caller's time. */
export interface FinanceBounds {
  /** A client that takes nothing of a stream for so long is cut: it holds one of few slots. */
  readonly stallTimeoutMs: number;
  /** How long to wait before each further try of a read that the store has failed. */
  readonly retryPausesMs: readonly number[];
  /** A report of one account that takes longer is given up. */
  readonly accountDeadlineMs: number;
  /** A report of the whole ledger that takes longer is given up: the command line has all the time. */
  readonly ledgerDeadlineMs: number;
}

export const FINANCE_BOUNDS: FinanceBounds = {
  stallTimeoutMs: 60_000,
  retryPausesMs: [250, 500, 1_000],
  accountDeadlineMs: 30_000,
  ledgerDeadlineMs: 120_000,
};
