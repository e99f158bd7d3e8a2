/**
 * What the projector and the readers of its tables agree on beside the tables: names and numbers inside PostgreSQL.
 */

/** The row of `projection_checkpoints` that says how far the read tables are. */
export const READ_CHECKPOINT = 'read';

/** The row of `relay_marks`. */
export const RELAY_MARK = 'LEDGER_EVT';

/** Whoever waits for a position listens here; the payload is the applied position as a decimal. */
export const POSITION_CHANNEL = 'points_position';

/**
 * Numbers of advisory locks (first: this system; second: what for).
 * `active` is held by the one projector that writes, on its session. `swap` is held shared by each transaction of the
 * projector and exclusively while a rebuild puts its tables in the place of the old ones. `rebuild` is held by a rebuild,
 * `sweeper` by the one ledger that looks for what is due, `relay` by the one relay that publishes facts, `reconcile` by the
 * one projector that compares the read tables with the log.
 */
export const LOCKS = {
  active: [7_064_878, 1],
  swap: [7_064_878, 2],
  rebuild: [7_064_878, 3],
  sweeper: [7_064_878, 4],
  relay: [7_064_878, 5],
  reconcile: [7_064_878, 6],
} as const;
