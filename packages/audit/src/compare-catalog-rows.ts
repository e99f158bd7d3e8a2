import type { LedgerEvent } from '@points/contracts/stored-events';
import { WrongBooksError } from './books/wrong-books.ts';
import { expectedText } from './compare-row.ts';
import type { ComparedTable, TextRow } from './compare-row.ts';

/** The rows that the read tables must have of the model catalog and the price lists. */
export interface CatalogRows {
  /** The next event of the log. Throws WrongBooksError when it changes what was never there. */
  apply(
    decoded: LedgerEvent,
    place: { readonly position: bigint; readonly revision: number },
  ): void;
  rows(): ReadonlyMap<ComparedTable, readonly TextRow[]>;
}

/** By column; columns that the table does not have are of no account. */
type Columns = Record<string, unknown>;

export function openCatalogRows(): CatalogRows {
  const tables = {
    ai_models: new Map<string, Columns>(),
    points_packages: new Map<string, Columns>(),
    membership_prices: new Map<string, Columns>(),
  };
  return {
    apply(decoded, { position, revision }) {
      if (decoded.category !== 'aiModel' && decoded.category !== 'priceList') return;
      const { event, context } = decoded;
      const [table, key] =
        'model_id' in event.data
          ? ([tables.ai_models, event.data.model_id] as const)
          : ([
              event.data.kind === 'credits' ? tables.points_packages : tables.membership_prices,
              event.data.price_id,
            ] as const);
      if (event.type === 'ModelRegistered' || event.type === 'PriceListed') {
        table.set(key, { ...event.data, id: position, ledger_version: revision });
        return;
      }
      const row = table.get(key);
      if (row === undefined)
        throw new WrongBooksError(`${key} is changed and was never in the catalog`);
      row['ledger_version'] = revision;
      switch (event.type) {
        case 'ModelPriced':
        case 'ModelDescribed':
        case 'PriceChanged':
          // Only the columns that change are there.
          Object.assign(row, event.data);
          return;
        case 'ModelEnabled':
        case 'ModelDisabled':
          row['is_enabled'] = event.type === 'ModelEnabled';
          return;
        case 'ModelRemoved':
          Object.assign(row, { is_enabled: false, deleted_at: context.occurred_at });
          return;
        case 'PriceRetired':
          Object.assign(row, { is_active: false, retired_at: context.occurred_at });
          return;
        default:
          event satisfies never;
      }
    },
    rows: () =>
      new Map(
        Object.entries(tables).map(([name, rows]) => {
          const table = name as keyof typeof tables;
          return [table, [...rows.values()].map((row) => expectedText(table, row))];
        }),
      ),
  };
}
