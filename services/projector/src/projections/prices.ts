import type { PriceListEvent, PriceListed } from '@points/domain/price-list/events';
import type { MembershipPriceRow, PackageRow } from '../price-rows.ts';
import { ProjectionError } from '../working-set.ts';
import type { WorkingSet } from '../working-set.ts';

/** Where an event of a price list stands. */
export interface PricePlace {
  /** Log position. */
  readonly position: bigint;
  /** In the stream of the whole list. */
  readonly revision: number;
  /** ISO-8601 UTC. */
  readonly occurredAt: string;
}

/** `points_packages` and `membership_prices`: what can be bought. A retired price keeps its row. */
export function projectPrice(set: WorkingSet, event: PriceListEvent, place: PricePlace): void {
  switch (event.type) {
    case 'PriceListed':
      list(set, event.data, place);
      return;
    case 'PriceChanged': {
      const { kind: _, price_id, ...columns } = event.data;
      Object.assign(later(rowOf(set, event.data.kind, price_id), place), columns);
      return;
    }
    case 'PriceRetired': {
      const row = later(rowOf(set, event.data.kind, event.data.price_id), place);
      row.is_active = false;
      row.retired_at = place.occurredAt;
      return;
    }
    default:
      event satisfies never;
  }
}

function list(set: WorkingSet, data: PriceListed, { position, revision }: PricePlace): void {
  const placed = { id: String(position), ledger_version: revision, retired_at: null };
  if (data.kind === 'credits') {
    const { kind: _, ...columns } = data;
    set.packages.add(data.price_id, { ...columns, ...placed });
  } else {
    const { kind: _, ...columns } = data;
    set.membershipPrices.add(data.price_id, { ...columns, ...placed });
  }
}

function rowOf(
  set: WorkingSet,
  kind: PriceListed['kind'],
  priceId: string,
): PackageRow | MembershipPriceRow {
  return kind === 'credits' ? set.packages.change(priceId) : set.membershipPrices.change(priceId);
}

function later<Row extends PackageRow | MembershipPriceRow>(row: Row, place: PricePlace): Row {
  if (place.revision <= row.ledger_version)
    throw new ProjectionError(
      `revision ${place.revision} after ${row.ledger_version} of price ${row.price_id}`,
    );
  row.ledger_version = place.revision;
  return row;
}
