import {
  type PersistentMap,
  emptyMap,
  mapEntries,
  mapGet,
  mapSet,
  mapValues,
} from '../persistent-map.ts';
import {
  type Account,
  type BatchOrigin,
  type FirstAnswer,
  type HoldOutcome,
  type OpenHold,
  type SettledHold,
  type Source,
  freshAccount,
} from './account.ts';
import type { HoldPrice } from './events.ts';
import { type MemoryEntry, keepNewest } from './memory.ts';

/**
 * A folded account as plain JSON and back, so that opening it need not read its whole stream. A cache: whoever finds
 * another version, or anything odd, folds the stream instead. Change the version with everything that `evolve` makes
 * of events.
 */
export const ACCOUNT_FOLD_VERSION = '1';

/** Newest sources and orders that a snapshot holds; older ones are looked up in the log. */
const SNAPSHOT_SOURCES_MAX = 500;

export interface AccountSnapshot {
  readonly account: Omit<
    Account,
    | 'openHolds'
    | 'settledHolds'
    | 'recordIds'
    | 'commands'
    | 'refunds'
    | 'sources'
    | 'orders'
    | 'memory'
  >;
  readonly memory: Omit<Account['memory'], 'next' | 'entries'>;
  readonly openHolds: readonly OpenHold[];
  readonly commands: readonly Remembered<FirstAnswer>[];
  readonly holds: readonly Remembered<SavedHold>[];
  readonly refunds: readonly Remembered<null>[];
  readonly sources: readonly (Source & { readonly ref: string })[];
  readonly orders: readonly (FirstAnswer & { readonly orderNo: string })[];
  /** Said once, named by their places: many holds share one price, many charges one batch. */
  readonly prices: readonly HoldPrice[];
  readonly origins: readonly BatchOrigin[];
}

/** What the account remembers of an id, with its place in the order of forgetting. */
type Remembered<Value> = readonly [place: number, entry: MemoryEntry, value: Value];

type SavedHold = Omit<SettledHold, 'price' | 'outcome'> & {
  /** Place in `prices`; null = a tombstone. */
  readonly price: number | null;
  readonly outcome: SavedOutcome;
};

type SavedOutcome =
  | Extract<HoldOutcome, { status: 'canceled' }>
  | (Omit<Extract<HoldOutcome, { status: 'confirmed' }>, 'funding'> & {
      /** Place in `origins` and points. */
      readonly funding: readonly (readonly [origin: number, points: number])[];
    });

/**
 * Saves an account with the newest `rememberedIds` of its ids. What is left out counts as forgotten: the same answers,
 * looked up in the log.
 */
export function encodeAccount(account: Account, rememberedIds: number): AccountSnapshot {
  const { openHolds, settledHolds, recordIds: _, commands, refunds: __, ...rest } = account;
  const { sources, orders, memory: whole, ...plain } = rest;
  const newestSources = newest(sources);
  const newestOrders = newest(orders);
  const { next, entries, ...memory } = keepNewest(whole, rememberedIds);
  const sourcesForgottenThrough = Math.max(
    memory.sourcesForgottenThrough,
    newestSources.leftThrough,
    newestOrders.leftThrough,
  );
  const prices = createTable<HoldPrice>();
  const origins = createTable<BatchOrigin>();
  const saved = {
    commands: [] as Remembered<FirstAnswer>[],
    holds: [] as Remembered<SavedHold>[],
    refunds: [] as Remembered<null>[],
  };
  for (let place = memory.first; place < next; place += 1) {
    const entry = found(mapGet(entries, place));
    if (entry.kind === 'command')
      saved.commands.push([place, entry, found(mapGet(commands, entry.id))]);
    else if (entry.kind === 'refund') saved.refunds.push([place, entry, null]);
    else {
      const hold = found(mapGet(settledHolds, entry.id));
      saved.holds.push([place, entry, saveHold(hold, prices, origins)]);
    }
  }
  return {
    account: plain,
    memory: { ...memory, sourcesForgottenThrough },
    openHolds: mapValues(openHolds).toSorted((a, b) => a.revision - b.revision),
    ...saved,
    sources: newestSources.kept.map(([ref, source]) => ({ ref, ...source })),
    orders: newestOrders.kept.map(([orderNo, answer]) => ({ orderNo, ...answer })),
    prices: prices.rows,
    origins: origins.rows,
  };
}

