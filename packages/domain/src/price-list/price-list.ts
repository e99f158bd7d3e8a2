import type { FirstAnswer } from '../account/account.ts';
import type { EventContext } from '../account/events.ts';
import { type PersistentMap, emptyMap, mapGet, mapSet } from '../persistent-map.ts';
import { rememberCommand } from '../remembered-commands.ts';
import type { PriceChanged, PriceKind, PriceListEvent, PriceListed } from './events.ts';

/** One price list, folded from its stream. Immutable. */
export interface PriceList {
  readonly kind: PriceKind;
  /** Revision of the stream's last event; −1 before the first. */
  readonly revision: number;
  readonly prices: PersistentMap<string, ListedPrice>;
  /** Those of the last 8 days. */
  readonly commands: PersistentMap<string, FirstAnswer>;
}

export interface ListedPrice {
  readonly price: PriceListed;
  /** No longer on offer, for good. */
  readonly isRetired: boolean;
}

export function emptyPriceList(kind: PriceKind): PriceList {
  return { kind, revision: -1, prices: emptyMap(), commands: emptyMap() };
}

/** Folds one event. Throws when it cannot follow this state (a damaged log). */
export function evolvePriceList(
  list: PriceList,
  event: PriceListEvent,
  context: EventContext,
): PriceList {
  if (event.data.kind !== list.kind)
    throw new Error(`a price of kind ${event.data.kind} in the list ${list.kind}`);
  const revision = list.revision + 1;
  const answer = {
    requestHash: context.request_hash,
    revision: revision - context.index,
  };
  return {
    ...list,
    revision,
    prices: mapSet(list.prices, event.data.price_id, evolvePrice(list, event)),
    commands: rememberCommand(list.commands, context, answer),
  };
}

function evolvePrice(list: PriceList, event: PriceListEvent): ListedPrice {
  const before = mapGet(list.prices, event.data.price_id);
  if (event.type === 'PriceListed') {
    if (before !== undefined) throw new Error(`price listed twice: ${event.data.price_id}`);
    return { price: event.data, isRetired: false };
  }
  if (before === undefined) throw new Error(`no such price: ${event.data.price_id}`);
  switch (event.type) {
    case 'PriceChanged':
      return { ...before, price: changed(before.price, event.data) };
    case 'PriceRetired':
      return { price: { ...before.price, is_active: false }, isRetired: true };
    default:
      return event satisfies never;
  }
}

/** The columns of one kind over those of the same kind. */
export function changed(price: PriceListed, changes: PriceChanged): PriceListed {
  if (price.kind === 'credits' && changes.kind === 'credits') return { ...price, ...changes };
  if (price.kind === 'membership' && changes.kind === 'membership') return { ...price, ...changes };
  throw new Error(`price ${price.price_id} is of kind ${price.kind}, not ${changes.kind}`);
}
