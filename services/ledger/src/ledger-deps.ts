import type { Account } from '@points/domain/account/account';
import { type AccountLimits, DEFAULT_LIMITS } from '@points/domain/account/commands';
import type { EventLog } from '@points/event-store/event-log';
import type { Lanes } from '@points/event-store/lanes';
import type { Timers } from '@points/event-store/timers';
import type { Clock } from '@points/runtime/clock';
import type { Log } from '@points/runtime/log';
import type { FollowedPrices } from './price-sources.ts';
import type { RecallTables } from './recall-tables.ts';
import { type Outcome, refused } from './reply.ts';

/** What every endpoint works with. */
export interface LedgerDeps {
  readonly log: EventLog;
  readonly lanes: Lanes<Account>;
  readonly prices: FollowedPrices;
  readonly recallTables: RecallTables;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Log;
  /** Clients that may settle the holds of others. */
  readonly admins: ReadonlySet<string>;
  /** See `CommandContext.watermarkMs`. */
  readonly watermarkMs: () => number | null;
  readonly holdGraceMs: number;
  readonly configFile: string;
  /** Runs catalog changes of this process one after another: names are unique over many streams. */
  readonly catalogTurn: Turn;
}

/** Runs `work` when everything submitted before has ended. */
export type Turn = <Result>(work: () => Promise<Result>) => Promise<Result>;

export function createTurn(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

export function limitsOf(deps: LedgerDeps): AccountLimits {
  const config = deps.prices.config()?.config;
  return {
    openHolds: config?.holds.max_open_per_user ?? DEFAULT_LIMITS.openHolds,
    holdGraceMs: deps.holdGraceMs,
    fairUse: {
      perDay: config?.membership.fair_use.per_day ?? null,
      perMonth: config?.membership.fair_use.per_month ?? null,
    },
  };
}

/** Nothing can be priced before the log has been read once: refused, so that no replica ever guesses a price. */
export function notReady(deps: LedgerDeps): Outcome {
  return refused(
    'store_unavailable',
    undefined,
    deps.prices.trouble() ?? 'prices are not known yet',
  );
}
