import type { Answer } from './answer.ts';
import { LedgerRefused } from './errors.ts';
import type { ClientLog } from './log.ts';

/** When nobody said how long: at least this, since a hold that was found again may be at its end. */
const MIN_TTL_MS = 60_000;
const MAX_TTL_MS = 86_400_000;
/** Between two tries to extend, also when the end is near or over. */
const MIN_PAUSE_MS = 500;
/** Refusals that say that there is nothing to extend. After any other one the work goes on. */
const GONE: ReadonlySet<string> = new Set([
  'hold_already_canceled',
  'hold_already_confirmed',
  'hold_expired',
  'hold_not_found',
  'forbidden',
]);

export interface KeepAliveDeps {
  /** For its words in the log. */
  readonly holdId: string;
  /** The life that the hold has now. */
  readonly lifeMs: number;
  /** The life that it gets each time; the one that it has now when absent. */
  readonly ttlMs?: number;
  readonly extend: (ttlMs: number) => Promise<Answer<'cmd.extend'>>;
  /** The ledger says that there is nothing to extend: the hold is gone. */
  readonly onLost: (refusal: LedgerRefused) => void;
  readonly log: ClientLog;
}

/**
 * Extends a hold each time half of its life is over, until the returned function is called or the hold has reached the
 * longest life there is. An extension that gets no answer is tried again; that the ledger cannot be reached ends no
 * work, since no hold expires meanwhile without a look at what is queued.
 */
export function keepAlive(deps: KeepAliveDeps): () => void {
  const { holdId, extend, onLost, log } = deps;
  const lifeMs = Math.min(Math.max(Math.round(deps.lifeMs), MIN_TTL_MS), MAX_TTL_MS);
  const { ttlMs = lifeMs } = deps;
  let expiresAt = '';
  /** By this process's own clock, since the answer that told it. */
  let endsMs = performance.now() + deps.lifeMs;
  let stopped = false;
  let timer = setTimeout(run, deps.lifeMs / 2);

  async function extendOnce(): Promise<void> {
    try {
      const { result, at } = await extend(ttlMs);
      if (stopped) return;
      if (result.expiresAt === expiresAt) {
        log.warn({ holdId, expiresAt }, 'this hold has reached its longest life');
        return;
      }
      expiresAt = result.expiresAt;
      endsMs = performance.now() + Date.parse(expiresAt) - Date.parse(at);
    } catch (error) {
      if (stopped) return;
      if (error instanceof LedgerRefused && GONE.has(error.code)) return onLost(error);
      log.warn({ holdId, err: error }, 'a hold could not be extended; trying again');
    }
    timer = setTimeout(run, Math.max((endsMs - performance.now()) / 2, MIN_PAUSE_MS));
  }

  function run(): void {
    void extendOnce();
  }

  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
