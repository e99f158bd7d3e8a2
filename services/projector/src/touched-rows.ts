import type { PlacedEvent } from './projections.ts';
import {
  ACCOUNTS,
  BATCHES,
  COMMANDS,
  HOLDS,
  MEMBERSHIPS,
  MODELS,
  SOURCES,
  TOMBSTONES,
  TRANSACTIONS,
} from './rows.ts';
import type { TableSpec } from './rows.ts';
import { MEMBERSHIP_PRICES, PACKAGES } from './price-rows.ts';
import { createTouched } from './touched.ts';
import { batchKey, createWorkingSet, holdKey, membershipKey, sourceKey } from './working-set.ts';
import type { WorkingSet } from './working-set.ts';

/** Reads the rows whose `by` columns (default: the table's key) are these; what is not there is left out. */
export type ReadRows = <Row>(
  spec: TableSpec<Row>,
  keys: readonly (readonly string[])[],
  by?: readonly (keyof Row & string)[],
) => Promise<Row[]>;

export type WriteRows = <Row>(spec: TableSpec<Row>, rows: readonly Row[]) => Promise<void>;

/** Reads all rows that the events read or change. Some are known only from others: the batches that a hold pins, … */
export async function loadTouched(
  read: ReadRows,
  placed: readonly PlacedEvent[],
): Promise<WorkingSet> {
  const set = createWorkingSet();
  const touched = createTouched();
  for (const { ledgerEvent } of placed) touched.add(ledgerEvent);
  for (const row of await read(ACCOUNTS, touched.accounts())) set.accounts.load(row.user_id, row);
  for (const row of await read(MODELS, touched.models())) set.models.load(row.model_id, row);
  for (const row of await read(PACKAGES, touched.prices('credits')))
    set.packages.load(row.price_id, row);
  for (const row of await read(MEMBERSHIP_PRICES, touched.prices('membership')))
    set.membershipPrices.load(row.price_id, row);
  for (const row of await read(HOLDS, touched.holds())) {
    set.holds.load(holdKey(row.user_id, row.hold_id), row);
    touched.foundHold(row);
  }
  for (const row of await read(BATCHES, touched.batches())) {
    set.batches.load(batchKey(row.user_id, row.batch_id), row);
    touched.foundBatch(row);
  }
  for (const row of await read(SOURCES, touched.sources())) {
    set.sources.load(sourceKey(row.user_id, row.source_ref), row);
  }
  for (const row of await read(MEMBERSHIPS, touched.memberships())) {
    set.memberships.load(membershipKey(row.user_id, row.order_no), row);
  }
  for (const row of await read(MEMBERSHIPS, touched.members(), ['user_id'])) {
    set.memberships.load(membershipKey(row.user_id, row.order_no), row);
  }
  return set;
}

/** Batches before accounts: an account's next expiry is worked out from its batches. */
export async function saveChanged(write: WriteRows, set: WorkingSet): Promise<void> {
  await write(BATCHES, set.batches.changed());
  await write(ACCOUNTS, set.accounts.changed());
  await write(HOLDS, set.holds.changed());
  await write(TOMBSTONES, set.tombstones);
  await write(SOURCES, set.sources.changed());
  await write(TRANSACTIONS, set.transactions);
  await write(COMMANDS, set.commands);
  await write(MEMBERSHIPS, set.memberships.changed());
  await write(MODELS, set.models.changed());
  await write(PACKAGES, set.packages.changed());
  await write(MEMBERSHIP_PRICES, set.membershipPrices.changed());
}
