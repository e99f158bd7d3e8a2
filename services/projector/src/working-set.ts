import type { MembershipPriceRow, PackageRow } from './price-rows.ts';
import type {
  AccountRow,
  BatchRow,
  CommandRow,
  HoldRow,
  MembershipRow,
  ModelRow,
  SourceRow,
  TombstoneRow,
  TransactionRow,
} from './rows.ts';

/** The rows that a batch of events touches, in memory: each is read once, changed often and written once. */
export interface WorkingSet {
  /** By account id. */
  readonly accounts: Rows<AccountRow>;
  /** By `batchKey`. */
  readonly batches: Rows<BatchRow>;
  /** By `holdKey`. */
  readonly holds: Rows<HoldRow>;
  /** By `sourceKey`. */
  readonly sources: Rows<SourceRow>;
  /** By `membershipKey`. */
  readonly memberships: Rows<MembershipRow>;
  /** By model id. */
  readonly models: Rows<ModelRow>;
  /** Both by price id. */
  readonly packages: Rows<PackageRow>;
  readonly membershipPrices: Rows<MembershipPriceRow>;
  readonly tombstones: TombstoneRow[];
  readonly transactions: TransactionRow[];
  readonly commands: CommandRow[];
}

export interface Rows<Row> {
  /** Puts in a row as the database has it. */
  load(key: string, row: Row): void;
  find(key: string): Row | undefined;
  /** The row, to be changed in place. Throws ProjectionError when there is none. */
  change(key: string): Row;
  /** Throws ProjectionError when there is one already. */
  add(key: string, row: Row): void;
  keys(): Iterable<string>;
  changed(): Row[];
}

/** The event cannot follow what was applied before it: a bug or a damaged log. It must not be skipped. */
export class ProjectionError extends Error {
  override readonly name = 'ProjectionError';
}

export function createWorkingSet(): WorkingSet {
  return {
    accounts: createRows('account'),
    batches: createRows('batch'),
    holds: createRows('hold'),
    sources: createRows('source'),
    memberships: createRows('membership'),
    models: createRows('model'),
    packages: createRows('package'),
    membershipPrices: createRows('membership price'),
    tombstones: [],
    transactions: [],
    commands: [],
  };
}

/** An account id has no blank in it, so two pairs of ids never give the same key. */
export function batchKey(accountId: string, batchId: string): string {
  return `${accountId} ${batchId}`;
}

export function holdKey(accountId: string, holdId: string): string {
  return `${accountId} ${holdId}`;
}

export function sourceKey(accountId: string, sourceRef: string): string {
  return `${accountId} ${sourceRef}`;
}

export function membershipKey(accountId: string, orderNo: string): string {
  return `${accountId} ${orderNo}`;
}

function createRows<Row>(what: string): Rows<Row> {
  const rows = new Map<string, Row>();
  const changed = new Set<Row>();
  return {
    load: (key, row) => void rows.set(key, row),
    find: (key) => rows.get(key),
    change(key) {
      const row = rows.get(key);
      if (row === undefined) throw new ProjectionError(`there is no ${what} ${key}`);
      changed.add(row);
      return row;
    },
    add(key, row) {
      if (rows.has(key)) throw new ProjectionError(`there is already a ${what} ${key}`);
      rows.set(key, row);
      changed.add(row);
    },
    keys: () => rows.keys(),
    changed: () => [...changed],
  };
}
