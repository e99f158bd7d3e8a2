import type { Request } from '@points/contracts/ledger-requests';
import { decodeStoredEvent } from '@points/contracts/stored-events';
import { priceListStream } from '@points/contracts/streams';
import { mapGet } from '@points/domain/persistent-map';
import {
  type PriceListCommand,
  decidePriceList,
  pricePlace,
} from '@points/domain/price-list/decide';
import type { PriceListed } from '@points/domain/price-list/events';
import { emptyPriceList, evolvePriceList } from '@points/domain/price-list/price-list';
import { defaultValidityDays } from './credit-endpoints.ts';
import { type ResultInLog, changeFollowed } from './followed-command.ts';
import type { LedgerDeps } from './ledger-deps.ts';
import type { Outcome } from './reply.ts';
import { requestHash } from './request-hash.ts';
import type { Caller } from './submit-command.ts';

type PriceListVerb = 'list_price' | 'change_price' | 'retire_price';

/** Carries out a command on one of the price lists. */
export function changePriceList<Verb extends PriceListVerb>(
  verb: Verb,
  body: Request<`cmd.${Verb}`>,
  caller: Caller,
  deps: LedgerDeps,
): Promise<Outcome> {
  const context = {
    commandId: body.command_id,
    requestHash: requestHash(caller.client, verb, body),
  };
  const command = { ...toCommand({ verb, body } as PriceListRequest, deps), context };
  const { kind } = pricePlace(command);
  return changeFollowed(
    {
      verb,
      stream: priceListStream(kind),
      ...context,
      decide: () => decidePriceList(command, deps.prices.priceList(kind)),
      revision: () => deps.prices.priceList(kind).revision,
      resultAt: (revision) => priceAt(command, revision, deps),
    },
    caller,
    deps,
  );
}

/** The price as it stood right after the event at `revision`. */
async function priceAt(
  command: PriceListCommand,
  revision: number,
  deps: LedgerDeps,
): Promise<ResultInLog> {
  const { kind, price_id } = pricePlace(command);
  const stream = priceListStream(kind);
  let list = emptyPriceList(kind);
  let position: bigint | null = null;
  let atMs = 0;
  for await (const stored of deps.log.readStream(stream, {
    fromRevision: 0,
    maxCount: revision + 1,
  })) {
    const decoded = decodeStoredEvent(stored);
    if (decoded.category !== 'priceList') throw new Error(`${stream} is not a price list`);
    list = evolvePriceList(list, decoded.event, decoded.context);
    position = stored.position;
    atMs = Date.parse(decoded.context.occurred_at);
  }
  const listed = mapGet(list.prices, price_id);
  if (listed === undefined) throw new Error(`price ${price_id} is not in its own stream`);
  return { result: { price: toResult(listed.price), retired: listed.isRetired }, position, atMs };
}

function toResult(price: PriceListed) {
  return price.kind === 'credits' ? price : { ...price, features: [...price.features] };
}

type PriceListRequest = {
  [Verb in PriceListVerb]: { readonly verb: Verb; readonly body: Request<`cmd.${Verb}`> };
}[PriceListVerb];
type WithoutContext<Command> = Command extends PriceListCommand ? Omit<Command, 'context'> : never;

function toCommand(
  { verb, body }: PriceListRequest,
  deps: LedgerDeps,
): WithoutContext<PriceListCommand> {
  switch (verb) {
    case 'list_price':
      return { kind: 'ListPrice', price: withDefaults(body, deps) };
    case 'change_price': {
      const { command_id: _, metadata: __, ...changes } = body;
      return { kind: 'ChangePrice', changes };
    }
    case 'retire_price':
      return { kind: 'RetirePrice', price: { kind: body.kind, price_id: body.price_id } };
    default:
      return verb satisfies never;
  }
}

function withDefaults(body: Request<'cmd.list_price'>, deps: LedgerDeps): PriceListed {
  const any = {
    price_id: body.price_id,
    name: body.name,
    price_fen: body.price_fen,
    sort_order: body.sort_order ?? 0,
    is_active: body.is_active ?? true,
  };
  return body.kind === 'credits'
    ? {
        ...any,
        kind: body.kind,
        points: body.points,
        bonus: body.bonus ?? 0,
        validity_days:
          body.validity_days === undefined ? defaultValidityDays(deps) : body.validity_days,
      }
    : {
        ...any,
        kind: body.kind,
        membership_type: body.membership_type,
        duration_days: body.duration_days,
        original_price_fen: body.original_price_fen ?? null,
        features: body.features ?? [],
      };
}
