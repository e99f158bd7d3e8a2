import type { FirstAnswer } from '../account/account.ts';
import { type PersistentMap, emptyMap, mapEntries, mapSet, mapValues } from '../persistent-map.ts';
import type { Catalog, Model } from './catalog.ts';

/**
 * The catalog as plain JSON and back, for caches. Change the version with everything that `evolveCatalog` makes of
 * events, and with this encoding: a cache of another version is not read.
 */
export const CATALOG_FOLD_VERSION = '1';

export interface CatalogSnapshot {
  readonly models: readonly SavedModel[];
  /** Not derived from the models: of two that took one name, the first in the log has it. */
  readonly byName: Entries<string>;
  readonly byPlatform: Entries<string>;
}

type SavedModel = Omit<Model, 'commands'> & { readonly commands: Entries<FirstAnswer> };
type Entries<Value> = readonly (readonly [string, Value])[];

export function encodeCatalog(catalog: Catalog): CatalogSnapshot {
  return {
    models: mapValues(catalog.models).map((model) => ({
      ...model,
      commands: mapEntries(model.commands),
    })),
    byName: mapEntries(catalog.byName),
    byPlatform: mapEntries(catalog.byPlatform),
  };
}

/** The inverse. Throws when a part is missing. */
export function decodeCatalog({ models, byName, byPlatform }: CatalogSnapshot): Catalog {
  return {
    models: toMap(
      models.map((model) => [model.modelId, { ...model, commands: toMap(model.commands) }]),
    ),
    byName: toMap(byName),
    byPlatform: toMap(byPlatform),
  };
}

function toMap<Value extends NonNullable<unknown>>(
  entries: Entries<Value>,
): PersistentMap<string, Value> {
  let map = emptyMap<string, Value>();
  for (const [key, value] of entries) map = mapSet(map, key, value);
  return map;
}
