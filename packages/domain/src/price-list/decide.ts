import type { FirstAnswer } from '../account/account.ts';
import type { Refusal } from '../account/commands.ts';
import { mapGet, mapValues } from '../persistent-map.ts';
import type {
  PriceChanged,
  PriceKind,
  PriceListEvent,
  PriceListed,
  PriceRetired,
} from './events.ts';
import { type PriceList, changed } from './price-list.ts';

/** What an admin can ask of a price list. */
export type PriceListCommand = {
  readonly context: { readonly commandId: string; readonly requestHash: string };
} & (
  | { readonly kind: 'ListPrice'; readonly price: PriceListed }
  | { readonly kind: 'ChangePrice'; readonly changes: PriceChanged }
  | { readonly kind: 'RetirePrice'; readonly price: PriceRetired }
);

export type PriceListDecision =
  | { readonly outcome: 'accepted'; readonly event: PriceListEvent }
  | { readonly outcome: 'duplicate'; readonly answer: FirstAnswer }
  | { readonly outcome: 'refused'; readonly refusal: Refusal };

/** Decides one command on the list that it names. Pure and total. */
export function decidePriceList(command: PriceListCommand, list: PriceList): PriceListDecision {
  const known = mapGet(list.commands, command.context.commandId);
  if (known !== undefined) {
    return known.requestHash === command.context.requestHash
      ? { outcome: 'duplicate', answer: known }
      : refused('command_id_reused');
  }
  const { price_id } = pricePlace(command);
  const before = mapGet(list.prices, price_id);
  if (command.kind === 'ListPrice') {
    if (before !== undefined) return refused('invalid_argument', 'price_id');
    return clash(list, command.price) ?? accepted({ type: 'PriceListed', data: command.price });
  }
  if (before === undefined || before.isRetired) return refused('price_not_found');
  switch (command.kind) {
    case 'ChangePrice':
      return (
        clash(list, changed(before.price, command.changes)) ??
        accepted({ type: 'PriceChanged', data: command.changes })
      );
    case 'RetirePrice':
      return accepted({ type: 'PriceRetired', data: command.price });
    default:
      return command satisfies never;
  }
}

/** The list and the price that a command is about. */
export function pricePlace(command: PriceListCommand): { kind: PriceKind; price_id: string } {
  return command.kind === 'ChangePrice' ? command.changes : command.price;
}

/** Members name what they buy by its type, so a type has one price. */
function clash(list: PriceList, price: PriceListed): PriceListDecision | null {
  if (price.kind === 'credits') return null;
  const taken = mapValues(list.prices).some(
    ({ price: other, isRetired }) =>
      !isRetired &&
      other.kind === 'membership' &&
      other.price_id !== price.price_id &&
      other.membership_type === price.membership_type,
  );
  return taken ? refused('invalid_argument', 'membership_type') : null;
}

function accepted(event: PriceListEvent): PriceListDecision {
  return { outcome: 'accepted', event };
}

function refused(code: Refusal['code'], field?: string): PriceListDecision {
  return {
    outcome: 'refused',
    refusal: field === undefined ? { code } : { code, details: { field } },
  };
}