/** The inverse. Throws when the snapshot is not whole; that it belongs to its stream the caller has checked. */
export function decodeAccount(snapshot: AccountSnapshot): Account {
  const { openHolds, prices, origins } = snapshot;
  const entries = [...snapshot.commands, ...snapshot.holds, ...snapshot.refunds];
  const holds = snapshot.holds.map(([, , hold]) => loadHold(hold, prices, origins));
  return {
    ...freshAccount(),
    ...snapshot.account,
    openHolds: toMap(openHolds.map((hold) => [hold.holdId, hold])),
    settledHolds: toMap(holds.map((hold) => [hold.holdId, hold])),
    recordIds: toMap(
      [...openHolds, ...holds].flatMap(({ recordId, holdId }) =>
        recordId === null ? [] : [[recordId, holdId]],
      ),
    ),
    commands: toMap(snapshot.commands.map(([, { id }, answer]) => [id, answer])),
    refunds: toMap(snapshot.refunds.map(([, { id, revision }]) => [id, revision])),
    sources: toMap(snapshot.sources.map(({ ref, ...source }) => [ref, source])),
    orders: toMap(snapshot.orders.map(({ orderNo, ...answer }) => [orderNo, answer])),
    memory: {
      ...snapshot.memory,
      next: snapshot.memory.first + entries.length,
      entries: toMap(entries.map(([place, entry]) => [place, entry])),
    },
  };
}

/** The newest that a snapshot holds, and the last revision among those that it leaves out (−1 = none). */
function newest<Value extends FirstAnswer>(map: PersistentMap<string, Value>) {
  const entries = mapEntries(map).toSorted(([, a], [, b]) => a.revision - b.revision);
  const kept = entries.splice(-SNAPSHOT_SOURCES_MAX);
  return { kept, leftThrough: entries.at(-1)?.[1].revision ?? -1 };
}

function saveHold(
  { price, outcome, ...hold }: SettledHold,
  prices: Table<HoldPrice>,
  origins: Table<BatchOrigin>,
): SavedHold {
  return {
    ...hold,
    price: price === null ? null : prices.placeOf(JSON.stringify(price), price),
    outcome:
      outcome.status === 'canceled'
        ? outcome
        : {
            ...outcome,
            funding: outcome.funding.map(({ batch, points }) => [
              origins.placeOf(batch.batchId, batch),
              points,
            ]),
          },
  };
}

function loadHold(
  { price, outcome, ...hold }: SavedHold,
  prices: readonly HoldPrice[],
  origins: readonly BatchOrigin[],
): SettledHold {
  return {
    ...hold,
    price: price === null ? null : found(prices[price]),
    outcome:
      outcome.status === 'canceled'
        ? outcome
        : {
            ...outcome,
            funding: outcome.funding.map(([origin, points]) => ({
              batch: found(origins[origin]),
              points,
            })),
          },
  };
}

interface Table<Row> {
  readonly rows: Row[];
  placeOf(key: string, row: Row): number;
}

function createTable<Row>(): Table<Row> {
  const rows: Row[] = [];
  const places = new Map<string, number>();
  return {
    rows,
    placeOf(key, row) {
      const place = places.get(key) ?? rows.push(row) - 1;
      places.set(key, place);
      return place;
    },
  };
}

function toMap<Key, Value extends NonNullable<unknown>>(
  entries: readonly (readonly [Key, Value])[],
): PersistentMap<Key, Value> {
  let map = emptyMap<Key, Value>();
  for (const [key, value] of entries) map = mapSet(map, key, value);
  return map;
}

function found<Value>(value: Value | undefined): Value {
  if (value === undefined)
    throw new Error('the account remembers an id without what it stands for');
  return value;
}
