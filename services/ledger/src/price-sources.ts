import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import { type Catalog, emptyCatalog, evolveCatalog } from '@points/domain/catalog/catalog';
import type { PriceKind } from '@points/domain/price-list/events';
import {
  type PriceList,
  emptyPriceList,
  evolvePriceList,
} from '@points/domain/price-list/price-list';
import type { PriceSources } from '@points/domain/pricing/resolve-price';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { type Timers, sleepOn } from '@points/event-store/timers';
import type { Log } from '@points/runtime/log';
import { type FollowedConfig, type PriceState, loadPrices, savePrices } from './price-snapshot.ts';

/** What prices are made of, followed from the log: every replica that has caught up prices alike. */
export interface FollowedPrices {
  /** Null until the log has been read to its end once and holds a config. */
  sources(): PriceSources | null;
  catalog(): Catalog;
  priceList(kind: PriceKind): PriceList;
  config(): FollowedConfig | null;
  /** The log has been read to its end once. */
  hasRead(): boolean;
  /** Why prices are not known or may be old, for people. */
  trouble(): string | null;
  /** Reads on to the present end of the log. Throws `StoreUnavailableError`. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

const PAGE_EVENTS = 1_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
/**
 * A snapshot is due after so many checkpoints; a server sends one for every 32 events that it has looked at. So a start
 * makes it look at some 64,000 events, a second's work, however long the log is.
 */
const SNAPSHOT_EVERY_CHECKPOINTS = 2_000;
const PREFIXES = LEDGER_STREAM_PREFIXES.filter((prefix) => !prefix.startsWith('account-'));

/**
 * Begins at the last snapshot of the prices, or at the start of the log, and catches up by a subscription, whose events
 * the server picks out: how long the log is otherwise does not matter here.
 */
export function followPrices(deps: {
  readonly log: EventLog;
  readonly logger: Log;
  readonly timers: Timers;
  readonly snapshotEveryCheckpoints?: number;
}): FollowedPrices {
  const { log, logger, timers } = deps;
  const snapshotEvery = deps.snapshotEveryCheckpoints ?? SNAPSHOT_EVERY_CHECKPOINTS;
  const stopping = new AbortController();
  let state = nothingRead();
  let caughtUp = false;
  let trouble: string | null = 'the event store has not been read yet';
  let checkpoints = 0;
  let saving: Promise<void> | null = null;

  /** Pages and the live subscription may overlap; each event counts once. */
  function apply(stored: StoredEvent): void {
    const { stream, revision, position } = stored;
    if (state.position !== null && position <= state.position) return;
    const decoded = decodeStoredEvent(stored);
    const hash = stored.metadata['hash'] ?? '';
    let { catalog, priceLists, config } = state;
    if (decoded.category === 'aiModel')
      catalog = evolveCatalog(catalog, decoded.event, decoded.context);
    if (decoded.category === 'priceList') {
      const { kind, event, context } = decoded;
      priceLists = {
        ...priceLists,
        [kind]: evolvePriceList(priceLists[kind], event, context),
      };
    }
    if (decoded.category === 'pricingConfig') {
      const { content, version } = decoded.event.data;
      config = { config: content, version, revision, hash };
    }
    state = { catalog, priceLists, config, position, last: { stream, revision, hash, position } };
  }

  function advance(position: bigint | null): void {
    if (position !== null && (state.position === null || position > state.position))
      state = { ...state, position };
  }

  async function refresh(): Promise<void> {
    for (;;) {
      const page = await log.readAll({
        afterPosition: state.position,
        streamPrefixes: PREFIXES,
        maxCount: PAGE_EVENTS,
      });
      for (const event of page.events) apply(event);
      advance(page.position);
      if (page.end) return;
    }
  }

  async function follow(): Promise<void> {
    if (state.position === null) await begin();
    for await (const live of log.subscribeAll({
      afterPosition: state.position,
      streamPrefixes: PREFIXES,
      signal: stopping.signal,
    })) {
      if (live.kind === 'event') apply(live.event);
      if (live.kind === 'checkpoint') {
        advance(live.position);
        checkpoints += 1;
      }
      if (live.kind === 'caught_up') {
        caughtUp = true;
        trouble = null;
      }
      if (caughtUp && checkpoints >= snapshotEvery) saving ??= save();
    }
  }

  /** Asked again as long as nothing has been read: the store may have been away. */
  async function begin(): Promise<void> {
    try {
      state = (await loadPrices(log, PREFIXES)) ?? state;
    } catch (error) {
      logger.warn({ err: error }, 'the snapshot of the prices cannot be used; reading the log');
    }
  }

  /** Best effort; the next try comes with the next checkpoints. */
  async function save(): Promise<void> {
    checkpoints = 0;
    try {
      const outcome = await savePrices(log, PREFIXES, state);
      logger.debug({ outcome }, 'snapshot of the prices');
    } catch (error) {
      logger.warn({ err: error }, 'the prices could not be saved as a snapshot');
    }
    saving = null;
  }

  async function run(): Promise<void> {
    let retryMs = RETRY_MIN_MS;
    while (!stopping.signal.aborted) {
      try {
        await follow();
        retryMs = RETRY_MIN_MS;
      } catch (error) {
        if (stopping.signal.aborted) return;
        // What was folded stays true; only what came since is missing, and a config or price may be among it.
        trouble = error instanceof Error ? error.message : String(error);
        logger.warn({ err: error }, 'following prices was interrupted; trying again');
        await sleepOn(timers, retryMs * (0.5 + timers.random() / 2), stopping.signal).catch(
          () => undefined,
        );
        retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
      }
    }
  }

  const running = run();
  return {
    sources: () =>
      caughtUp && state.config !== null
        ? {
            catalog: state.catalog,
            config: state.config.config,
            configVersion: state.config.version,
          }
        : null,
    catalog: () => state.catalog,
    priceList: (kind) => state.priceLists[kind],
    config: () => state.config,
    hasRead: () => caughtUp,
    trouble: () => trouble ?? (state.config === null ? 'no pricing config has been loaded' : null),
    refresh,
    async stop() {
      stopping.abort();
      await running;
      await saving;
    },
  };
}

function nothingRead(): PriceState {
  return {
    catalog: emptyCatalog(),
    priceLists: { credits: emptyPriceList('credits'), membership: emptyPriceList('membership') },
    config: null,
    position: null,
    last: null,
  };
}
