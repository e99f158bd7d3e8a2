import type { Endpoint } from '@points/contracts/ledger-requests';
import { type Account, freshAccount } from '@points/domain/account/account';
import type { LaneFold } from '@points/event-store/lane-head';
import { createLanes } from '@points/event-store/lanes';
import { ACCOUNT_FOLD } from '@points/ledger/account-fold';
import { checkClock } from '@points/ledger/clock-check';
import { createEndpoints } from '@points/ledger/endpoints';
import { type LedgerDeps, createTurn } from '@points/ledger/ledger-deps';
import { followPrices } from '@points/ledger/price-sources';
import type { RecallTables } from '@points/ledger/recall-tables';
import { expireAccount } from '@points/ledger/sweeper';
import { createLog } from '@points/runtime/log';
import type { NatsAnswer, NatsRequest } from '@points/runtime/nats-service';
import type { Process } from './process.ts';
import type { Store } from './store.ts';

/** Clients that may do everything. */
export const ADMIN = 'admin';
/** Few, so that accounts forget while they live. */
const REMEMBERED_IDS = 6;
const SNAPSHOT_EVERY_EVENTS = 5;
/** How long after its expiry a hold is overdue. */
export const HOLD_GRACE_MS = 2_000;

/** The service's own fold, with less memory and more snapshots. */
const FOLD: LaneFold<Account> = {
  ...ACCOUNT_FOLD,
  initial: () => freshAccount(REMEMBERED_IDS),
  ...(ACCOUNT_FOLD.snapshots === undefined
    ? {}
    : { snapshots: { ...ACCOUNT_FOLD.snapshots, everyEvents: SNAPSHOT_EVERY_EVENTS } }),
};

/** One replica of the ledger in one of its lives: the service's own code between a simulated store and network. */
export interface Ledger {
  readonly process: Process;
  handle(endpoint: Endpoint, request: NatsRequest): Promise<NatsAnswer>;
  /** The sweeper's work on one account. */
  sweep(accountId: string): Promise<number>;
}

export function startLedger(deps: {
  readonly process: Process;
  readonly store: Store;
  /** See `CommandContext.watermarkMs`. */
  readonly watermarkMs: () => number | null;
  readonly recallTables: RecallTables;
  readonly cachedAccounts: number;
  /** What must never happen. */
  readonly onFatal: (error: unknown) => void;
}): Ledger {
  const { process } = deps;
  const { clock, timers } = process;
  const logger = createLog('ledger', 'silent');
  const clockCheck = checkClock(deps.store.connect(process), clock);
  const { log } = clockCheck;
  const ledger: LedgerDeps = {
    log,
    lanes: createLanes<Account>({
      log,
      fold: FOLD,
      cachedMax: deps.cachedAccounts,
      singleWriter: false,
      onFatal: deps.onFatal,
      timers,
    }),
    prices: followPrices({ log, logger, timers }),
    recallTables: deps.recallTables,
    clock,
    timers,
    logger,
    admins: new Set([ADMIN]),
    watermarkMs: () => (clockCheck.isTrusted() ? deps.watermarkMs() : null),
    holdGraceMs: HOLD_GRACE_MS,
    configFile: '',
    catalogTurn: createTurn(),
  };
  const endpoints = new Map(
    createEndpoints(
      ledger,
      () => Promise.reject(new Error('not asked')),
      () => undefined,
    ).map((each) => [each.endpoint, each]),
  );
  return {
    process,
    handle(endpoint, request) {
      const found = endpoints.get(endpoint);
      if (found === undefined) throw new Error(`no endpoint ${endpoint}`);
      return found.handle(request);
    },
    sweep: (accountId) => expireAccount(accountId, ledger),
  };
}
