import { LEDGER_STREAM_PREFIXES } from '@points/contracts/streams';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import { type Catalog, emptyCatalog, evolveCatalog } from '@points/domain/catalog/catalog';
import type { PricingConfig } from '@points/domain/pricing/config';
import type { PriceSources } from '@points/domain/pricing/resolve-price';
import type { EventLog, StoredEvent } from '@points/event-store/event-log';
import { type Timers, sleepOn } from '@points/event-store/timers';
import type { Log } from '@points/runtime/log';

/** What prices are made of, followed from the log: every replica that has caught up prices alike. */
export interface FollowedPrices {
  /** Null until the log has been read to its end once and holds a config. */
  sources(): PriceSources | null;
  catalog(): Catalog;
  config(): {
    readonly config: PricingConfig;
    readonly version: string;
    readonly revision: number;
    readonly hash: string;
  } | null;
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
const PREFIXES = LEDGER_STREAM_PREFIXES.filter((prefix) => !prefix.startsWith('account-'));

export function followPrices(deps: {
  readonly log: EventLog;
  readonly logger: Log;
  readonly timers: Timers;
}): FollowedPrices {
  const { log, logger, timers } = deps;
  const stopping = new AbortController();
  let position: bigint | null = null;
  let catalog = emptyCatalog();
  let config: ReturnType<FollowedPrices['config']> = null;
  let caughtUp = false;
  let trouble: string | null = 'the event store has not been read yet';

  /** Pages and the live subscription may overlap; each event counts once. */
  function apply(stored: StoredEvent): void {
    if (position !== null && stored.position <= position) return;
    const decoded = decodeStoredEvent(stored);
    if (decoded.category === 'aiModel')
      catalog = evolveCatalog(catalog, decoded.event, decoded.context);
    if (decoded.category === 'pricingConfig') {
      const { content, version } = decoded.event.data;
      config = {
        config: content,
        version,
        revision: stored.revision,
        hash: stored.metadata['hash'] ?? '',
      };
    }
    position = stored.position;
  }

  function advance(to: bigint | null): void {
    if (to !== null && (position === null || to > position)) position = to;
  }

  async function refresh(): Promise<void> {
    for (;;) {
      const page = await log.readAll({
        afterPosition: position,
        streamPrefixes: PREFIXES,
        maxCount: PAGE_EVENTS,
      });
      for (const event of page.events) apply(event);
      advance(page.position);
      if (page.end) return;
    }
  }

  async function follow(): Promise<void> {
    await refresh();
    caughtUp = true;
    trouble = null;
    for await (const live of log.subscribeAll({
      afterPosition: position,
      streamPrefixes: PREFIXES,
      signal: stopping.signal,
    })) {
      if (live.kind === 'event') apply(live.event);
      if (live.kind === 'checkpoint') advance(live.position);
    }
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
      caughtUp && config !== null
        ? { catalog, config: config.config, configVersion: config.version }
        : null,
    catalog: () => catalog,
    config: () => config,
    hasRead: () => caughtUp,
    trouble: () => trouble ?? (config === null ? 'no pricing config has been loaded' : null),
    refresh,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
