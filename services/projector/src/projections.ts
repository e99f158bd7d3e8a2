import type { LedgerEvent } from '@points/contracts/stored-events';
import type { ConfigLoadedEvent } from '@points/domain/pricing/config';
import type {
  AccountData,
  AccountPlace,
  AccountProjection,
} from './projections/account-projection.ts';
import { ignored } from './projections/account-projection.ts';
import { batches } from './projections/batches.ts';
import { commands } from './projections/commands.ts';
import { holds } from './projections/holds.ts';
import { memberships } from './projections/memberships.ts';
import { models } from './projections/models.ts';
import type { ModelData, ModelPlace } from './projections/models.ts';
import { projectPrice } from './projections/prices.ts';
import { sources } from './projections/sources.ts';
import { tombstones } from './projections/tombstones.ts';
import { transactions } from './projections/transactions.ts';
import { userPoints } from './projections/user-points.ts';
import type { WorkingSet } from './working-set.ts';

/** In this order for each event: the account's row first, for it refuses gaps; holds and batches before what looks at them. */
const ACCOUNT_PROJECTIONS: readonly AccountProjection[] = [
  userPoints,
  commands,
  holds,
  tombstones,
  batches,
  sources,
  memberships,
  transactions,
];

/** No table shows what operations cost: the events are read only so that their positions are announced. */
const CONFIG_PROJECTION: { readonly [Type in ConfigLoadedEvent['type']]: () => void } = {
  ConfigLoaded: ignored,
};

/** An event of the log, decoded, at its place. */
export interface PlacedEvent {
  readonly ledgerEvent: LedgerEvent;
  readonly eventId: string;
  readonly position: bigint;
  readonly revision: number;
}

/**
 * Applies one event to the rows that it touches, which must be in `set`. Throws ProjectionError when the event cannot
 * follow what was applied before it; `set` is then half changed and must be thrown away.
 */
export function project(set: WorkingSet, placed: PlacedEvent): void {
  const { ledgerEvent, eventId, position, revision } = placed;
  switch (ledgerEvent.category) {
    case 'account': {
      const { accountId, event, context } = ledgerEvent;
      projectAccountEvent(set, event, { accountId, eventId, position, revision, context });
      return;
    }
    case 'aiModel': {
      const { modelId, event, context } = ledgerEvent;
      projectModelEvent(set, event, {
        modelId,
        position,
        revision,
        occurredAt: context.occurred_at,
      });
      return;
    }
    case 'priceList':
      projectPrice(set, ledgerEvent.event, {
        position,
        revision,
        occurredAt: ledgerEvent.context.occurred_at,
      });
      return;
    case 'pricingConfig':
      CONFIG_PROJECTION[ledgerEvent.event.type]();
      return;
    default:
      ledgerEvent satisfies never;
  }
}

type OfType<Data, Type extends keyof Data> = {
  [Key in Type]: { readonly type: Key; readonly data: Data[Key] };
}[Type];

function projectAccountEvent<Type extends keyof AccountData>(
  set: WorkingSet,
  event: OfType<AccountData, Type>,
  place: AccountPlace,
): void {
  for (const projection of ACCOUNT_PROJECTIONS) projection[event.type](set, event.data, place);
}

function projectModelEvent<Type extends keyof ModelData>(
  set: WorkingSet,
  event: OfType<ModelData, Type>,
  place: ModelPlace,
): void {
  models[event.type](set, event.data, place);
}
