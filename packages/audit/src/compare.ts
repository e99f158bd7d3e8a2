import { UnreadableEventError, decodeStoredEvent } from '@points/contracts/stored-events';
import { parseStream } from '@points/contracts/streams';
import type { EventLog } from '@points/event-store/event-log';
import { openSession } from '@points/read-model/database';
import type { ReadTables } from '@points/read-model/tables';
import { sql } from 'kysely';
import type { Transaction } from 'kysely';
import { WrongBooksError } from './books/wrong-books.ts';
import { atOnePosition, compareAccounts, readTable } from './compare-accounts.ts';
import { openCatalogRows } from './compare-catalog-rows.ts';
import type { CatalogRows } from './compare-catalog-rows.ts';
import { ACCOUNT_TABLES, CATALOG_TABLES, shapeOf } from './compare-row.ts';
import type { ComparedTable } from './compare-row.ts';
import { collectDifferences } from './compare-rows.ts';
import type { Difference, Differences, TableResult } from './compare-rows.ts';
import { type Finding, findingAt } from './finding.ts';
import { eventsUpTo } from './pinned-log.ts';

/** The report keeps so many differences and findings; all are counted. */
const MAX_REPORTED = 1_000;
/** Accounts that are compared together have so many events at most, and so a bounded number of rows; a larger one is alone. */
const GROUP_EVENTS = 20_000;
const GROUP_ACCOUNTS = 200;
/** A whole table may have to be looked through. */
const STATEMENT_TIMEOUT_MS = 600_000;

