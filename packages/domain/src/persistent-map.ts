/**
 * A map whose older versions stay readable after an update.
 *
 * The newest version owns a plain `Map`; an older version is a chain of differences to it. Reading the newest version
 * costs what a `Map` costs; reading an older one first turns the chain around ("rerooting"), which costs as much as
 * was changed since. That fits a ledger: decisions work on the newest state, and only a refused append goes back.
 * Source: H. G. Baker, "Shallow binding makes functional arrays fast", ACM SIGPLAN Notices 26(8), 1991.
 *
 * The order of `mapValues` and `mapEntries` is not stable across versions: sort where order matters.
 */
export interface PersistentMap<Key, Value> {
  /** Private to this file. */
  content: Content<Key, Value>;
}

type Content<Key, Value> =
  | { readonly kind: 'map'; readonly map: Map<Key, Value> }
  | {
      readonly kind: 'difference';
      readonly key: Key;
      readonly value: Value | undefined;
      readonly base: PersistentMap<Key, Value>;
    };

type Defined = NonNullable<unknown>;

export function emptyMap<Key, Value extends Defined>(): PersistentMap<Key, Value> {
  return { content: { kind: 'map', map: new Map() } };
}

export function mapGet<Key, Value extends Defined>(
  map: PersistentMap<Key, Value>,
  key: Key,
): Value | undefined {
  return reroot(map).get(key);
}

export function mapSize<Key, Value extends Defined>(map: PersistentMap<Key, Value>): number {
  return reroot(map).size;
}

export function mapValues<Key, Value extends Defined>(map: PersistentMap<Key, Value>): Value[] {
  return [...reroot(map).values()];
}

export function mapEntries<Key, Value extends Defined>(
  map: PersistentMap<Key, Value>,
): [Key, Value][] {
  return [...reroot(map).entries()];
}

export function mapSet<Key, Value extends Defined>(
  map: PersistentMap<Key, Value>,
  key: Key,
  value: Value,
): PersistentMap<Key, Value> {
  return change(map, key, value);
}

export function mapDelete<Key, Value extends Defined>(
  map: PersistentMap<Key, Value>,
  key: Key,
): PersistentMap<Key, Value> {
  return change(map, key, undefined);
}

function change<Key, Value extends Defined>(
  map: PersistentMap<Key, Value>,
  key: Key,
  value: Value | undefined,
): PersistentMap<Key, Value> {
  const owned = reroot(map);
  const previous = owned.get(key);
  if (value === undefined) owned.delete(key);
  else owned.set(key, value);
  const next: PersistentMap<Key, Value> = { content: { kind: 'map', map: owned } };
  map.content = { kind: 'difference', key, value: previous, base: next };
  return next;
}

/** Makes `map` the version that owns the plain map, and returns that map. Iterative: chains may be long. */
function reroot<Key, Value extends Defined>(map: PersistentMap<Key, Value>): Map<Key, Value> {
  if (map.content.kind === 'map') return map.content.map;
  const path: PersistentMap<Key, Value>[] = [];
  let version = map;
  while (version.content.kind === 'difference') {
    path.push(version);
    version = version.content.base;
  }
  const owned = version.content.map;
  for (let i = path.length - 1; i >= 0; i--) {
    const older = path[i];
    if (older?.content.kind !== 'difference') throw new Error('persistent map: broken chain');
    const { key, value } = older.content;
    const newer = version;
    newer.content = { kind: 'difference', key, value: owned.get(key), base: older };
    if (value === undefined) owned.delete(key);
    else owned.set(key, value);
    older.content = { kind: 'map', map: owned };
    version = older;
  }
  return owned;
}
