import type { FirstAnswer } from '../account/account.ts';
import { emptyMap, mapEntries, mapSet } from '../persistent-map.ts';
import type { PriceKind } from './events.ts';
import type { ListedPrice, PriceList } from './price-list.ts';

/** The same as for the catalog: change it with `evolvePriceList` and with this encoding. */
export const PRICE_LIST_FOLD_VERSION = '1';

/** A price list as plain JSON, for caches. */
export interface PriceListSnapshot {
  readonly kind: PriceKind;
  readonly revision: number;
  readonly prices: readonly (readonly [string, ListedPrice])[];
  readonly commands: readonly (readonly [string, FirstAnswer])[];
}

export function encodePriceList({
  kind,
  revision,
  prices,
  commands,
}: PriceList): PriceListSnapshot {
  return { kind, revision, prices: mapEntries(prices), commands: mapEntries(commands) };
}

/** The inverse. Throws when a part is missing. */
export function decodePriceList({ kind, revision, ...saved }: PriceListSnapshot): PriceList {
  let prices = emptyMap<string, ListedPrice>();
  for (const [priceId, price] of saved.prices) prices = mapSet(prices, priceId, price);
  let commands = emptyMap<string, FirstAnswer>();
  for (const [commandId, answer] of saved.commands) commands = mapSet(commands, commandId, answer);
  return { kind, revision, prices, commands };
}