export interface CompareOptions {
  readonly log: Pick<EventLog, 'readAll' | 'readStream'>;
  readonly databaseUrl: string;
  /** Only these; without it all accounts, and the catalog and price lists. */
  readonly accounts?: readonly string[];
  /** Accounts that are done, of all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was compared and how it came out; the same for the same position and the same rows. */
export interface CompareReport {
  readonly holds: boolean;
  /** The read tables and the log were compared as of here; null = nothing was ever applied to the tables. */
  readonly position: string | null;
  /** Every account that was compared, and its last event's revision at that position; -1 = it has none. */
  readonly accounts: readonly { readonly account_id: string; readonly revision: number }[];
  readonly events: number;
  readonly tables: readonly ({ readonly table: ComparedTable } & Readonly<TableResult>)[];
  readonly difference_count: number;
  /** The first 1,000. */
  readonly differences: readonly Difference[];
  readonly finding_count: number;
  /** What is wrong in the log itself, the first 1,000; the rows of those accounts were not compared. */
  readonly findings: readonly Finding[];
}

/**
 * Folds the log up to where the read tables say that they are, and sets the result against them, row by row and column
 * by column. The tables are read as of one moment, so the system may go on while this runs.
 *
 * Memory: one entry for each account, and the rows of one group of accounts (or of the largest one). Throws
 * `LogEndsEarlyError`, `StoreUnavailableError` and pg's errors.
 */
export async function compare(options: CompareOptions): Promise<CompareReport> {
  const session = await openSession({
    url: options.databaseUrl,
    applicationName: 'audit compare',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    return await atOnePosition(session.db, (snapshot, pin) => compareAll(options, snapshot, pin));
  } finally {
    await session.close();
  }
}

async function compareAll(
  { log, accounts, onProgress }: CompareOptions,
  snapshot: Transaction<ReadTables>,
  pin: bigint | null,
): Promise<CompareReport> {
  const differences = collectDifferences(MAX_REPORTED);
  const findings: Finding[] = [];
  let findingCount = 0;
  const revisions: CompareReport['accounts'][number][] = [];
  let events = 0;
  const found = (some: readonly Finding[]): void => {
    findingCount += some.length;
    findings.push(...some.slice(0, MAX_REPORTED - findings.length));
  };
  const sizes =
    accounts === undefined ? await lookThrough(log, pin) : await sizesOf(snapshot, accounts);
  if (sizes.catalog !== null) {
    found(sizes.catalog.findings);
    await compareCatalog(snapshot, sizes.catalog.rows, differences);
    for (const accountId of await strangers(snapshot))
      sizes.accounts.set(accountId, sizes.accounts.get(accountId) ?? 0);
  }
  const options = { pin, differencesOf: () => differences };
  let done = 0;
  const total = sizes.accounts.size;
  for (const group of groups(sizes.accounts)) {
    for (const folded of await compareAccounts(log, snapshot, group, options)) {
      events += folded.events;
      revisions.push({ account_id: folded.accountId, revision: folded.events - 1 });
      if (folded.finding !== null) found([folded.finding]);
    }
    done += group.length;
    onProgress?.(done, total);
  }
  return {
    holds: differences.count === 0 && findingCount === 0,
    position: pin === null ? null : String(pin),
    accounts: revisions,
    events,
    tables: [...differences.tables].map(([table, result]) => ({ table, ...result })),
    difference_count: differences.count,
    differences: differences.first,
    finding_count: findingCount,
    findings,
  };
}

interface Seen {
  /** Events of each account; about so many, where it only serves to form groups. */
  readonly accounts: Map<string, number>;
  readonly catalog: { readonly rows: CatalogRows; readonly findings: readonly Finding[] } | null;
}

/** Every account in the log, and the catalog, by one pass over all of it. */
async function lookThrough(log: Pick<EventLog, 'readAll'>, pin: bigint | null): Promise<Seen> {
  const accounts = new Map<string, number>();
  const rows = openCatalogRows();
  const findings: Finding[] = [];
  for await (const stored of eventsUpTo(log, { pin })) {
    const owner = parseStream(stored.stream);
    if (owner === null) {
      findings.push(findingAt(stored, 'not_a_ledger_stream', 'is of no stream of the ledger'));
    } else if (owner.category === 'account') {
      accounts.set(owner.accountId, (accounts.get(owner.accountId) ?? 0) + 1);
    } else {
      try {
        rows.apply(decodeStoredEvent(stored), stored);
      } catch (error) {
        if (error instanceof WrongBooksError)
          findings.push(findingAt(stored, 'wrong_books', `cannot be right: ${error.message}`));
        else if (error instanceof UnreadableEventError)
          findings.push(findingAt(stored, 'unreadable_event', `cannot be read: ${error.message}`));
        else throw error;
      }
    }
  }
  return { accounts, catalog: { rows, findings } };
}

/** The same for the accounts asked for alone. */
async function sizesOf(
  snapshot: Transaction<ReadTables>,
  accountIds: readonly string[],
): Promise<Seen> {
  const rows = await snapshot
    .selectFrom('user_points')
    .select(['user_id', 'ledger_version'])
    .where('user_id', 'in', accountIds)
    .execute();
  const sizes = new Map(rows.map((row) => [row.user_id, row.ledger_version + 1]));
  return {
    accounts: new Map(accountIds.map((accountId) => [accountId, sizes.get(accountId) ?? 0])),
    catalog: null,
  };
}

/** Everybody of whom a table has rows. */
async function strangers(snapshot: Transaction<ReadTables>): Promise<readonly string[]> {
  const each = ACCOUNT_TABLES.map((table) => {
    const { account } = shapeOf(table);
    return sql`select ${sql.ref(account ?? '')} as account_id from ${sql.table(table)}`;
  });
  const { rows } = await sql<{ account_id: string }>`${sql.join(each, sql` union `)}`.execute(
    snapshot,
  );
  return rows.map(({ account_id }) => account_id);
}

async function compareCatalog(
  snapshot: Transaction<ReadTables>,
  catalog: CatalogRows,
  differences: Differences,
): Promise<void> {
  const expected = catalog.rows();
  for (const table of CATALOG_TABLES) {
    const actual = await readTable(snapshot, table);
    differences.compare(table, expected.get(table) ?? [], actual);
  }
}

/** In the order of their ids, so that the report does not hang on the order of anything else. */
function* groups(sizes: ReadonlyMap<string, number>): Generator<readonly string[]> {
  let group: string[] = [];
  let events = 0;
  for (const accountId of [...sizes.keys()].sort()) {
    const size = sizes.get(accountId) ?? 0;
    const isFull = group.length === GROUP_ACCOUNTS || events + size > GROUP_EVENTS;
    if (isFull && group.length > 0) {
      yield group;
      group = [];
      events = 0;
    }
    group.push(accountId);
    events += size;
  }
  if (group.length > 0) yield group;
}
