import { PRICE_SNAPSHOT_STREAM } from '@points/contracts/streams';
import {
  CATALOG_FOLD_VERSION,
  type CatalogSnapshot,
  decodeCatalog,
  encodeCatalog,
} from '@points/domain/catalog/catalog-snapshot';
import type { Catalog } from '@points/domain/catalog/catalog';
import type { PriceKind } from '@points/domain/price-list/events';
import type { PriceList } from '@points/domain/price-list/price-list';
import {
  PRICE_LIST_FOLD_VERSION,
  type PriceListSnapshot,
  decodePriceList,
  encodePriceList,
} from '@points/domain/price-list/price-list-snapshot';
import type { PricingConfig } from '@points/domain/pricing/config';
import {
  type EventLog,
  type JsonObject,
  type JsonValue,
  type StoredEvent,
  isJsonObject,
} from '@points/event-store/event-log';
import {
  SnapshotError,
  type SnapshotWriting,
  readSnapshot,
  writeSnapshot,
} from '@points/event-store/snapshot-event';
import { toJson } from './account-fold.ts';

/** What prices are made of, as far as the log has been read. */
export interface PriceState {
  readonly catalog: Catalog;
  readonly priceLists: { readonly [Kind in PriceKind]: PriceList };
  readonly config: FollowedConfig | null;
  /** Null = nothing of the log has been read. */
  readonly position: bigint | null;
  /** The last event that made a difference. */
  readonly last: EventPlace | null;
}

export interface FollowedConfig {
  readonly config: PricingConfig;
  readonly version: string;
  readonly revision: number;
  readonly hash: string;
}

/** One event of the log, beyond doubt. */
export interface EventPlace {
  readonly stream: string;
  readonly revision: number;
  readonly hash: string;
  readonly position: bigint;
}

/**
 * The prices that a process before this one has read, so that the log need not be read from its start. Null when there
 * are none. A cache: throws `SnapshotError`, or whatever its decoding throws, when it is not of this log or cannot be
 * read, and then the log has everything.
 *
 * `prefixes` are those of the streams followed: prices of fewer streams are of no use.
 */
export async function loadPrices(
  log: EventLog,
  prefixes: readonly string[],
): Promise<PriceState | null> {
  const event = await log.readLast(PRICE_SNAPSHOT_STREAM);
  if (event === null) return null;
  const { at, state } = readSnapshot(event, versionOf(prefixes));
  const position = toPosition(at['position']);
  const last = toPlace(at['last']);
  if (last.position > position || position >= event.position)
    throw new SnapshotError('it was taken of a place in the log that it cannot know');
  if (!(await isThere(log, last)))
    throw new SnapshotError(`event ${last.revision} of ${last.stream} is another one`);
  // Its hash has shown that these are the fields that `savePrices` of this version wrote.
  const saved = state as unknown as SavedPrices;
  return {
    catalog: decodeCatalog(saved.catalog),
    priceLists: {
      credits: decodePriceList(saved.priceLists.credits),
      membership: decodePriceList(saved.priceLists.membership),
    },
    config: saved.config,
    position,
    last,
  };
}

/** Takes the place of the snapshot that is there. Throws what `EventLog` throws. */
export async function savePrices(
  log: EventLog,
  prefixes: readonly string[],
  { catalog, priceLists, config, position, last }: PriceState,
): Promise<SnapshotWriting | 'nothing_to_save'> {
  if (position === null || last === null) return 'nothing_to_save';
  const saved: SavedPrices = {
    catalog: encodeCatalog(catalog),
    priceLists: {
      credits: encodePriceList(priceLists.credits),
      membership: encodePriceList(priceLists.membership),
    },
    config,
  };
  return writeSnapshot(log, PRICE_SNAPSHOT_STREAM, await log.readLast(PRICE_SNAPSHOT_STREAM), {
    version: versionOf(prefixes),
    at: { position: String(position), last: { ...last, position: String(last.position) } },
    state: toJson(saved),
  });
}

interface SavedPrices {
  readonly catalog: CatalogSnapshot;
  readonly priceLists: { readonly [Kind in PriceKind]: PriceListSnapshot };
  readonly config: FollowedConfig | null;
}

function versionOf(prefixes: readonly string[]): string {
  return `${CATALOG_FOLD_VERSION}.${PRICE_LIST_FOLD_VERSION} of ${prefixes.join(' ')}`;
}

async function isThere(log: EventLog, place: EventPlace): Promise<boolean> {
  const { revision: fromRevision, hash, position } = place;
  const events: AsyncIterable<StoredEvent> = log.readStream(place.stream, {
    fromRevision,
    maxCount: 1,
  });
  for await (const event of events)
    return (
      event.revision === fromRevision &&
      event.metadata['hash'] === hash &&
      event.position === position
    );
  return false;
}

function toPosition(value: JsonValue | undefined): bigint {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value))
    throw new SnapshotError('it does not say where it was taken');
  return BigInt(value);
}

function toPlace(value: JsonValue | undefined): EventPlace {
  const place: JsonObject = isJsonObject(value) ? value : {};
  const { stream, revision, hash } = place;
  if (typeof stream !== 'string' || typeof revision !== 'number' || typeof hash !== 'string')
    throw new SnapshotError('it does not say where it was taken');
  return { stream, revision, hash, position: toPosition(place['position']) };
}
